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
fn nothing_is_sent_that_a_crash_undoes_although_one_session_does_not_wait() {
    let cluster = cluster()
        .conf("wal_writer_delay = '10s'")
        .conf("max_prepared_transactions = 5")
        .start();
    let mut shop = Shop::open(&cluster, "session_undone");
    shop.sql(
        "create table members (id bigint primary key, click_id s2s.click_id);
         create trigger report_members after insert on members
             referencing new table as new_rows for each statement
             execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
    );
    let ways: [&[&str]; 7] = [
        &["insert into players values (1, 'J. Smith', 'c')"],
        &["insert into members values (2, 'c')"],
        &["copy players from program 'printf \"3\\tJ. Smith\\tc\\n\"'"],
        &["begin; savepoint s; insert into players values (4, 'J. Smith', 'c'); commit"],
        &[
            "begin; insert into players values (5, 'J. Smith', 'c')",
            "savepoint s; insert into players values (0, 'J. Smith', 'c'); rollback to s; commit",
        ],
        &[
            "begin; insert into players values (6, 'J. Smith', 'c'); prepare transaction 't'",
            "commit prepared 't'",
        ],
        &["insert into members values (7, null); select s2s.report_lead('games_nl', '7', 'c')"],
    ];
    for (id, way) in (1..).zip(ways) {
        shop.receiver.answer_with(|_| Answer::Stall);
        let before = shop.receiver.count();
        shop.sql("set synchronous_commit = off");
        way.iter().for_each(|sql| shop.sql(sql));
        shop.receiver.wait_for(before + 1, PATIENCE);
        cluster.stop(Mode::Immediate);
        shop.receiver.answer_with(|_| Answer::ok());
        cluster.start();
        shop.reconnect();
        let kept = "select string_agg(id::text, ' ') from (
                        select id from players union select id from members order by id) kept";
        let all: Vec<String> = (1..=id).map(|id: i64| id.to_string()).collect();
        assert_eq!(shop.text(kept), all.join(" "), "after: {way:?}");
        shop.wait_until_delivered();
    }
    let twice = (1..=7).flat_map(|id| [id, id]).collect::<Vec<i64>>();
    assert_eq!(shop.received(), twice);
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
