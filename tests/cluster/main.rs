//! Promises about a real server: the worker, transactions, crashes, stops.
//!
//! Each test has a database and a receiver of its own. Those that stop the server have a cluster
//! of their own as well; the others share one.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod aside;
mod bulk;
mod click_ids;
mod crashes;
mod delivery;
mod engine;
mod foreign_tables;
mod guest;
mod hostile;
mod impostors;
mod insertion;
mod ledger;
mod linktrust;
mod locks;
mod networks;
mod plans;
mod prepared;
mod promises;
mod readme;
mod replication;
mod retention;
mod runtime_sql;
mod secrets;
mod shop;
mod stops;
mod trust;
mod upgrade;
