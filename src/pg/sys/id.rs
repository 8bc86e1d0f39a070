//! What identifies a row, of whatever type, as text.

use std::ffi::CStr;

use pgrx::AnyElement;
use pgrx::pg_sys;

use super::catalog::base_type;

/// The text of an integer, numeric, uuid or string; `None` for other types, whose texts depend on
/// settings or are no ids.
#[allow(unsafe_code)]
pub fn id_text(id: AnyElement) -> Option<String> {
    let type_oid = base_type(id.oid());
    let (mut category, mut is_preferred) = (0, false);
    // SAFETY: PostgreSQL made the element: its type exists, and its Datum is of that type. An output
    // function returns a NUL-terminated string.
    unsafe {
        pg_sys::get_type_category_preferred(type_oid, &mut category, &mut is_preferred);
        match type_oid {
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => {}
            pg_sys::NUMERICOID | pg_sys::UUIDOID => {}
            _ if category as u8 == pg_sys::TYPCATEGORY_STRING => {}
            _ => return None,
        }
        let (mut function, mut is_varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(type_oid, &mut function, &mut is_varlena);
        let text = CStr::from_ptr(pg_sys::OidOutputFunctionCall(function, id.datum()));
        let text = text.to_string_lossy();
        Some(match type_oid {
            // As when it is cast to text.
            pg_sys::BPCHAROID => text.trim_end_matches(' ').to_owned(),
            _ => text.into_owned(),
        })
    }
}

/// The name of a type.
#[allow(unsafe_code)]
pub fn type_name(type_oid: pg_sys::Oid) -> String {
    // SAFETY: it returns a NUL-terminated string, of types that do not exist, too.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(type_oid)) }
        .to_string_lossy()
        .into_owned()
}
