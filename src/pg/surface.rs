//! The SQL functions.

pub mod click_id;
mod edit;
mod linktrust_file;
mod operation;
mod replication;
mod report;
