//! What administrators do to the database while its worker delivers.

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, wait_for, wait_for_some};

#[test]
fn a_transaction_that_was_open_for_long_is_delivered_when_it_commits() {
    let mut shop = Shop::open(shared_cluster(), "long");
    shop.sql("begin");
    shop.insert([1]);
    let mut other = shop.cluster.connect(shop.database);
    other
        .batch_execute("insert into players values (2, 'J. Doe', '12::54321::def::::1405419867')")
        .expect("an insert");
    wait_for(PATIENCE, "the later one", || shop.received() == [2]);
    shop.sql("commit");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn old_attempts_are_deleted() {
    let cluster = cluster().conf("s2s.attempt_retention = '1min'").start();
    let mut shop = Shop::open(&cluster, "retention");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.sql("update s2s.attempt set started_at = now() - interval '2 min'");
    shop.insert([2]);
    shop.wait_until_delivered();
    let pid = shop.worker_pid();
    shop.sql(&format!(
        "select pg_terminate_backend({})",
        pid.expect("a worker")
    ));
    wait_for(PATIENCE, "the old attempt is gone", || {
        shop.number("select count(*) from s2s.attempt") == 1
    });
}

#[test]
fn a_publication_of_all_tables_does_not_stop_delivery() {
    let cluster = cluster().conf("wal_level = logical").start();
    let mut shop = Shop::open(&cluster, "publication");
    shop.sql("create publication everything for all tables");
    shop.insert(1..=20);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn settings_of_the_database_do_not_stop_delivery() {
    let mut shop = Shop::open(shared_cluster(), "settings");
    shop.sql("alter database settings set default_transaction_read_only = on");
    shop.sql("alter database settings set default_transaction_isolation = serializable");
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({pid})"));
    wait_for(PATIENCE, "another worker", || {
        shop.worker_pid().is_some_and(|new| new != pid)
    });
    shop.insert([1]);
    shop.wait_until_delivered();
}

#[test]
fn a_cancelled_worker_goes_on_and_repeats_nothing() {
    let mut shop = Shop::open(shared_cluster(), "cancelled");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(500)));
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    let pid = shop.worker_pid();
    shop.sql(&format!(
        "select pg_cancel_backend({})",
        pid.expect("a worker")
    ));
    shop.wait_until_delivered();
    assert_eq!((shop.received(), shop.worker_pid()), (vec![1], pid));
}

#[test]
fn a_terminated_launcher_comes_back() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "launcher");
    let launcher = "select pid from pg_stat_activity where backend_type = 'pgrx-ext launcher'";
    for victim in [launcher, "select pid from s2s.worker_status()"] {
        shop.sql(&format!(
            "select pg_terminate_backend(pid) from ({victim}) v"
        ));
    }
    shop.insert([1]);
    shop.wait_until_delivered();
}

#[test]
fn dropping_the_extension_while_sending_ends_the_worker() {
    let mut shop = Shop::open(shared_cluster(), "drop_extension");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(300)));
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    shop.sql("drop extension \"pgrx-ext\" cascade");
    shop.wait_until_worker_is_gone();
    shop.sql("create extension \"pgrx-ext\"");
    wait_for(PATIENCE, "a new worker", || shop.worker_pid().is_some());
}

#[test]
fn dropping_the_extension_ends_an_idle_worker() {
    let mut shop = Shop::open(shared_cluster(), "drop_idle");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.wait_until_idle();
    shop.sql("drop extension \"pgrx-ext\" cascade");
    shop.wait_until_worker_is_gone();
}

#[test]
fn an_action_of_a_later_version_is_left_to_that_one() {
    let mut shop = Shop::open(shared_cluster(), "later_action");
    shop.sql("alter type s2s.action add value 'refund'");
    shop.sql(
        "insert into s2s.queue (server, action, transaction_id, parameters)
         select 'games_nl', 'refund', n, '{}' from generate_series(1, 1000) n;
         select s2s.wake()",
    );
    shop.insert([2000, 2001]);
    wait_for(PATIENCE, "the leads", || shop.received() == [2000, 2001]);
    shop.wait_until_idle();
    assert_eq!(shop.received(), [2000, 2001]);
    assert_eq!(shop.number("select count(*) from s2s.queue"), 1000);
    let url = "select s2s.callback_url(id) from s2s.queue limit 1";
    assert_eq!(shop.text(url), "");
}
