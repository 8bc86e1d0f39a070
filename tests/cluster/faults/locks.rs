//! Sessions that lock callbacks in transactions that stay open harm nobody but these.

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Answer, Mode, wait_for};

/// What the log says when a callback is locked that is to be recorded.
const NOTICED: &str = "another session has locked callbacks";

/// What the log says of a transaction of the worker's that failed.
const STUMBLED: &str = "the worker tries again";

#[test]
fn a_callback_that_somebody_has_locked_delays_nobody_and_is_recorded_in_the_end() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "locked_row");
    let mut holder = cluster.connect(shop.database);
    let ways = [
        ("select s2s.cancel(id) from s2s.queue", "commit"),
        ("select s2s.cancel(id) from s2s.queue", "rollback"),
        ("delete from s2s.queue", "commit"),
        ("delete from s2s.queue", "rollback"),
        ("select from s2s.queue for update", "commit"),
        (
            "update s2s.queue set due_at = now() - interval '1 hour'",
            "commit",
        ),
        (
            "update s2s.queue set due_at = now() - interval '1 hour'",
            "rollback",
        ),
    ];
    for (noticed, (lock, end)) in (1..).zip(ways) {
        let id = noticed * 1000;
        let mut run = |sql: &str| holder.batch_execute(sql).expect(sql);
        shop.receiver
            .answer_with(|_| Answer::ok().after(Duration::from_millis(300)));
        let before = shop.receiver.count();
        shop.insert([id]);
        shop.receiver.wait_for(before + 1, PATIENCE);
        run("begin");
        run(lock);
        wait_for(PATIENCE, "the worker noticed", || {
            cluster.log().matches(NOTICED).count() as i64 == noticed
        });
        shop.receiver.answer_with(|_| Answer::ok());
        shop.insert(id + 1..id + 200);
        wait_for(PATIENCE, "the others are on record", || {
            shop.number("select count(*) from s2s.attempt where verdict = 'delivered'")
                == shop.receiver.count() as i64 - 1
                && shop.receiver.count() == before + 200
        });
        assert_eq!(shop.number("select in_flight from s2s.worker_status()"), 1);
        run(end);
        shop.wait_until_delivered();
        shop.wait_until_idle();
        let recorded = "select count(*) from s2s.attempt where verdict = 'delivered'";
        let recorded = shop.number(&format!("{recorded} and transaction_id = '{id}'"));
        assert_eq!(recorded, 1, "{lock}; {end}");
        assert_eq!(shop.receiver.count(), before + 200, "{lock}; {end}");
    }
    let log = cluster.log();
    assert!(!log.contains(STUMBLED), "{log}");
}

#[test]
fn what_follows_a_locked_callback_of_its_transaction_waits() {
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "locked_first", ", retry_schedule '100ms'");
    let mut holder = cluster.connect(shop.database);
    shop.receiver
        .answer_with(|_| Answer::status(503).after(Duration::from_millis(300)));
    shop.sql("select s2s.report_lead('games_nl', '1', 'c', 'first')");
    shop.receiver.wait_for(1, PATIENCE);
    holder
        .batch_execute("begin; select from s2s.queue for update")
        .expect("a lock");
    wait_for(PATIENCE, "the worker noticed", || {
        cluster.log().contains(NOTICED)
    });
    shop.receiver.answer_with(|_| Answer::ok());
    shop.sql("select s2s.report_lead('games_nl', '1', 'c', 'second')");
    shop.insert([2]);
    wait_for(PATIENCE, "the other transaction", || {
        shop.status(2) == "delivered"
    });
    holder.batch_execute("rollback").expect("no lock any more");
    shop.wait_until_delivered();
    let said = ["first", "new player", "first", "second"];
    assert_eq!(shop.receiver.values("descrMerchant"), said);
}

#[test]
fn a_stop_records_what_sessions_that_stop_as_well_had_locked() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "locked_stop");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(300)));
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    let mut holder = cluster.connect(shop.database);
    holder
        .batch_execute("begin; select from s2s.queue for update")
        .expect("a lock");
    wait_for(PATIENCE, "the worker noticed", || {
        cluster.log().contains(NOTICED)
    });
    cluster.restart(Mode::Fast);
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}
