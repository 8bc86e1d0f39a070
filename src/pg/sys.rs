//! What wraps PostgreSQL's C interface.

pub mod cursor;
pub mod database;
pub mod invalidation;
pub mod latch;
pub mod memory;
pub mod numeric;
pub mod process;
pub mod result_set;
pub mod signal;
pub mod spi;
pub mod text;
pub mod transaction;
pub mod user;
