//! Look-ups in the system catalogs. Each needs a database transaction.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

/// Whether the extension is in this database, with its tables.
pub fn extension_exists() -> bool {
    extension_oid() != pg_sys::InvalidOid && relation_oid(c"queue") != pg_sys::InvalidOid
}

/// Whether the current user is the extension's owner: a member of its role, or a superuser.
#[allow(unsafe_code)]
pub fn owns_extension() -> bool {
    let extension = extension_oid();
    // SAFETY: catalog look-ups, of an extension that exists.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(feature = "pg15")]
        let owns = |extension| pg_sys::pg_extension_ownercheck(extension, user);
        #[cfg(not(feature = "pg15"))]
        let owns =
            |extension| pg_sys::object_ownercheck(pg_sys::ExtensionRelationId, extension, user);
        extension != pg_sys::InvalidOid && owns(extension)
    }
}

/// The extension's name.
pub const EXTENSION: &str = "pgrx-ext";

#[allow(unsafe_code)]
fn extension_oid() -> pg_sys::Oid {
    let name = CString::new(EXTENSION).unwrap_or_default();
    // SAFETY: a catalog look-up; the name is NUL-terminated.
    unsafe { pg_sys::get_extension_oid(name.as_ptr(), true) }
}

/// The schema `s2s`; `InvalidOid` if there is none.
#[allow(unsafe_code)]
fn schema_oid() -> pg_sys::Oid {
    // SAFETY: a catalog look-up; the name is NUL-terminated.
    unsafe { pg_sys::get_namespace_oid(c"s2s".as_ptr(), true) }
}

/// A relation of the schema `s2s`; `InvalidOid` if there is none of the name.
#[allow(unsafe_code)]
pub fn relation_oid(name: &CStr) -> pg_sys::Oid {
    // SAFETY: a catalog look-up; the name is NUL-terminated.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema_oid()) }
}

/// A relation of the schema `s2s`, which exists unless the schema or the relation was renamed or dropped
/// by hand: an error then.
#[allow(unsafe_code)]
pub fn existing_relation_oid(name: &CStr) -> pg_sys::Oid {
    match relation_oid(name) {
        pg_sys::Oid::INVALID => {
            // SAFETY: a catalog look-up; the name is NUL-terminated. A missing schema is an error.
            unsafe { pg_sys::get_namespace_oid(c"s2s".as_ptr(), false) };
            does_not_exist(name)
        }
        oid => oid,
    }
}

/// The owner of a relation of the schema `s2s`; an error if it does not exist.
pub fn relation_owner(name: &CStr) -> pg_sys::Oid {
    match owner(existing_relation_oid(name)) {
        // It was dropped meanwhile.
        pg_sys::Oid::INVALID => does_not_exist(name),
        owner => owner,
    }
}

fn does_not_exist(relation: &CStr) -> ! {
    let relation = relation.to_string_lossy();
    ErrorReport::new(
        PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
        format!("relation \"s2s.{relation}\" does not exist"),
        "s2s",
    )
    .report(PgLogLevel::ERROR);
    unreachable!("an error ends the statement")
}

#[allow(unsafe_code)]
fn owner(relation: pg_sys::Oid) -> pg_sys::Oid {
    use pg_sys::SysCacheIdentifier::RELOID;
    let null = pg_sys::Datum::null();
    // SAFETY: the cache has one key, the OID; the column holds an OID.
    unsafe {
        syscache_oid(
            RELOID,
            pg_sys::Anum_pg_class_relowner,
            relation.into(),
            null,
        )
    }
}

/// Makes all sessions look a table and its triggers up again, once the database transaction commits.
#[allow(unsafe_code)]
pub fn invalidate(table: pg_sys::Oid) {
    // SAFETY: within a database transaction; a table that does not exist is an error of PostgreSQL's.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) };
}

/// Keeps other sessions from making partitions of a table until the database transaction ends, and waits for
/// those that do. Rows can be written meanwhile.
#[allow(unsafe_code)]
pub fn lock_against_partitions(table: pg_sys::Oid) {
    let mode = pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: any OID can be locked, within a database transaction.
    unsafe { pg_sys::LockRelationOid(table, mode) };
}

/// A type of the schema `s2s`; `InvalidOid` if there is none of the name.
#[allow(unsafe_code)]
pub fn type_oid(name: &CStr) -> pg_sys::Oid {
    use pg_sys::SysCacheIdentifier::TYPENAMENSP;
    let (name, schema) = (name.as_ptr().into(), schema_oid().into());
    // SAFETY: the keys are a NUL-terminated name and a schema; the column holds an OID.
    unsafe { syscache_oid(TYPENAMENSP, pg_sys::Anum_pg_type_oid, name, schema) }
}

/// A label of an enum type; `InvalidOid` if there is none of the name.
#[allow(unsafe_code)]
pub fn enum_label_oid(enum_type: pg_sys::Oid, label: &CStr) -> pg_sys::Oid {
    use pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME;
    let (enum_type, label) = (enum_type.into(), label.as_ptr().into());
    // SAFETY: the keys are a type and a NUL-terminated name; the column holds an OID.
    unsafe { syscache_oid(ENUMTYPOIDNAME, pg_sys::Anum_pg_enum_oid, enum_type, label) }
}

/// A column of the tuple that a system cache has for two keys; `InvalidOid` if it has none.
///
/// # Safety
///
/// The keys are of the types that the cache is searched by, and the column is of type `oid`.
#[allow(unsafe_code)]
unsafe fn syscache_oid(
    cache: pg_sys::SysCacheIdentifier::Type,
    column: u32,
    key1: pg_sys::Datum,
    key2: pg_sys::Datum,
) -> pg_sys::Oid {
    let none = pg_sys::Datum::null();
    // SAFETY: as the caller says; keys that the cache does not have are ignored.
    unsafe {
        pg_sys::GetSysCacheOid(
            cache as i32,
            column as pg_sys::AttrNumber,
            key1,
            key2,
            none,
            none,
        )
    }
}

/// A type, or the one that it is a domain over. The type of a column that is about to be dropped
/// may be gone.
#[allow(unsafe_code)]
pub fn base_type(type_oid: pg_sys::Oid) -> pg_sys::Oid {
    let none = pg_sys::Datum::null();
    let cache = pg_sys::SysCacheIdentifier::TYPEOID as i32;
    // SAFETY: the cache has one key, the OID; `getBaseType` raises an error for a type that does
    // not exist, so it is called only for one that does.
    unsafe {
        match pg_sys::SearchSysCacheExists(cache, type_oid.into(), none, none, none) {
            true => pg_sys::getBaseType(type_oid),
            false => type_oid,
        }
    }
}

/// Whether a type, or the one that it is a domain over, is one of numbers.
#[allow(unsafe_code)]
pub fn is_number(type_oid: pg_sys::Oid) -> bool {
    let (mut category, mut is_preferred) = (0, false);
    // SAFETY: a catalog look-up; the type of a column that exists does.
    unsafe {
        pg_sys::get_type_category_preferred(base_type(type_oid), &mut category, &mut is_preferred);
    }
    category as u8 == pg_sys::TYPCATEGORY_NUMERIC
}

/// The name of a function of the schema `s2s`; `None` for any other function.
#[allow(unsafe_code)]
pub fn function_name(function: pg_sys::Oid) -> Option<String> {
    // SAFETY: catalog look-ups; the name is a palloc'ed copy.
    unsafe {
        let name = pg_sys::get_func_name(function);
        let is_ours = !name.is_null() && pg_sys::get_func_namespace(function) == schema_oid();
        is_ours.then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// The name of a schema; empty if it does not exist.
#[allow(unsafe_code)]
pub fn schema_name(schema: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up; the name is a palloc'ed copy.
    unsafe {
        let name = pg_sys::get_namespace_name(schema);
        match name.is_null() {
            true => String::new(),
            false => CStr::from_ptr(name).to_string_lossy().into_owned(),
        }
    }
}

/// A name as the catalogs keep it.
#[allow(unsafe_code)]
pub fn name_text(name: &pg_sys::NameData) -> String {
    // SAFETY: PostgreSQL terminates every NameData with a zero byte.
    unsafe { CStr::from_ptr(name.data.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}
