//! Processes of our own: the launcher, a worker for each database, and what sessions share with them.

pub mod launcher;
mod shared_memory;
pub mod standing_aside;
pub mod wake;
pub mod worker;
