//! Databases of the cluster: what the catalog and locks say of them.
//!
//! All of it within a database transaction, but also in a process that is connected to none of them.

use pgrx::pg_sys;

use crate::pg::sys::catalog::name_text;

/// What a process takes on its database while it connects.
const CONNECT_LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

/// Whether a worker can connect to a database.
#[derive(Clone, Copy, PartialEq)]
pub enum Access {
    /// It can.
    Open,
    /// A command has locked it.
    Locked,
    /// It takes no connections.
    Closed,
    /// It was dropped.
    Gone,
}

impl Access {
    /// That of a database.
    pub fn of(database: pg_sys::Oid) -> Access {
        match row_of(database) {
            None => Access::Gone,
            Some(_) if is_locked(database) => Access::Locked,
            Some(row) if takes_connections(&row) => Access::Open,
            Some(_) => Access::Closed,
        }
    }
}

/// What the catalog says of a database; `None`: it is gone.
#[allow(unsafe_code)]
pub fn row_of(database: pg_sys::Oid) -> Option<pg_sys::FormData_pg_database> {
    // SAFETY: a look into a shared catalog within a database transaction; a tuple of pg_database has its
    // form, and is copied before it is released.
    unsafe {
        let cache = pg_sys::SysCacheIdentifier::DATABASEOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, database.into());
        if tuple.is_null() {
            return None;
        }
        let row = *pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
        pg_sys::ReleaseSysCache(tuple);
        Some(row)
    }
}

/// The name of a database; its OID if it is gone.
pub fn name(database: pg_sys::Oid) -> String {
    match row_of(database) {
        Some(row) => name_text(&row.datname),
        None => database.to_u32().to_string(),
    }
}

/// Whether `allow_connections` is on, and no interrupted `drop database` has left it invalid.
pub fn takes_connections(row: &pg_sys::FormData_pg_database) -> bool {
    row.datallowconn && row.datconnlimit != pg_sys::DATCONNLIMIT_INVALID_DB
}

/// What the catalog says of all databases.
#[allow(unsafe_code)]
pub fn rows() -> Vec<pg_sys::FormData_pg_database> {
    let mut rows = Vec::new();
    // SAFETY: a scan of a shared catalog within a database transaction; tuples of pg_database have its form,
    // and are copied while the scan is at them.
    unsafe {
        let lock = pg_sys::AccessShareLock as i32;
        let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(catalog, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            rows.push(*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>());
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(catalog, lock);
    }
    rows
}

/// Whether a command has, or waits for, a database to itself, so that no session can connect to it.
#[allow(unsafe_code)]
fn is_locked(database: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0, // a shared object is in no database
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: within a database transaction; the lock is released at once.
    unsafe {
        let taken = pg_sys::LockAcquire(&tag, CONNECT_LOCK, false, true);
        if taken == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL {
            return true;
        }
        pg_sys::LockRelease(&tag, CONNECT_LOCK, false);
    }
    false
}
