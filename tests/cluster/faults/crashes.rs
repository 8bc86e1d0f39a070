//! Crashes within the worker: one of its threads takes nobody along, the main thread is
//! PostgreSQL's.

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Answer, crash_thread, pool_threads, wait_for, wait_for_some};

/// What the postmaster says when it ends all sessions.
const ALL_END: &str = "terminating any other active server processes";

#[test]
fn a_segfault_in_a_thread_of_the_pool_ends_the_worker_alone() {
    // More would take long: the launcher lets a worker that keeps ending wait.
    const SIGNALS: [(i32, &str); 3] = [
        (libc::SIGSEGV, "signal 11 (SIGSEGV)"),
        (libc::SIGFPE, "signal 8 (SIGFPE)"),
        (libc::SIGABRT, "signal 6 (SIGABRT)"),
    ];
    let cluster = cluster().conf("s2s.max_in_flight = 12").start();
    let mut shop = Shop::open_with(&cluster, "thread_crash", ", max_in_flight '8'");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(500)));
    shop.sql("create temporary table kept (n int); begin; insert into kept values (1)");
    let mut writer = cluster.connect(shop.database);
    let crashes = SIGNALS.len();
    for (round, (signal, name)) in SIGNALS.into_iter().enumerate() {
        let first = 1 + 20 * round;
        writer
            .batch_execute(&format!(
                "insert into players select n, 'J. Smith', 'c'
                 from generate_series({first}, {first} + 19) n"
            ))
            .expect("an insert");
        let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
        let on_the_wire = "select sum(in_flight) from s2s.worker_status()";
        wait_for(PATIENCE, "requests are on the wire", || {
            shop.number(on_the_wire) == 8
        });
        // Some of the twelve send, some wait.
        assert!(crash_thread(pid, pool_threads(pid)[round * 4], signal));
        wait_for(PATIENCE, "another worker", || {
            shop.worker_pid().is_some_and(|new| new != pid)
        });
        let said = format!(
            "WARNING:  s2s: a thread of the worker crashed with {name}; \
             the worker starts anew, and what was in flight is sent again"
        );
        assert_eq!(cluster.log().matches(&said).count(), 1, "{name}");
    }
    wait_for(PATIENCE, "the queue is empty", || {
        shop.number("select count(*) from s2s.queue") == 0
    });
    // The session whose transaction was open all the time.
    shop.sql("commit");
    assert_eq!(shop.number("select count(*) from kept"), 1);
    assert!(!cluster.log().contains(ALL_END));
    let received = shop.received();
    let mut each = received.clone();
    each.dedup();
    assert_eq!(each, (1..=20 * crashes as i64).collect::<Vec<_>>());
    let twice = received.len() - each.len();
    // On the wire, and as many that are answered and not on record yet.
    assert!(twice <= crashes * (8 + 12), "{twice} were received twice");
}

#[test]
fn a_segfault_of_the_main_thread_is_a_crash_as_postgresql_knows_it() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "main_crash");
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    assert!(crash_thread(pid, pid, libc::SIGSEGV));
    wait_for(PATIENCE, "the postmaster recovers", || {
        let log = cluster.log();
        log.contains(ALL_END) && log.contains("was terminated by signal 11")
    });
    shop.client = wait_for_some(PATIENCE, "a session", || {
        cluster.try_connect("postgres", shop.database).ok()
    });
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}
