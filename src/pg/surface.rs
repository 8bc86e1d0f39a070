//! The functions of `sql/pgrx-ext.sql`, a file per group. Those of triggers are in `pg/trigger`, the
//! validators in `pg/server.rs`.
//!
//! pgrx exports each of them as `<name>_wrapper`, which checks no more than the number of arguments: the
//! types here must be those of the SQL. What calls PostgreSQL's C functions is in `pg/sys`.
#![forbid(unsafe_code)]
// cargo-pgrx wants the types of tables spelled out, PgResult too.
#![allow(clippy::type_complexity)]

mod callback;
mod click_id;
mod linktrust;
mod parameters;
mod replication;
mod report;
mod row;
mod url;
mod worker;
