//! pgrx-ext
#![allow(missing_docs)]
pub mod problem;
pub mod url;
pub mod click_id;
pub mod callback;
pub mod mapping;
#[cfg(feature="pg")] pgrx::pg_module_magic!();
pub mod network;
pub mod delivery;
