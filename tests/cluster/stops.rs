//! The server stops, well or badly: nothing is lost.

use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Answer, Mode, run, wait_for};

#[test]
fn restart_sends_what_was_queued() {
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "restart_sends", ", paused 'true'");
    shop.insert(1..=3);
    shop.wait_until_idle();
    assert_eq!(shop.received(), [] as [i64; 0], "a paused server");
    cluster.restart(Mode::Immediate);
    shop.reconnect();
    assert_eq!(shop.number("select count(*) from s2s.queue"), 3);
    shop.sql("alter server games_nl options (set paused 'false')");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3]);
}

#[test]
fn crash_sends_again_what_was_on_the_wire() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "crash_sends");
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert(1..=3);
    shop.receiver.wait_for(3, PATIENCE);
    cluster.stop(Mode::Immediate);
    shop.receiver.answer_with(|_| Answer::ok());
    cluster.start();
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1, 2, 2, 3, 3]);
}

#[test]
fn what_is_on_record_survives_a_crash_although_commits_do_not_wait() {
    let cluster = cluster()
        .conf("synchronous_commit = off")
        .conf("wal_writer_delay = '10s'")
        .start();
    let mut shop = Shop::open(&cluster, "no_waiting");
    shop.sql("set synchronous_commit = on");
    shop.insert(1..=50);
    shop.wait_until_delivered();
    cluster.kill_postmaster();
    cluster.start();
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), (1..=50).collect::<Vec<_>>());
}

#[test]
fn nothing_is_sent_that_a_crash_undoes_although_commits_do_not_wait() {
    let cluster = cluster()
        .conf("synchronous_commit = off")
        .conf("wal_writer_delay = '10s'")
        .start();
    let mut shop = Shop::open(&cluster, "undone");
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    cluster.kill_postmaster();
    shop.receiver.answer_with(|_| Answer::ok());
    cluster.start();
    shop.reconnect();
    assert_eq!(shop.number("select count(*) from players"), 1);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1]);
}

#[test]
fn fast_stop_is_fast() {
    let cluster = cluster().conf("s2s.shutdown_grace = '1s'").start();
    let mut shop = Shop::open_with(&cluster, "fast_stop", ", timeout '2min'");
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    let start = Instant::now();
    assert!(
        cluster.stop_within(Duration::from_secs(10), Mode::Fast),
        "{:?}",
        start.elapsed()
    );
    shop.receiver.answer_with(|_| Answer::ok());
    cluster.start();
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1]);
}

#[test]
fn fast_stop_does_not_wait_for_a_standby_that_is_gone() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "standby_gone");
    shop.insert([1]);
    shop.wait_until_delivered();
    cluster.configure("synchronous_standby_names = 'nobody'");
    cluster.reload();
    shop.sql("set synchronous_commit = local");
    let mut last = 1;
    let waits = "select count(*) from pg_stat_activity
                 where backend_type = 'pgrx-ext worker' and wait_event = 'SyncRep'";
    wait_for(PATIENCE, "the worker waits for the standby", || {
        // When the setting counts cannot be seen.
        last += 1;
        shop.insert([last]);
        shop.number(waits) == 1
    });
    assert!(cluster.stop_within(Duration::from_secs(10), Mode::Fast));
}

#[test]
fn a_dump_keeps_servers_triggers_queue_and_attempts() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "dumped");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.sql("alter server games_nl options (add paused 'true')");
    shop.insert([2, 3]);
    let dump = cluster.new_folder("dump").join("dumped.dump");
    let dump = dump.to_str().expect("a path");
    run(cluster
        .client("pg_dump")
        .args(["-Fc", "-f", dump, "dumped"]));
    shop.sql("create database restored");
    run(cluster
        .client("pg_restore")
        .args(["--exit-on-error", "-d", "restored", dump]));
    shop.sql("drop server games_nl cascade");
    shop.database = "restored";
    shop.reconnect();
    shop.wait_until_idle();
    assert_eq!(shop.received(), [1], "the restore itself sends nothing");
    assert_eq!(
        (shop.status(1), shop.status(2)),
        ("delivered".to_owned(), "waiting".to_owned())
    );
    shop.insert([4]);
    shop.sql("alter server games_nl options (drop paused)");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3, 4]);
}
