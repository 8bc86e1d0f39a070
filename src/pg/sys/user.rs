//! Running code as another user.
//!
//! The owner of a table decides what its trigger's WHEN calls and how its types become JSON. Such
//! code must not run with the rights of another user who only looks at the table, a superuser maybe.
//! [`run_restricted_as`] runs it as VACUUM and REINDEX run the functions of an index: as the
//! table's owner in a security-restricted operation, where it can neither set another role nor
//! leave anything in the session that would run later, and with a search path in which the user
//! who looks has no objects, as PostgreSQL itself does from 17 on.

use std::ffi::CStr;

use pgrx::pg_sys;

/// Only objects that come with the server are found before those of `pg_temp`.
const SAFE_SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// Runs `body` with the rights of another user. Settings that it changes are restored afterwards.
pub fn run_as<T>(user: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let _switched = SwitchedUser::to(user, pg_sys::SECURITY_LOCAL_USERID_CHANGE);
    body()
}

/// Runs `body`, which changes catalogs, with the rights of the superuser that every cluster has.
pub fn run_as_superuser<T>(body: impl FnOnce() -> T) -> T {
    run_as(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), body)
}

/// Runs `body`, which calls code of `owner`'s, as `owner` in a security-restricted operation.
/// Settings that it changes are restored afterwards.
#[allow(unsafe_code)]
pub fn run_restricted_as<T>(owner: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let _switched = SwitchedUser::to(owner, pg_sys::SECURITY_RESTRICTED_OPERATION);
    // SAFETY: name and value are NUL-terminated and copied; GUC_ACTION_SAVE keeps the old value
    // for the end of the nest level that the switch has opened.
    unsafe {
        pg_sys::set_config_option(
            c"search_path".as_ptr(),
            SAFE_SEARCH_PATH.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
    body()
}

/// Restores the user and the settings when it is dropped: at the end, or when an error unwinds. The
/// abort of the database transaction or subtransaction then restores the same once more.
struct SwitchedUser {
    user: pg_sys::Oid,
    security_context: i32,
    guc_nest_level: i32,
}

impl SwitchedUser {
    #[allow(unsafe_code)]
    fn to(user: pg_sys::Oid, security_flag: u32) -> SwitchedUser {
        let (mut old_user, mut security_context) = (pg_sys::InvalidOid, 0);
        // SAFETY: these read and set variables of the session; none raises an error.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut old_user, &mut security_context);
            pg_sys::SetUserIdAndSecContext(user, security_context | security_flag as i32);
            SwitchedUser {
                user: old_user,
                security_context,
                guc_nest_level: pg_sys::NewGUCNestLevel(),
            }
        }
    }
}

impl Drop for SwitchedUser {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: `to` opened the nest level, and every level that was opened within it is closed
        // with it, also after an error. Restoring earlier values raises no error.
        unsafe {
            pg_sys::AtEOXact_GUC(false, self.guc_nest_level);
            pg_sys::SetUserIdAndSecContext(self.user, self.security_context);
        }
    }
}

/// Whether the current user may create databases.
#[allow(unsafe_code)]
pub fn may_create_databases() -> bool {
    // SAFETY: catalog look-ups within a database transaction. A tuple of pg_authid has the form of
    // FormData_pg_authid, and is read before it is released.
    unsafe {
        if pg_sys::superuser() {
            return true;
        }
        let cache = pg_sys::SysCacheIdentifier::AUTHOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::GetUserId().into());
        if tuple.is_null() {
            return false;
        }
        let role = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_authid>();
        let may = (*role).rolcreatedb;
        pg_sys::ReleaseSysCache(tuple);
        may
    }
}

/// Whether the current user has the privileges of a role: a member of it, or a superuser.
#[allow(unsafe_code)]
pub fn has_privileges_of(role: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups within a database transaction.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), role) }
}

/// Whether the current user may read all values of these columns: may SELECT them, and no policy of
/// row security hides rows. PostgreSQL's own errors quote rows on the same terms.
#[allow(unsafe_code)]
pub fn may_read_columns(table: pg_sys::Oid, attributes: impl Iterator<Item = i16>) -> bool {
    let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
    let is_ok = |result| result == pg_sys::AclResult::ACLCHECK_OK;
    // SAFETY: catalog look-ups within a database transaction, of a table that is open.
    unsafe {
        let user = pg_sys::GetUserId();
        let row_security = pg_sys::check_enable_rls(table, pg_sys::InvalidOid, true);
        row_security != pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32
            && (is_ok(pg_sys::pg_class_aclcheck(table, user, select))
                || attributes.into_iter().all(|attribute| {
                    is_ok(pg_sys::pg_attribute_aclcheck(
                        table, attribute, user, select,
                    ))
                }))
    }
}
