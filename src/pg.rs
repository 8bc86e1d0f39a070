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

pgrx::extension_sql_file!("../sql/click_id.sql", name = "click_id", bootstrap);
pgrx::extension_sql_file!(
    "../sql/tables.sql",
    name = "tables",
    requires = ["click_id"]
);
pgrx::extension_sql_file!(
    "../sql/networks.sql",
    name = "networks",
    requires = [
        "tables",
        server::tradetracker_validator,
        server::linktrust_validator,
        server::postback_validator
    ]
);
pgrx::extension_sql_file!("../sql/surface.sql", name = "surface", finalize);

/// Tells cargo-pgrx that the schema exists; `sql/click_id.sql` has made it by then.
#[pg_schema]
mod s2s {}

/// Runs when the library is loaded: in the postmaster with preload, else in a session.
#[allow(non_snake_case, unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
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
