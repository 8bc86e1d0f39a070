//! Arguments of type `text`, read where they lie.
//!
//! pgrx's `&str` asks PostgreSQL to detoast every one. Each call of PostgreSQL's sets a jump
//! target for its errors, which takes longer than all else with the short texts of a callback;
//! nearly all of them need no detoasting.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::varlena::{varatt_is_1b, varatt_is_1b_e, varatt_is_4b_u, varlena_to_byte_slice};

/// A `text`.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub &'a str);

/// The text, `""` for NULL.
pub fn or_empty(text: Option<Text<'_>>) -> &str {
    text.map_or("", |Text(text)| text)
}

pgrx::impl_sql_translatable!(Text<'_>, "text");

// SAFETY: what is unboxed is text.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for Text<'fcx> {
    #[inline]
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller says that the argument is there.
        unsafe { Self::unbox_nullable_arg(arg) }
            .into_option()
            .unwrap_or(Text(""))
    }

    #[inline]
    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: the argument is a text or NULL.
        unsafe { arg.unbox_arg_using_from_datum::<Text>() }.into()
    }
}

impl FromDatum for Text<'_> {
    #[allow(unsafe_code)]
    #[inline]
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        match is_null {
            true => None,
            // SAFETY: the Datum is a text.
            false => Some(Text(unsafe { read(datum) })),
        }
    }
}

/// The text of a Datum.
///
/// # Safety
///
/// The Datum is a text, and lives as long as what is returned.
#[allow(unsafe_code)]
#[inline(never)]
unsafe fn read<'a>(datum: pg_sys::Datum) -> &'a str {
    let varlena = datum.cast_mut_ptr();
    // SAFETY: as the caller says. If it is neither compressed nor elsewhere, its bytes are here; ASCII
    // is UTF-8.
    unsafe {
        let is_here = varatt_is_4b_u(varlena) || varatt_is_1b(varlena) && !varatt_is_1b_e(varlena);
        if is_here {
            let bytes = varlena_to_byte_slice(varlena);
            if bytes.is_ascii() {
                return str::from_utf8_unchecked(bytes);
            }
        }
        <&str>::from_datum(datum, false).unwrap_or_default()
    }
}
