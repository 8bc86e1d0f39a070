//! What another database owes is not owed here: logical replication brings no callbacks.
//!
//! A publication of all tables has our tables in it. Without the trigger a subscriber would send
//! again what the publisher sends, or stop at an id that it has as well. Our own insertions run no
//! triggers.

use pgrx::prelude::*;

#[pg_extern(sql = "
create function s2s.skip_replicated() returns trigger
    language c as 'MODULE_PATHNAME', 'skip_replicated_wrapper';
")]
fn skip_replicated() {
    // No row: there is nothing to insert.
}
