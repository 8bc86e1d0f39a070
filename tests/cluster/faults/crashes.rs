//! Crashes within the worker are crashes as PostgreSQL knows them: shared memory may be spoiled, so
//! the postmaster ends all sessions and recovers. (A panic in a thread is no crash:
//! `tests/http/pool.rs`.)

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Answer, crash_thread, pool_threads, wait_for, wait_for_some};

/// What the postmaster says when it ends all sessions.
const ALL_END: &str = "terminating any other active server processes";

#[test]
fn after_a_crash_of_a_thread_of_the_pool_what_was_in_flight_is_sent_again() {
    let cluster = cluster().conf("s2s.max_in_flight = 4").start();
    let mut shop = Shop::open_with(&cluster, "thread_crash", ", max_in_flight '4'");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(500)));
    shop.insert(1..=20);
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    wait_for(PATIENCE, "requests are on the wire", || {
        shop.number("select sum(in_flight) from s2s.worker_status()") >= 4
    });
    assert!(crash_thread(pid, pool_threads(pid)[2], libc::SIGSEGV));
    recover(&mut shop);
    shop.receiver.answer_with(|_| Answer::ok());
    shop.wait_until_delivered();
    let received = shop.received();
    let mut each = received.clone();
    each.dedup();
    assert_eq!(each, (1..=20).collect::<Vec<_>>());
    let twice = received.len() - each.len();
    // On the wire, and as many that are answered and not on record yet.
    assert!(twice <= 4 + 4, "{twice} were received twice");
}

#[test]
fn after_a_crash_of_the_main_thread_another_worker_delivers() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "main_crash");
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    assert!(crash_thread(pid, pid, libc::SIGSEGV));
    recover(&mut shop);
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}

/// Waits until the postmaster has recovered from a SIGSEGV.
fn recover(shop: &mut Shop) {
    let cluster = shop.cluster;
    wait_for(PATIENCE, "the postmaster recovers", || {
        let log = cluster.log();
        log.contains(ALL_END) && log.contains("was terminated by signal 11")
    });
    shop.client = wait_for_some(PATIENCE, "a session", || {
        cluster.try_connect("postgres", shop.database).ok()
    });
}
