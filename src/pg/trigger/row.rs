//! A row of a table with a trigger, and how its values become text.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::network::MAX_URL;
use crate::pg::sys::memory::OwnedContext;

/// A row, in a slot of the executor's.
pub struct Row(*mut pg_sys::TupleTableSlot);

impl Row {
    /// The row in `slot`, with its first `columns` columns taken apart.
    ///
    /// # Safety
    ///
    /// The slot holds a row of the table that the plan was made for, as long as this lives; so
    /// does the current memory context.
    #[allow(unsafe_code)]
    pub unsafe fn new(slot: *mut pg_sys::TupleTableSlot, columns: usize) -> Row {
        // SAFETY: as the caller says; the table has so many columns.
        unsafe {
            if usize::try_from((*slot).tts_nvalid).is_ok_and(|valid| valid < columns) {
                pg_sys::slot_getsomeattrs_int(slot, columns as i32);
            }
        }
        Row(slot)
    }

    /// A column's value as text; nothing for NULL, `None` for what is too large.
    #[allow(unsafe_code)]
    pub fn text(&self, place: usize, output: &OutputFunction) -> Option<Cow<'_, str>> {
        // SAFETY: the column was taken apart; the output function is that of its type. The text is
        // in the current memory context.
        unsafe {
            match *(*self.0).tts_isnull.add(place) {
                true => Some("".into()),
                false => output.text(*(*self.0).tts_values.add(place)),
            }
        }
    }
}

/// A type's output function, looked up once. It keeps what it likes in its `FmgrInfo`.
pub struct OutputFunction {
    function: Box<UnsafeCell<pg_sys::FmgrInfo>>,
    form: Form,
}

/// What is to be known of a type's values, or of those that it is a domain over.
enum Form {
    /// `char(n)`: the blanks at the end are none of the value's, as in a cast to text.
    Padded,
    /// `real` and `double precision`: written exactly, whatever the session likes to see.
    Float,
    /// Any other of variable length, which may be too large to be written at all.
    Varlena,
    Plain,
}

impl Form {
    #[allow(unsafe_code)]
    fn of(type_oid: pg_sys::Oid, is_varlena: bool) -> Form {
        // SAFETY: a catalog look-up within a transaction.
        match unsafe { pg_sys::getBaseType(type_oid) } {
            pg_sys::BPCHAROID => Form::Padded,
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => Form::Float,
            _ if is_varlena => Form::Varlena,
            _ => Form::Plain,
        }
    }
}

/// Larger values are not written as text. However little of that a byte of the value becomes, it
/// could not be sent, and may be more than PostgreSQL can allocate.
const LARGEST: usize = 256 * MAX_URL;

impl OutputFunction {
    /// Looks it up; what it keeps is in `memory`.
    #[allow(unsafe_code)]
    pub fn new(type_oid: pg_sys::Oid, memory: &OwnedContext) -> OutputFunction {
        let function: Box<UnsafeCell<pg_sys::FmgrInfo>> = Box::default();
        let mut oid = pg_sys::InvalidOid;
        let mut is_varlena = false;
        // SAFETY: catalog look-ups within a transaction; the FmgrInfo has an address of its own
        // and nobody else looks at it.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut oid, &mut is_varlena);
            pg_sys::fmgr_info_cxt(oid, function.get(), memory.value());
        }
        OutputFunction {
            function,
            form: Form::of(type_oid, is_varlena),
        }
    }

    /// A value as text, in the current memory context; `None` if it is too large.
    ///
    /// # Safety
    ///
    /// `value` is of the function's type; the current memory context lives as long as the text.
    #[allow(unsafe_code)]
    unsafe fn text<'a>(&self, value: pg_sys::Datum) -> Option<Cow<'a, str>> {
        // SAFETY: as the caller says. The function returns a NUL-terminated string.
        let write = || unsafe {
            CStr::from_ptr(pg_sys::OutputFunctionCall(self.function.get(), value)).to_string_lossy()
        };
        Some(match self.form {
            Form::Plain => write(),
            Form::Float => with_exact_floats(write),
            // SAFETY: the value is of variable length.
            Form::Varlena | Form::Padded if unsafe { size(value) } > LARGEST => return None,
            Form::Varlena => write(),
            Form::Padded => match write() {
                Cow::Borrowed(text) => text.trim_end_matches(' ').into(),
                Cow::Owned(text) => text.trim_end_matches(' ').to_owned().into(),
            },
        })
    }
}

/// The size of a value of variable length, uncompressed if it is stored outside its row.
///
/// # Safety
///
/// It is such a value.
#[allow(unsafe_code)]
unsafe fn size(value: pg_sys::Datum) -> usize {
    let varlena = value.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: as the caller says.
    unsafe {
        match pgrx::varlena::varatt_is_1b_e(varlena) {
            true => pg_sys::toast_raw_datum_size(value),
            false => pgrx::varlena::varsize_any(varlena),
        }
    }
}

/// Runs `write` with the shortest digits that say a float exactly, PostgreSQL's default: with
/// fewer, as a session may want them, a sum of money would be another.
#[allow(unsafe_code)]
fn with_exact_floats<R>(write: impl FnOnce() -> R) -> R {
    const EXACT: i32 = 1;
    // SAFETY: a variable of this thread; writing a float raises no error.
    unsafe {
        let usual = pg_sys::extra_float_digits;
        pg_sys::extra_float_digits = usual.max(EXACT);
        let result = write();
        pg_sys::extra_float_digits = usual;
        result
    }
}
