//! jsonb: an object of strings, made without parsing JSON, and arguments as text.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::prelude::*;

/// A `jsonb` as PostgreSQL writes it. pgrx's own type parses it, and raises an error for what is
/// nested deeper than its parser goes.
#[derive(Clone, Copy)]
pub struct JsonbText<'a>(pub &'a str);

pgrx::impl_sql_translatable!(JsonbText<'_>, "jsonb");

// SAFETY: the type is declared as `jsonb` to SQL, so PostgreSQL passes nothing else.
#[allow(unsafe_code)]
unsafe impl<'fcx> ArgAbi<'fcx> for JsonbText<'fcx> {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the caller's terms are the same.
        unsafe { Self::unbox_nullable_arg(arg) }
            .into_option()
            .unwrap_or(JsonbText("null"))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: the argument is a jsonb or NULL; its text lives as long as the call.
        unsafe { arg.unbox_arg_using_from_datum::<JsonbText>() }.into()
    }
}

impl FromDatum for JsonbText<'_> {
    #[allow(unsafe_code)]
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the Datum is a jsonb, as the caller says. Output functions return a NUL-terminated
        // string in the current memory context, in the encoding of the database, which is UTF-8.
        let text = unsafe {
            let text = pg_sys::OidOutputFunctionCall(pg_sys::F_JSONB_OUT.into(), datum);
            CStr::from_ptr(text)
        };
        Some(JsonbText(text.to_str().unwrap_or_default()))
    }
}

/// The object, in the current memory context. Of equal names one stays.
#[allow(unsafe_code)]
pub fn object(mut pairs: Vec<(&str, &str)>) -> pg_sys::Datum {
    // The order in which jsonb keeps its keys: shorter ones first.
    pairs.sort_unstable_by_key(|(name, _)| (name.len(), *name));
    pairs.dedup_by_key(|(name, _)| *name);
    let mut pairs: Vec<pg_sys::JsonbPair> = pairs
        .into_iter()
        .map(|(name, text)| pg_sys::JsonbPair {
            key: string(name),
            value: string(text),
            order: 0,
        })
        .collect();
    let mut object = pg_sys::JsonbValue {
        type_: pg_sys::jbvType::jbvObject,
        ..Default::default()
    };
    object.val.object = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_3 {
        nPairs: pairs.len() as i32,
        pairs: pairs.as_mut_ptr(),
    };
    // SAFETY: JsonbValueToJsonb wants the keys of an object sorted and unique; it copies the texts,
    // which outlive the call.
    unsafe { pg_sys::Datum::from(pg_sys::JsonbValueToJsonb(&mut object)) }
}

fn string(text: &str) -> pg_sys::JsonbValue {
    let mut value = pg_sys::JsonbValue {
        type_: pg_sys::jbvType::jbvString,
        ..Default::default()
    };
    value.val.string = pg_sys::JsonbValue__bindgen_ty_1__bindgen_ty_1 {
        len: text.len() as i32,
        val: text.as_ptr().cast_mut().cast(),
    };
    value
}
