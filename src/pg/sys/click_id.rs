//! Values of the SQL type `s2s.click_id`, which are stored as those of `text` are, and the message that
//! a receive function reads.

use std::borrow::Cow;
use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::nullable::Nullable;
use pgrx::pg_sys;

use super::text::Text;
use crate::click_id::ClickId;

/// A value of the SQL type `s2s.click_id`.
pub struct StoredClickId<'a>(Cow<'a, str>);

impl StoredClickId<'_> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<ClickId<'a>> for StoredClickId<'a> {
    fn from(id: ClickId<'a>) -> StoredClickId<'a> {
        StoredClickId(id.into_text())
    }
}

impl<'a> From<StoredClickId<'a>> for ClickId<'a> {
    fn from(id: StoredClickId<'a>) -> ClickId<'a> {
        ClickId::from_stored(id.0)
    }
}

pgrx::impl_sql_translatable!(StoredClickId<'_>, "s2s.click_id");

// SAFETY: a click_id is a varlena whose bytes are UTF-8 text, as those of `text` are.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for StoredClickId<'fcx> {
    #[inline]
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller says that the argument is there; it is as `Text` expects it.
        StoredClickId(Cow::Borrowed(unsafe { Text::unbox_arg_unchecked(arg) }.0))
    }

    #[inline]
    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above, and NULL is allowed.
        match unsafe { Text::unbox_nullable_arg(arg) } {
            Nullable::Valid(Text(text)) => Nullable::Valid(StoredClickId(Cow::Borrowed(text))),
            Nullable::Null => Nullable::Null,
        }
    }
}

// SAFETY: the Datum made is that of a `text`, which has the form of a click_id.
#[allow(unsafe_code)]
unsafe impl BoxRet for StoredClickId<'_> {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the caller returns the Datum.
        unsafe { self.0.as_ref().box_into(fcinfo) }
    }
}

/// The text in the message that a receive function is called with, its argument of type `internal`.
pub struct Received<'a>(pub &'a CStr);

pgrx::impl_sql_translatable!(Received<'_>, "internal");

// SAFETY: PostgreSQL calls no function with an `internal` argument from SQL, and a receive function with
// a StringInfo. pq_getmsgtext returns a palloc'ed C string in the context of the call, which lives as
// long as its arguments, and checks the bytes against the encoding.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for Received<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the function is strict.
        unsafe {
            let datum = arg
                .unbox_arg_using_from_datum::<pgrx::datum::Internal>()
                .and_then(|internal| internal.unwrap());
            let buffer: *mut pg_sys::StringInfoData = match datum {
                Some(datum) => datum.cast_mut_ptr(),
                None => return Received(c""),
            };
            let mut length = 0;
            let unread = (*buffer).len - (*buffer).cursor;
            Received(CStr::from_ptr(pg_sys::pq_getmsgtext(
                buffer,
                unread,
                &mut length,
            )))
        }
    }
}
