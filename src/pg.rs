//! The PostgreSQL half: everything that names pgrx.
// pgrx's ErrorReport is large; it is made once for a statement that fails.
#![allow(clippy::result_large_err)]

use pgrx::pg_sys;
use pgrx::prelude::*;

mod aside;
mod click_id;
mod cursor;
mod database;
mod ddl;
mod edits;
mod error;
mod functions;
mod launcher;
mod linktrust_files;
mod memory;
mod numeric;
mod pause;
mod preview;
mod queue;
mod replica;
mod restricted;
mod rows;
mod server;
mod settings;
mod status;
mod text;
mod trigger;
mod wake;
mod watch;
mod worker;

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
    queue::watch_statements();
    // SAFETY: plain globals of PostgreSQL's, read in its main thread.
    let (is_preload, is_upgrade) = unsafe {
        (
            pg_sys::process_shared_preload_libraries_in_progress,
            pg_sys::IsBinaryUpgrade,
        )
    };
    if is_preload && !is_upgrade {
        wake::request_memory();
        launcher::register();
        aside::watch_commands();
    }
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the prefix is ours; the name is NUL-terminated.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(c"s2s".as_ptr());
    }
}
