//! pgrx-ext
#![allow(missing_docs)]
pub mod problem;
pub mod url;
pub mod click_id;
#[cfg(feature="pg")] pgrx::pg_module_magic!();
