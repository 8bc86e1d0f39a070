//! What wraps PostgreSQL's C interface.

pub mod catalog;
pub mod click_id;
pub mod cursor;
pub mod database;
pub mod foreign_server;
pub mod hook;
pub mod id;
pub mod invalidation;
pub mod jsonb;
pub mod latch;
pub mod log;
pub mod memory;
pub mod numeric;
pub mod process;
pub mod result_set;
pub mod session;
pub mod setting;
pub mod signal;
pub mod spi;
pub mod text;
pub mod transaction;
pub mod user;
