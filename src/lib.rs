//! pgrx-ext tells affiliate networks about conversions.
//!
//! An application inserts and updates rows. A trigger turns a row into a *callback*, in the same
//! transaction; a background worker sends it, again and again until the network has it, and keeps
//! a record of what happened. SQL functions build the same URLs for whoever wants to look.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | click id | the network's identifier of one click, in a column of type `s2s.click_id` |
//! | network | a protocol we speak: `tradetracker`, `linktrust`, or by template `postback` |
//! | server | one account at a network: a PostgreSQL foreign server |
//! | action | `lead`, `sale` or `edit` |
//! | conversion | the typed content of a lead or sale; an *edit* is that of a transaction's edit |
//! | callback | one HTTP request that we owe a network: a row of `s2s.queue` |
//! | attempt | one try to deliver a callback: a row of `s2s.attempt` |
//! | verdict | what an answer means: delivered, retry after a delay, or failed for good |
//! | parked | a callback that is not tried any more until a person says so |
//!
//! # Map
//!
//! | module | what is there |
//! |---|---|
//! | [`click_id`] | the grammar of click ids |
//! | [`callback`] | leads, sales and edits, typed and validated |
//! | [`url`] | percent-encoding, queries, checked base URLs |
//! | [`mapping`] | trigger arguments: `parameter=text {column}` |
//! | [`network`] | what a network is; [`network::tradetracker`], [`network::linktrust`] with its answers and files, [`network::postback`] with its templates; [`network::options`] of servers; [`network::secret`] |
//! | [`delivery`] | callbacks and replies as plain data; [`delivery::scheduler`] with [`delivery::lane`], [`delivery::breaker`] and [`delivery::rate`]; [`delivery::reading`], [`delivery::recording`], [`delivery::alarms`], [`delivery::retry`]: all pure |
//! | [`http`] | one request, names, addresses, threads: the only room that knows ureq, rustls and sockets |
//! | [`problem`] | what is wrong with something a user wrote |
//! | `pg` | PostgreSQL: type, functions and how they read arguments, files, triggers and their preview, whose rights it uses, queue, databases, launcher, worker, and how it stands aside; what tells whether a look-up still holds |
//!
//! Imports go down only: `pg → network → delivery, mapping → callback → click_id → url → problem`.
//!
//! # Invariants
//!
//! 1. Nothing outside `pg` names pgrx. Guard: `cargo test --no-default-features`.
//! 2. PostgreSQL is called from one thread; what crosses a channel is owned and `Send`. Guard: the
//!    types of [`http::pool`], and pgrx's check of the thread.
//! 3. No transaction is open while a request is on the wire. Guard: the worker's transactions are
//!    closures, and none of them sends.
//! 4. SQL that runs at run time is a file in `sql/runtime`, or stands in `pg/queue.rs`.
//! 5. `unsafe_code = "deny"`; each exception is allowed where it is, with a `SAFETY` that argues.
//! 6. Time and chance are arguments of pure code.
//! 7. A callback leaves the queue only in the transaction that records its last attempt.
//! 8. No secret in the queue, the log, an error, or a `Debug`. Guard: `tests/cluster/secrets.rs`.

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
