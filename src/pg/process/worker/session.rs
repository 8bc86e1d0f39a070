//! The worker as a session of PostgreSQL: its settings.

#![forbid(unsafe_code)]

use crate::pg::sys::process;

/// Names the worker to `pg_stat_activity`, bounds its waiting for locks, fixes its plans, and undoes
/// what is set for the database's users.
pub fn set_up() {
    for (setting, value) in [
        (c"application_name", c"pgrx-ext worker"),
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"lock_timeout", c"2s"),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        #[cfg(any(feature = "pg17", feature = "pg18"))]
        (c"transaction_timeout", c"0"),
        // Plans are made once, or planning would cost more than reading. The queue may be empty
        // then, and anything looks cheap: what is right when it is full is always an index.
        (c"plan_cache_mode", c"force_generic_plan"),
        (c"enable_seqscan", c"off"),
        (c"enable_bitmapscan", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        (c"enable_sort", c"off"),
        (c"jit", c"off"),
        // What is set for the database is meant for its users.
        (c"role", c"none"),
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_isolation", c"read committed"),
        (c"session_replication_role", c"origin"),
    ] {
        process::set(setting, value);
    }
}
