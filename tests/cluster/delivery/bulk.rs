//! Statements of many rows: what they cost the session in memory, and how soon they end.

use postgres::error::SqlState;

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

#[test]
fn preview_of_many_rows_takes_bounded_memory_and_can_be_cancelled() {
    let cluster = cluster().conf("shared_buffers = '16MB'").start();
    let mut shop = Shop::open_with(&cluster, "preview_many", ", paused 'true'");
    shop.sql(
        "create table orders (id bigint, description text, click_id s2s.click_id);
         insert into orders
         select n, repeat('x', 500), '0::12345::abc::::1405418672' from generate_series(1, 300000) n;
         create sequence looked_at;
         create trigger report after insert on orders for each row
             when (nextval('looked_at') > 0)
             execute function s2s.report_lead(
                 'games_nl', 'transaction_id={id}', 'description={description}')",
    );
    let mut peak = |query: &str| {
        shop.reconnect();
        let pid = shop.number("select pg_backend_pid()");
        let rows = shop.number(query);
        (rows, peak_memory(pid))
    };
    let (_, plain) = peak("select count(*) from orders");
    let (rows, taken) = peak("select count(url) from s2s.preview('orders', 'report', null)");
    println!("preview of {rows} rows: {taken} kB, {plain} kB for reading them");
    assert_eq!(rows, 300_000);
    assert!(taken < plain + MOST_MORE, "{taken} kB, {plain} kB to read");

    shop.sql("select setval('looked_at', 1); set statement_timeout = '200ms'");
    let preview = "select count(*) from s2s.preview('orders', 'report', null)";
    let error = shop.client.query(preview, &[]).expect_err("a timeout");
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error:?}");
    let looked_at = shop.number("select last_value from looked_at");
    println!("{looked_at} rows within the timeout");
    assert!(looked_at < 300_000, "{looked_at} rows");
}
