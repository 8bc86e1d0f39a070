//! Arguments of type `numeric`, as text: amounts are parsed from text wherever they come from, and
//! PostgreSQL's own output function writes it fastest.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A `numeric` as PostgreSQL writes it.
#[derive(Clone, Copy)]
pub struct NumericText<'a>(pub &'a str);

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// PostgreSQL's own, to be called by PostgreSQL: a call of pgrx's wrapper allocates a call frame
    /// with `palloc0` and guards three calls instead of one.
    #[link_name = "numeric_out"]
    fn unwrapped_numeric_out(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum;
}

pgrx::impl_sql_translatable!(NumericText<'_>, "numeric");

// SAFETY: the type is declared as `numeric` to SQL, so PostgreSQL passes nothing else. The text of
// `numeric_out` is in the memory context of the call, which lives as long as the arguments.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for NumericText<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller's terms are the same.
        unsafe { Self::unbox_nullable_arg(arg) }
            .into_option()
            .unwrap_or(NumericText(""))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: the argument is a numeric or NULL, and lives as long as the call.
        unsafe { arg.unbox_arg_using_from_datum::<NumericText>() }.into()
    }
}

impl FromDatum for NumericText<'_> {
    #[allow(unsafe_code)]
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the Datum is a numeric, as the caller says; `numeric_out` reads nothing of the call
        // but its one argument, and returns a NUL-terminated string.
        unsafe {
            let text = pg_sys::DirectFunctionCall1Coll(
                Some(unwrapped_numeric_out),
                pg_sys::InvalidOid,
                datum,
            );
            CStr::from_ptr(text.cast_mut_ptr())
                .to_str()
                .ok()
                .map(NumericText)
        }
    }
}
