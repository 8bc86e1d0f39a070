//! Values of a row as text.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::column::Column;
use crate::network::MAX_URL;
use crate::pg::sys::memory::OwnedContext;

/// The columns of a table that a plan reads, with their output functions.
pub struct ReadColumns {
    columns: Vec<ReadColumn>,
    /// The number of attributes to deform: the last of the columns is among them.
    attributes: usize,
    /// Holds what the output functions keep between calls.
    memory: OwnedContext,
}

impl ReadColumns {
    pub fn new() -> ReadColumns {
        ReadColumns {
            columns: Vec::new(),
            attributes: 0,
            memory: OwnedContext::of_session(c"s2s trigger"),
        }
    }

    /// Adds a column of the table, and returns its number for [`Row::text`].
    pub fn add(&mut self, column: &Column) -> usize {
        self.attributes = self.attributes.max(column.index + 1);
        self.columns.push(ReadColumn {
            index: column.index,
            output: OutputFunction::new(column.type_oid, &self.memory),
        });
        self.columns.len() - 1
    }

    /// The attribute numbers of the columns.
    pub fn attributes(&self) -> impl Iterator<Item = i16> {
        self.columns.iter().map(|column| column.index as i16 + 1)
    }
}

struct ReadColumn {
    /// Its index in a tuple, from 0.
    index: usize,
    output: OutputFunction,
}

/// A row of a table, deformed as far as it is read.
pub struct Row<'a> {
    slot: *mut pg_sys::TupleTableSlot,
    read: &'a ReadColumns,
}

impl<'a> Row<'a> {
    /// # Safety
    ///
    /// As long as the result and its texts live, the slot holds a row of the table that `read` has
    /// the columns of, and the current memory context is neither reset nor deleted.
    #[allow(unsafe_code)]
    pub unsafe fn new(slot: *mut pg_sys::TupleTableSlot, read: &'a ReadColumns) -> Row<'a> {
        // SAFETY: the table has as many attributes.
        unsafe {
            if usize::try_from((*slot).tts_nvalid).is_ok_and(|valid| valid < read.attributes) {
                pg_sys::slot_getsomeattrs_int(slot, read.attributes as i32);
            }
        }
        Row { slot, read }
    }

    /// The value of the column with a number of [`ReadColumns::add`], as text: `""` for NULL, `None`
    /// for a value that is too large.
    #[allow(unsafe_code)]
    pub fn text(&self, number: usize) -> Option<Cow<'_, str>> {
        let ReadColumn { index, output } = &self.read.columns[number];
        // SAFETY: `new` deformed the attribute, and the output function is that of its type.
        unsafe {
            match *(*self.slot).tts_isnull.add(*index) {
                true => Some("".into()),
                false => output.text(*(*self.slot).tts_values.add(*index)),
            }
        }
    }
}

/// A type's output function.
struct OutputFunction {
    /// The function can keep data in it between calls, so that it has an address of its own.
    function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
    kind: ValueKind,
}

/// What matters of a type, or of the type that it is a domain over.
enum ValueKind {
    /// `char(n)`: trailing blanks are not part of the value, as in a cast to text.
    BlankPadded,
    /// `real` and `double precision`: written exactly, whatever `extra_float_digits` is.
    Float,
    /// Another type of variable length: a value can be too large to be written at all.
    Varlena,
    FixedLength,
}

/// Larger values are not written as text. However little text a byte of the value becomes, the text
/// could not be sent, and might be more than PostgreSQL can allocate.
const MAX_VALUE_BYTES: usize = 256 * MAX_URL;

impl OutputFunction {
    /// The function of a type; it keeps data in `memory`.
    #[allow(unsafe_code)]
    fn new(type_oid: pg_sys::Oid, memory: &OwnedContext) -> OutputFunction {
        let function: Box<UnsafeCell<pg_sys::FmgrInfo>> = Box::default();
        let mut oid = pg_sys::InvalidOid;
        let mut is_varlena = false;
        // SAFETY: catalog look-ups within a database transaction; an unknown type is an error.
        // `memory` is dropped with the function.
        let base_type = unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut oid, &mut is_varlena);
            pg_sys::fmgr_info_cxt(oid, function.get(), memory.value());
            pg_sys::getBaseType(type_oid)
        };
        let kind = match base_type {
            pg_sys::BPCHAROID => ValueKind::BlankPadded,
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => ValueKind::Float,
            _ if is_varlena => ValueKind::Varlena,
            _ => ValueKind::FixedLength,
        };
        OutputFunction { function, kind }
    }

    /// A value as text; `None` if it is too large.
    ///
    /// # Safety
    ///
    /// `value` is of the function's type; the current memory context lives as long as the text.
    #[allow(unsafe_code)]
    unsafe fn text<'a>(&self, value: pg_sys::Datum) -> Option<Cow<'a, str>> {
        // SAFETY: the value is as the caller says. An output function returns a NUL-terminated
        // string in the current memory context.
        let write = || unsafe {
            CStr::from_ptr(pg_sys::OutputFunctionCall(self.function.get(), value)).to_string_lossy()
        };
        let is_varlena = matches!(self.kind, ValueKind::Varlena | ValueKind::BlankPadded);
        // SAFETY: values of these kinds are varlenas.
        if is_varlena && unsafe { size(value) } > MAX_VALUE_BYTES {
            return None;
        }
        Some(match self.kind {
            ValueKind::FixedLength | ValueKind::Varlena => write(),
            ValueKind::Float => with_exact_floats(write),
            ValueKind::BlankPadded => match write() {
                Cow::Borrowed(text) => text.trim_end_matches(' ').into(),
                Cow::Owned(text) => text.trim_end_matches(' ').to_owned().into(),
            },
        })
    }
}

/// The size of a varlena, decompressed if it is toasted.
///
/// # Safety
///
/// It is a varlena.
#[allow(unsafe_code)]
unsafe fn size(value: pg_sys::Datum) -> usize {
    let varlena = value.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: a varlena says by its header whether it is a toast pointer.
    unsafe {
        match pgrx::varlena::varatt_is_1b_e(varlena) {
            true => pg_sys::toast_raw_datum_size(value),
            false => pgrx::varlena::varsize_any(varlena),
        }
    }
}

/// Calls `write` with `extra_float_digits` at PostgreSQL's default at least: with fewer digits, as
/// a session may have set, an amount would be another one.
#[allow(unsafe_code)]
fn with_exact_floats<R>(write: impl FnOnce() -> R) -> R {
    const SHORTEST_EXACT: i32 = 1;
    // SAFETY: a variable of PostgreSQL's, in its only thread; writing a float raises no error.
    unsafe {
        let setting = pg_sys::extra_float_digits;
        pg_sys::extra_float_digits = setting.max(SHORTEST_EXACT);
        let result = write();
        pg_sys::extra_float_digits = setting;
        result
    }
}
