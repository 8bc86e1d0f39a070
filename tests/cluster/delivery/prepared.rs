//! Transactions that are prepared and committed later, by whomever, which no callback of ours hears
//! of.

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Mode, wait_for};

#[test]
fn prepared_transactions_are_delivered_when_they_commit() {
    let cluster = cluster().conf("max_prepared_transactions = 5").start();
    let mut shop = Shop::open(&cluster, "prepared");
    for (id, end) in [(1, "commit"), (2, "rollback")] {
        shop.sql("begin");
        shop.insert([id]);
        shop.sql(&format!("prepare transaction 't{id}'"));
        shop.wait_until_idle();
        shop.sql(&format!("{end} prepared 't{id}'"));
    }
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}

#[test]
fn a_transaction_prepared_before_a_restart_is_delivered_when_it_commits() {
    let cluster = cluster().conf("max_prepared_transactions = 5").start();
    let mut shop = Shop::open(&cluster, "prepared_restart");
    shop.sql("begin");
    shop.insert([1]);
    shop.sql("prepare transaction 't'");
    cluster.restart(Mode::Fast);
    shop.reconnect();
    shop.wait_until_idle();
    shop.sql("commit prepared 't'");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}

#[test]
fn a_commit_while_the_worker_looks_is_not_missed() {
    let cluster = cluster().conf("max_prepared_transactions = 5").start();
    let mut shop = Shop::open(&cluster, "prepared_meanwhile");
    let mut holder = cluster.connect(shop.database);
    let mut looker = cluster.connect(shop.database);
    shop.sql("begin");
    shop.insert([1]);
    shop.sql("prepare transaction 't'");
    // The view of prepared transactions names their owners.
    holder
        .batch_execute("begin; lock table pg_authid")
        .expect("a lock");
    let waiting = "select count(*) from pg_locks where not granted";
    wait_for(PATIENCE, "the worker is looking", || {
        looker
            .query_one(waiting, &[])
            .expect(waiting)
            .get::<_, i64>(0)
            == 1
    });
    shop.sql("commit prepared 't'");
    holder.batch_execute("rollback").expect("no lock any more");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
    let log = cluster.log();
    assert!(!log.contains("the worker tries again"), "{log}");
}
