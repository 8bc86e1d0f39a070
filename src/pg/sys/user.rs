//! Code that belongs to the owner of a table, run with that owner's rights.
//!
//! Who owns a table says what its trigger's WHEN calls and how its types become JSON. Who only looks
//! at it, a superuser maybe, lends that code nothing: it runs as VACUUM and REINDEX run the
//! functions of an index, as the table's owner in a security-restricted operation. There it can
//! neither take another role nor leave in the session what would run later. Nor can who looks lend
//! it a search path with objects of his own, as PostgreSQL sees to from 17 on.

use std::ffi::CStr;

use pgrx::pg_sys;

/// What is in it comes with the server, or stands last.
const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// Runs `body` as `owner` in a security-restricted operation. Settings that it changes are as they
/// were afterwards.
pub fn run_as<T>(owner: pg_sys::Oid, body: impl FnOnce() -> T) -> T {
    let _restored = Restricted::enter(owner);
    body()
}

/// What there was before, and is again when this is dropped: at the end, or when an error unwinds.
/// The abort of the transaction or subtransaction restores the same once more.
struct Restricted {
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
}

impl Restricted {
    #[allow(unsafe_code)]
    fn enter(owner: pg_sys::Oid) -> Restricted {
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: reads and sets variables of the session, within a transaction. An error leaves
        // the user and the level of settings to the transaction's end, which restores both.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let before = Restricted {
                user,
                context,
                settings: pg_sys::NewGUCNestLevel(),
            };
            let restricted = context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32;
            pg_sys::SetUserIdAndSecContext(owner, restricted);
            pg_sys::set_config_option(
                c"search_path".as_ptr(),
                SEARCH_PATH.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            before
        }
    }
}

impl Drop for Restricted {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the level was begun by `enter`. What was begun within it is ended with it, so
        // this holds after an error, too; going back to earlier values fails nowhere.
        unsafe {
            pg_sys::AtEOXact_GUC(false, self.settings);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
