//! Keeps callbacks and attempts of another database out of this one in logical replication.
//!
//! A publication of all tables has our tables in it. Without the triggers a subscriber would send again
//! what the publisher sends, or fail on an id that exists already. Our own insertions run no triggers,
//! and a restored dump keeps its rows.

use pgrx::prelude::*;

use crate::pg::sys::session;

#[pg_extern(sql = false)]
fn skip_replicated() {
    // NULL instead of a row: nothing is inserted.
}

/// Whether this session applies what was done in another database.
#[pg_extern(sql = false)]
fn is_replicated() -> bool {
    session::applies_replicated_changes()
}
