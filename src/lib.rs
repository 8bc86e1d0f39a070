//! pgrx-ext tells affiliate networks about conversions.
//!
//! An application inserts and updates rows. A trigger turns a row into a *callback*, in the same
//! database transaction; a background worker sends it, again and again until the network has it,
//! and records every attempt. SQL functions build the same URLs.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | click id | the network's identifier of one click, in a column of type `s2s.click_id` |
//! | network | a protocol we speak: `tradetracker`, `linktrust`, or by template `postback` |
//! | server | one account at a network: a PostgreSQL foreign server |
//! | action | `lead`, `sale` or `edit` |
//! | transaction id | what identifies a conversion at the network; PostgreSQL's is a *database transaction* |
//! | conversion | the typed content of a lead or sale; an *edit* is that of a transaction edit |
//! | callback | one thing that we owe a network to say: a row of `s2s.queue` |
//! | attempt | one try to deliver a callback: a row of `s2s.attempt` |
//! | verdict | what an answer means: delivered, retry after a delay, or failed for good |
//! | parked | a callback that is not tried any more until a person says so |
//!
//! # Map
//!
//! Below `src`; `pg` needs PostgreSQL, all else is tested in seconds without.
//!
//! | room | what is there |
//! |---|---|
//! | [`problem`] | what is wrong with something a user wrote: class, message, detail, hint |
//! | [`url`] | percent-encoding, queries, checked base URLs |
//! | [`click_id`] | the grammar of click ids |
//! | [`callback`] | leads, sales and edits, typed and validated |
//! | [`mapping`] | trigger arguments: `parameter=text {column}` |
//! | [`delivery`] | callbacks, attempts, replies, verdicts; what to send next ([`delivery::scheduler`]), read next ([`delivery::reading`]), record ([`delivery::recording`]), try again ([`delivery::retry`]), when to wake up ([`delivery::alarms`]), and which process is a database's worker ([`delivery::slot`]) |
//! | [`network`] | what a network is, and the list of networks; a file for each; the options of servers |
//! | [`http`] | one request, name resolution, checked addresses, the pool of threads |
//! | `pg::sys` | what wraps PostgreSQL's C interface |
//! | `pg::queue` | the rows of `s2s.queue` and `s2s.attempt`: insert, read, record |
//! | `pg::trigger` | triggers: fire, definition, plan, row, preview, and the checks of DDL |
//! | `pg::process` | launcher, shared memory, wake-up at commit, worker, standing aside |
//! | `pg::surface` | the SQL functions, a file per group of `sql/pgrx-ext.sql` |
//!
//! Besides them `pg/server.rs` finds foreign servers and validates their options, `pg/settings.rs`
//! has the settings, and `pg/error.rs` makes PostgreSQL's error reports.
//!
//! # Invariants
//!
//! `tests/layers.rs` reads the sources for those that the compiler does not check.
//!
//! 1. Nothing outside `pg` names pgrx. Guard: the build without features, and `tests/layers.rs`.
//! 2. ureq, rustls and sockets are named in `http` only. Guard: `tests/layers.rs`.
//! 3. Imports go one way: `pg → network → delivery, mapping → callback → click_id → url → problem`;
//!    `http` imports from `delivery` alone, and only `pg` imports it; within `pg`, `surface →
//!    trigger, process → queue → sys`, but that `process::wake` is told by all what to do at commit.
//!    Guard: `tests/layers.rs`.
//! 4. SQL that runs at run time is a file in `sql/runtime`. Nothing is formatted into SQL but quoted
//!    names where PostgreSQL takes no parameter. Guards: `tests/layers.rs`, and
//!    `tests/cluster/administration/runtime_sql.rs`, which prepares each file as it stands.
//! 5. `unsafe` is denied, and forbidden in `http`, `pg::surface` and wherever else it can be; each
//!    exception is allowed where it stands, with a `SAFETY` that argues. No safe function
//!    dereferences a pointer that it is given. Guards: the lints, and `tests/layers.rs`.
//! 6. Time and chance are arguments of pure code. Guard: `tests/layers.rs`.
//! 7. A callback leaves the queue only in the database transaction that records its last attempt.
//!    Guards: the ledger in `tests/cluster/faults`, and `tests/layers.rs`: two statements delete.
//! 8. No secret in the queue, the log, an error, a view or a `Debug`. Guard:
//!    `tests/cluster/rights/secrets.rs`.
//! 9. No database transaction is open while a request is on the wire. Guard:
//!    `tests/cluster/guest/worker.rs`.
//! 10. One thread calls PostgreSQL; what crosses a channel is owned and `Send`. Guards: the types of
//!     [`http::pool`], and pgrx's check of the thread.
//! 11. The SQL surface is `sql/pgrx-ext.sql`, and an updated database has the same. Guard:
//!     `tests/cluster/administration/upgrade.rs`.
//! 12. A name in a trigger or in the queue is the same foreign server's as long as it stands there,
//!     unless it is marked as a dropped one's. Whatever queues holds the server, and a server gets or
//!     loses a name only while nothing holds it. Guard: `tests/cluster/rights/identity.rs`.

pub mod callback;
pub mod click_id;
pub mod delivery;
pub mod http;
pub mod mapping;
pub mod network;
pub mod problem;
pub mod url;

#[cfg(feature = "pg")]
mod pg;
