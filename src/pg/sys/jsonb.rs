//! A jsonb object of strings, made without parsing JSON.

use pgrx::pg_sys;

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
