//! Promises about a real server: the worker, transactions, crashes, stops.
//!
//! Each test has a database and a receiver of its own. Those that stop the server have a cluster
//! of their own as well; the others share one.

#[path = "../support/mod.rs"]
mod support;

mod administration;
mod delivery;
mod documentation;
mod faults;
mod guest;
mod rights;
mod shop;
