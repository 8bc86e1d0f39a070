//! What PostgreSQL knows of the current process and its session.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The role that logged in, also while another role is the current user.
#[allow(unsafe_code)]
pub fn session_user() -> String {
    // SAFETY: a look-up in the catalogs, within a statement; a name is
    // NUL-terminated and in the current memory context.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetSessionUserId(), true);
        if name.is_null() {
            c"?"
        } else {
            CStr::from_ptr(name)
        }
    };
    name.to_string_lossy().into_owned()
}

/// Whether this session applies what was done in another database.
#[allow(unsafe_code)]
pub fn applies_replicated_changes() -> bool {
    // SAFETY: reads variables of this process. Appliers other than PostgreSQL's own set a replication
    // origin, too.
    unsafe { pg_sys::IsLogicalWorker() || pg_sys::replorigin_session_origin != 0 }
}

/// Whether a dump is being restored: dumps turn off what checks new objects.
#[allow(unsafe_code)]
pub fn is_restore() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { !pg_sys::check_function_bodies }
}

/// Whether the server is a standby.
#[allow(unsafe_code)]
pub fn is_standby() -> bool {
    // SAFETY: reads shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// The database that this process is connected to.
#[allow(unsafe_code)]
pub fn database() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::MyDatabaseId }
}
