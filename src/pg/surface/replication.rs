//! What another database owes is not owed here: logical replication brings no callbacks.
//!
//! A publication of all tables has our tables in it. Without the trigger a subscriber would send
//! again what the publisher sends, or stop at an id that it has as well. Our own insertions run no
//! triggers, and whoever restores a dump gets what is in it.

use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(sql = "
create function s2s.skip_replicated() returns trigger
    language c as 'MODULE_PATHNAME', 'skip_replicated_wrapper';
")]
fn skip_replicated() {
    // No row: there is nothing to insert.
}

/// Whether this session applies what was done in another database.
#[pg_extern(schema = "s2s", stable, strict, parallel_unsafe)]
#[allow(unsafe_code)]
fn is_replicated() -> bool {
    // SAFETY: reads what PostgreSQL keeps of this process. A replication origin is set by other
    // appliers than PostgreSQL's own, too.
    unsafe { pg_sys::IsLogicalWorker() || pg_sys::replorigin_session_origin != 0 }
}
