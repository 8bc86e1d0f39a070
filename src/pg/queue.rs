//! The tables `s2s.queue` and `s2s.attempt`. Callbacks are inserted without SQL ([`insert`]); the
//! worker reads them by [`read`] and records attempts by [`record`].

use pgrx::pg_sys;

use crate::pg::sys::{catalog, user};

mod ids;
mod insert;
mod parked;
pub mod read;
pub mod record;
pub mod servers;
mod statement;
mod table;

pub use insert::{BulkInsert, NewCallback, enqueue, force_sync_commit};
pub use statement::{enqueue_in_statement, gather_by_statement, park};

/// Whether the current user is the owner of the tables: a member of its role, or a superuser.
pub fn is_owner() -> bool {
    user::has_privileges_of(catalog::relation_owner(c"queue"))
}

/// Whether callbacks of dropped servers can be marked: in a database that is not updated to 0.3.0 yet they
/// cannot, nor is there a view `s2s.holding`.
pub fn has_marks() -> bool {
    catalog::relation_oid(c"holding") != pg_sys::InvalidOid
}

/// Runs `body`, which reads or changes the tables, with the rights of their owner. The caller
/// checks what the current user may do, and sets the search path.
pub fn as_owner<T>(body: impl FnOnce() -> T) -> T {
    user::run_as(catalog::relation_owner(c"queue"), body)
}
