//! A row of a table with a trigger, and how its values become text.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::memory::OwnedContext;

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

    /// A column's value as text; nothing for NULL.
    #[allow(unsafe_code)]
    pub fn text(&self, place: usize, output: &OutputFunction) -> Cow<'_, str> {
        // SAFETY: the column was taken apart; the output function is that of its type. The text is
        // in the current memory context.
        unsafe {
            match *(*self.0).tts_isnull.add(place) {
                true => "".into(),
                false => output.text(*(*self.0).tts_values.add(place)),
            }
        }
    }
}

/// A type's output function, looked up once. It keeps what it likes in its `FmgrInfo`.
pub struct OutputFunction(Box<UnsafeCell<pg_sys::FmgrInfo>>);

impl OutputFunction {
    /// Looks it up; what it keeps is in `memory`.
    #[allow(unsafe_code)]
    pub fn new(type_oid: pg_sys::Oid, memory: &OwnedContext) -> OutputFunction {
        let output = OutputFunction(Box::default());
        let mut function = pg_sys::InvalidOid;
        let mut is_varlena = false;
        // SAFETY: catalog look-ups within a transaction; the FmgrInfo has an address of its own
        // and nobody else looks at it.
        unsafe {
            pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
            pg_sys::fmgr_info_cxt(function, output.0.get(), memory.value());
        }
        output
    }

    /// A value as text, in the current memory context.
    ///
    /// # Safety
    ///
    /// `value` is of the function's type; the current memory context lives as long as the text.
    #[allow(unsafe_code)]
    unsafe fn text<'a>(&self, value: pg_sys::Datum) -> Cow<'a, str> {
        // SAFETY: as the caller says. The function returns a NUL-terminated string.
        unsafe { CStr::from_ptr(pg_sys::OutputFunctionCall(self.0.get(), value)) }.to_string_lossy()
    }
}
