//! Servers that are renamed and dropped while other sessions, and the worker, are about something.

use std::sync::{Mutex, mpsc};
use std::thread;

use postgres::IsolationLevel;

use super::{Tenants, insert, postback, sql, text, trigger};
use crate::shop::{PATIENCE, Shop};
use crate::support::{Answer, wait_for};

#[test]
fn a_rename_reaches_what_its_own_snapshot_does_not_show() {
    let mut tenants = Tenants::open("identity_snapshot");
    let create = postback("s", &tenants.of_tb, ", paused 'true'");
    sql(&mut tenants.tb, &create);
    sql(&mut tenants.tb, &trigger("tb.orders", "s"));
    for (level, from, to) in [
        (IsolationLevel::RepeatableRead, "s", "s1"),
        (IsolationLevel::Serializable, "s1", "s2"),
    ] {
        let mut session = tenants.shop.cluster.connect(tenants.shop.database);
        let mut transaction = session
            .build_transaction()
            .isolation_level(level)
            .start()
            .expect("a transaction");
        let count = "select count(*) from s2s.queue";
        transaction.query_one(count, &[]).expect("a snapshot");
        let number = if from == "s" { 1 } else { 2 };
        sql(&mut tenants.tb, &insert("tb.orders", number));
        transaction
            .batch_execute(&format!("alter server {from} rename to {to}"))
            .expect("a rename");
        transaction.commit().expect("a commit");
    }
    assert_eq!(tenants.queued(), ["1 s2", "2 s2"]);
    sql(&mut tenants.tb, "alter server s2 options (drop paused)");
    let all = ["1", "2"].map(str::to_owned).to_vec();
    assert_eq!(tenants.wait_until_idle(), [vec![], all]);
}

/// Waits until the session of a process waits for a lock.
fn wait_until_waiting(shop: &mut Shop, pid: i32) {
    let waits = format!("select count(*) from pg_locks where pid = {pid} and not granted");
    wait_for(PATIENCE, "the command waits", || shop.number(&waits) == 1);
}

#[test]
fn rename_and_drop_wait_for_what_is_being_queued_and_take_it_along() {
    let mut tenants = Tenants::open("identity_waits");
    let create = postback("s", &tenants.of_tb, ", paused 'true'");
    sql(&mut tenants.tb, &create);
    sql(&mut tenants.tb, &trigger("tb.orders", "s"));
    for (number, command) in [
        (1, "alter server s rename to s_new"),
        (2, "drop server s_new"),
    ] {
        sql(&mut tenants.tb, "begin");
        sql(&mut tenants.tb, &insert("tb.orders", number));
        let mut session = tenants.shop.cluster.connect(tenants.shop.database);
        let pid: i32 = session
            .query_one("select pg_backend_pid()", &[])
            .expect("a pid")
            .get(0);
        let waiting = thread::spawn(move || sql(&mut session, command));
        wait_until_waiting(&mut tenants.shop, pid);
        sql(&mut tenants.tb, "commit");
        waiting.join().expect("the command");
    }
    assert_eq!(
        tenants.queued(),
        [
            "1 s_new parked marked server \"s_new\" was dropped",
            "2 s_new parked marked server \"s_new\" was dropped",
        ]
    );
    // What was rolled back holds nothing: neither the drop waits, nor does the next row go wrong.
    let create = postback("s_new", &tenants.of_tb, "");
    sql(&mut tenants.tb, &create);
    sql(&mut tenants.tb, &trigger("tb.orders", "s_new"));
    sql(&mut tenants.tb, "begin; savepoint a");
    sql(&mut tenants.tb, &insert("tb.orders", 3));
    sql(&mut tenants.tb, "rollback to a");
    tenants
        .shop
        .sql("set lock_timeout = '10s'; alter server s_new rename to s_late");
    sql(&mut tenants.tb, &insert("tb.orders", 4));
    sql(&mut tenants.tb, "commit");
    assert_eq!(tenants.wait_until_idle(), [vec![], vec!["4".to_owned()]]);
}

#[test]
fn a_partition_that_is_made_meanwhile_has_the_new_name_too() {
    let mut tenants = Tenants::open("identity_partition");
    let create = postback("s0", &tenants.of_tb, "");
    sql(&mut tenants.tb, &create);
    sql(
        &mut tenants.tb,
        &format!(
            "create table tb.parts (id bigint, click_id s2s.click_id) partition by list (id);
             create table tb.p2 (id bigint, click_id s2s.click_id);
             {}",
            trigger("tb.parts", "s0")
        ),
    );
    let ways = [
        "create table tb.p1 partition of tb.parts for values in (1)",
        "alter table tb.parts attach partition tb.p2 for values in (2)",
        "create table tb.p3 partition of tb.parts for values in (3) partition by list (id)",
        "create table tb.p4 partition of tb.p3 for values in (3)",
    ];
    for (number, way) in ways.into_iter().enumerate() {
        sql(&mut tenants.tb, "begin");
        sql(&mut tenants.tb, way);
        let mut session = tenants.shop.cluster.connect(tenants.shop.database);
        let pid: i32 = session
            .query_one("select pg_backend_pid()", &[])
            .expect("a pid")
            .get(0);
        let rename = format!("alter server s{number} rename to s{}", number + 1);
        let waiting = thread::spawn(move || sql(&mut session, &rename));
        wait_until_waiting(&mut tenants.shop, pid);
        sql(&mut tenants.tb, "commit");
        waiting.join().expect("the rename");
        let stale = format!(
            "select count(*) from pg_trigger
             where tgname = 'report' and not pg_get_triggerdef(oid) like '%(''s{}'', %'",
            number + 1
        );
        assert_eq!(tenants.shop.number(&stale), 0, "{way}");
    }
    sql(
        &mut tenants.tb,
        "insert into tb.parts values (1, 'c'), (2, 'c'), (3, 'c')",
    );
    let all = ["1", "2", "3"].map(str::to_owned).to_vec();
    assert_eq!(tenants.wait_until_idle(), [vec![], all]);
}

#[test]
fn a_statement_that_began_before_a_rename_reports_to_the_same_server() {
    let mut tenants = Tenants::open("identity_statement");
    let create = postback("s", &tenants.of_tb, "");
    sql(&mut tenants.tb, &create);
    sql(&mut tenants.tb, &trigger("tb.orders", "s"));
    tenants.shop.sql("select pg_advisory_lock(7)");
    let pid: i32 = tenants
        .tb
        .query_one("select pg_backend_pid()", &[])
        .expect("a pid")
        .get(0);
    let mut tb = tenants.tb;
    let insert = "insert into tb.orders
                  select id, 'c' from generate_series(1, 3) id, pg_advisory_lock(7)";
    let waiting = thread::spawn(move || sql(&mut tb, insert));
    let waits = format!("select count(*) from pg_locks where pid = {pid} and not granted");
    wait_for(PATIENCE, "the statement waits", || {
        tenants.shop.number(&waits) == 1
    });
    tenants.shop.sql("alter server s rename to s_new");
    sql(&mut tenants.ta, &postback("s", &tenants.of_ta, ""));
    sql(&mut tenants.ta, "grant usage on foreign server s to public");
    tenants.shop.sql("select pg_advisory_unlock(7)");
    waiting.join().expect("the insert");
    tenants.shop.wait_until_idle();
    assert_eq!(tenants.of_ta.count(), 0);
    assert_eq!(tenants.of_tb.count(), 3);
}

#[test]
fn what_is_in_flight_while_its_server_is_renamed_or_dropped_is_sent_once() {
    let mut tenants = Tenants::open("identity_flight");
    for (number, command, status, verdict) in [
        (1, "alter server s rename to s_new", 200, "delivered"),
        (2, "drop server s_new", 200, "delivered"),
        (3, "drop server s", 503, "parked"),
    ] {
        if number != 2 {
            sql(&mut tenants.tb, &postback("s", &tenants.of_tb, ""));
            sql(&mut tenants.tb, &trigger("tb.orders", "s"));
        }
        let (answer, waits) = mpsc::channel::<()>();
        let waits = Mutex::new(waits);
        tenants.of_tb.answer_with(move |_| {
            let _ = waits.lock().expect("a channel").recv();
            Answer::status(status)
        });
        sql(&mut tenants.tb, &insert("tb.orders", number));
        let count = number as usize;
        tenants.of_tb.wait_for(count, PATIENCE);
        sql(&mut tenants.tb, command);
        drop(answer);
        let number = number.to_string();
        let attempts =
            format!("select count(*) from s2s.attempt where transaction_id = '{number}'");
        wait_for(PATIENCE, "it is on record", || {
            tenants.shop.number(&attempts) == 1
        });
        tenants.shop.wait_until_idle();
        assert_eq!(tenants.shop.status_of(&number), verdict, "{command}");
        assert_eq!(tenants.of_tb.count(), count, "{command}");
    }
    assert_eq!(
        tenants.queued(),
        ["3 s parked marked server \"s\" was dropped"]
    );
}

#[test]
fn a_snapshot_that_is_older_than_a_server_shows_it_nothing_of_another() {
    let mut tenants = Tenants::open("identity_old_snapshot");
    let url = tenants.of_tb.url("/");
    let lt = format!(
        "create server lt foreign data wrapper linktrust options (url '{url}', allow_http 'true', paused 'true');
         create user mapping for public server lt options (password 'x');"
    );
    sql(&mut tenants.tb, &lt);
    sql(
        &mut tenants.tb,
        "create trigger report after insert on tb.orders for each row
             execute function s2s.edit_transaction('lt', 'transaction_id={id}', 'approved=no')",
    );
    sql(&mut tenants.tb, &insert("tb.orders", 1));
    let id = tenants.id("1");
    for (name, command) in [
        ("lt", "alter server lt rename to lt_new"),
        ("lt_new", "drop server lt_new cascade"),
    ] {
        sql(
            &mut tenants.ta,
            "begin isolation level repeatable read; select s2s.retry(0)",
        );
        sql(&mut tenants.tb, command);
        let mut ta = tenants
            .shop
            .cluster
            .connect_as("identity_old_snapshot_ta", tenants.shop.database);
        sql(
            &mut ta,
            &lt.replace("server lt ", &format!("server {name} ")),
        );
        let url = format!("s2s.callback_url({id})");
        assert_eq!(text(&mut tenants.ta, &url), None, "{command}");
        let retry = format!("s2s.retry({id})");
        assert_eq!(text(&mut tenants.ta, &retry).as_deref(), Some("false"));
        let file = format!("s2s.linktrust_file('{name}')");
        let file = text(&mut tenants.ta, &file).expect("a file");
        assert_eq!(file.lines().count(), 1, "{command}: {file}");
        sql(&mut tenants.ta, "commit");
        sql(&mut ta, &format!("drop server {name} cascade"));
    }
    assert_eq!(tenants.of_tb.count(), 0);
}
