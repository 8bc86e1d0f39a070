//! Upgrades, copies of a database, what is kept for how long, and what administrators do meanwhile.

mod ids;
mod lifecycle;
#[cfg(feature = "pg18")]
mod own_folder;
mod replication;
mod retention;
mod runtime_sql;
mod settings;
pub mod upgrade;
