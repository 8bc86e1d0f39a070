//! Upgrades, copies of a database, and what is kept for how long.

mod replication;
mod retention;
pub mod upgrade;
