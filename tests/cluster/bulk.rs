//! Statements of many rows: what they cost the session in memory.

use crate::shop::{Shop, cluster};
use crate::support::peak_memory;

/// So much more memory a trigger may take than the same statement without one, in kB.
const MOST_MORE: i64 = 100 << 10;

#[test]
fn millions_of_rows_in_one_statement_take_bounded_memory() {
    // Shared buffers count as the memory of every process that touched them.
    let cluster = cluster()
        .conf("shared_buffers = '16MB'")
        .conf("max_wal_size = '512MB'")
        .conf("wal_level = minimal")
        .conf("max_wal_senders = 0")
        .start();
    let mut shop = Shop::open_with(&cluster, "five_million", ", paused 'true'");
    shop.sql(
        "create table plain (id bigint, click_id s2s.click_id);
         create table by_row (like plain);
         create trigger report after insert on by_row for each row
             execute function s2s.report_lead('games_nl', 'transaction_id={id}');
         create table by_statement (like plain);
         create trigger report after insert on by_statement referencing new table as new_rows
             for each statement execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
    );
    let mut memory = |table: &str, rows: i64| {
        shop.reconnect();
        let pid = shop.number("select pg_backend_pid()");
        shop.sql(&format!(
            "insert into {table}
             select n, '0::12345::abc::::1405418672' from generate_series(1, {rows}) n"
        ));
        let memory = peak_memory(pid);
        let queued = shop.number("select count(*) from s2s.queue");
        shop.sql(&format!("truncate s2s.queue, {table}"));
        (memory, queued)
    };
    let (plain, _) = memory("plain", 5_000_000);
    // PostgreSQL itself remembers each row for which a row trigger will fire.
    for (table, rows) in [("by_row", 1_000_000), ("by_statement", 5_000_000)] {
        let (taken, queued) = memory(table, rows);
        println!("{rows} rows {table}: {taken} kB, {plain} kB without trigger");
        assert_eq!(queued, rows, "{table}");
        assert!(
            taken < plain + MOST_MORE,
            "{table}: {taken} kB, {plain} kB without trigger"
        );
    }
}
