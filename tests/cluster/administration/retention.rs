//! Attempts that are too old are deleted, and if not, deliveries go on.

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{wait_for, wait_for_some};

/// Lets another worker start, which looks for old attempts at once.
fn restart_worker(shop: &mut Shop) {
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({pid})"));
    wait_for(PATIENCE, "another worker", || {
        shop.worker_pid().is_some_and(|new| new != pid)
    });
}

#[test]
fn old_attempts_that_cannot_be_deleted_do_not_stop_delivery() {
    let cluster = cluster().conf("s2s.attempt_retention = '1min'").start();
    let mut shop = Shop::open(&cluster, "referenced");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.sql(
        "create table disputes (attempt bigint references s2s.attempt);
         insert into disputes select id from s2s.attempt;
         update s2s.attempt set started_at = now() - interval '2 min'",
    );
    restart_worker(&mut shop);
    let complaint = "attempts that are too old cannot be deleted: update or delete on table";
    wait_for(PATIENCE, "the worker says so", || {
        cluster.log().contains(complaint)
    });
    for id in 2..=20 {
        shop.insert([id]);
        shop.wait_until_delivered();
    }
    assert_eq!(shop.received(), (1..=20).collect::<Vec<_>>());
    let log = cluster.log();
    assert_eq!(log.matches(complaint).count(), 1);
    assert!(!log.contains("the worker tries again"), "{log}");
}

#[test]
fn old_attempts_that_somebody_has_locked_stay_and_others_go() {
    let cluster = cluster().conf("s2s.attempt_retention = '1min'").start();
    let mut shop = Shop::open(&cluster, "locked_attempt");
    shop.insert(1..=5);
    shop.wait_until_delivered();
    shop.sql("update s2s.attempt set started_at = now() - interval '2 min'");
    let mut holder = cluster.connect(shop.database);
    holder
        .batch_execute("begin; select from s2s.attempt where transaction_id = '1' for update")
        .expect("a lock");
    restart_worker(&mut shop);
    wait_for(PATIENCE, "the others are gone", || {
        shop.number("select count(*) from s2s.attempt") == 1
    });
    shop.insert([6]);
    shop.wait_until_delivered();
    let log = cluster.log();
    assert!(!log.contains("cannot be deleted"), "{log}");
}

#[test]
fn attempts_of_the_future_do_not_keep_old_ones() {
    let cluster = cluster().conf("s2s.attempt_retention = '1min'").start();
    let mut shop = Shop::open(&cluster, "future");
    shop.sql(
        "insert into s2s.attempt (callback_id, server, action, transaction_id, created_at, attempt,
                                  started_at, duration, verdict, message)
         select n, case when n % 2 = 0 then 'games_nl' else 'gone' end, 'lead', n, now(), 1,
                now() + case when n <= 3000 then interval '1 year' else interval '-2 min' end,
                '1s', 'delivered', 'HTTP 200'
         from generate_series(1, 5500) n",
    );
    restart_worker(&mut shop);
    wait_for(PATIENCE, "the old ones are gone", || {
        shop.number("select count(*) from s2s.attempt") == 3000
    });
}
