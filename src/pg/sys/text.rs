//! Arguments of type `text`, read in place.
//!
//! pgrx's `&str` calls PostgreSQL to detoast each argument. Each such call sets a jump target for
//! errors, which takes longer than all else with the short texts of a callback; nearly all of them
//! need no detoasting.

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

// SAFETY: the type is declared as `text` to SQL, so PostgreSQL passes nothing else.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for Text<'fcx> {
    #[inline]
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller's terms are the same.
        unsafe { Self::unbox_nullable_arg(arg) }
            .into_option()
            .unwrap_or(Text(""))
    }

    #[inline]
    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: the argument is a text or NULL, and lives as long as the call.
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
            // SAFETY: the Datum is a text, as the caller says.
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
    // SAFETY: a text is a varlena. Neither compressed nor stored out of line, its bytes follow the
    // header; ASCII is valid UTF-8.
    unsafe {
        let is_inline =
            varatt_is_4b_u(varlena) || varatt_is_1b(varlena) && !varatt_is_1b_e(varlena);
        if is_inline {
            let bytes = varlena_to_byte_slice(varlena);
            if bytes.is_ascii() {
                return str::from_utf8_unchecked(bytes);
            }
        }
        <&str>::from_datum(datum, false).unwrap_or_default()
    }
}
