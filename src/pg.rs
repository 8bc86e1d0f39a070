//! The PostgreSQL half: everything that names pgrx.
// pgrx's ErrorReport is large; it is made once for a statement that fails.
#![allow(clippy::result_large_err)]

use pgrx::pg_sys;
use pgrx::prelude::*;

mod error;
mod process;
mod queue;
mod server;
mod settings;
mod surface;
mod sys;
mod trigger;

pgrx::pg_module_magic!(name, version);

// For cargo-pgrx, which not everybody has: `make install` copies the file.
pgrx::extension_sql_file!("../sql/pgrx-ext.sql", name = "surface", bootstrap);

/// Runs when the library is loaded: in the postmaster with preload, else in a session.
#[allow(non_snake_case, unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    sys::process::report_no_backtraces();
    settings::define();
    queue::gather_by_statement();
    // SAFETY: plain globals of PostgreSQL's, read in its main thread.
    let (is_preload, is_upgrade) = unsafe {
        (
            pg_sys::process_shared_preload_libraries_in_progress,
            pg_sys::IsBinaryUpgrade,
        )
    };
    if is_preload && !is_upgrade {
        process::wake::request_memory();
        process::launcher::register();
        process::standing_aside::watch_commands();
    }
    // SAFETY: the prefix is ours; the name is NUL-terminated.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(c"s2s".as_ptr());
    }
}
