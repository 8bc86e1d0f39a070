//! A good guest in the server: it costs nothing when idle, blocks nobody, and leaves when told to.

use std::fs;
use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, Mode, memory, status_of, wait_for, wait_for_some};

/// The processes of ours in the whole server.
const OURS: &str = "select pid from pg_stat_activity where backend_type like 'pgrx-ext%'";

#[test]
fn idle_processes_run_no_statements_and_do_not_wake_up() {
    const QUIET: Duration = Duration::from_secs(3);
    let cluster = cluster().conf("autovacuum = off").start();
    let mut shop = Shop::open(&cluster, "idle");
    shop.insert([1]);
    shop.wait_until_delivered();
    let mut elsewhere = cluster.connect("postgres");
    let mut look = || {
        let statements = "select xact_commit + xact_rollback from pg_stat_database
                          where datname = 'idle'";
        let statements: i64 = elsewhere
            .query_one(statements, &[])
            .expect(statements)
            .get(0);
        let rows = elsewhere.query(OURS, &[]).expect(OURS);
        let pids = rows.iter().map(|row| row.get::<_, i32>(0));
        let wake_ups: Vec<_> = pids.flat_map(wake_ups).collect();
        // The launcher, and the worker with its threads.
        assert!(wake_ups.len() > 2, "{wake_ups:?}");
        (statements, wake_ups)
    };
    let mut last = (Instant::now(), look());
    wait_for(2 * PATIENCE, "three seconds without anything", || {
        let now = look();
        if now != last.1 {
            last = (Instant::now(), now);
        }
        last.0.elapsed() > QUIET
    });
}

/// How often each thread of a process went to sleep.
fn wake_ups(pid: i32) -> Vec<(String, String)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a process that runs");
    let mut counts = Vec::new();
    for thread in threads {
        let thread = thread.expect("a thread").path();
        let count = status_of(&thread.to_string_lossy(), "voluntary_ctxt_switches");
        counts.push((thread.to_string_lossy().into_owned(), count));
    }
    counts
}

#[test]
fn an_idle_worker_blocks_nobody() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "blocked");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.wait_until_idle();
    let mut elsewhere = cluster.connect("postgres");
    elsewhere
        .batch_execute("set statement_timeout = '20s'")
        .expect("a setting");
    shop.sql("set statement_timeout = '20s'");
    for statement in [
        "vacuum full s2s.queue",
        "vacuum full s2s.attempt",
        "truncate s2s.queue, s2s.attempt",
        "reindex schema s2s",
        "alter table s2s.attempt set (fillfactor = 90)",
    ] {
        shop.sql(statement);
    }
    for statement in [
        "create database other template template1",
        "alter database other rename to another",
        "drop database another",
    ] {
        let done = elsewhere.batch_execute(statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    shop.insert([2]);
    shop.wait_until_delivered();
    shop.sql("drop extension \"pgrx-ext\" cascade");
    shop.sql("create extension \"pgrx-ext\"");
    wait_for(PATIENCE, "a new worker", || shop.worker_pid().is_some());
    elsewhere
        .batch_execute("drop database blocked with (force)")
        .expect("no database any more");
    wait_for(PATIENCE, "the worker has ended", || {
        elsewhere.query(OURS, &[]).expect(OURS).len() == 1
    });
}

#[test]
fn an_error_in_a_workers_first_look_is_logged_and_the_next_one_looks_again() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "first_look");
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    let mut locker = cluster.connect("first_look");
    locker
        .batch_execute("begin; lock table pg_extension in access exclusive mode")
        .expect("a lock");
    shop.sql(&format!("select pg_terminate_backend({pid})"));
    shop.insert([1]);
    // By the worker's own limit: the database has none.
    let complaint =
        "cannot look whether the extension is there: canceling statement due to lock timeout";
    wait_for(PATIENCE, "a line in the log", || {
        cluster.log().contains(complaint)
    });
    locker.batch_execute("commit").expect("the end of the lock");
    // No commit of this database asks for it.
    wait_for(PATIENCE, "the callback", || shop.received() == [1]);
}

#[test]
fn a_check_of_triggers_waits_for_no_table_that_the_command_leaves_alone() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "unrelated");
    shop.sql(
        "create table parent (id int, note text, click_id s2s.click_id);
         create table child () inherits (parent);
         create table grandchild () inherits (child);
         create trigger report after insert on grandchild for each row
             execute function s2s.report_lead('games_nl', 'transaction_id={id}-{note}');
         create domain amount as numeric;
         create table other (id int, total amount)",
    );
    let mut elsewhere = cluster.connect("unrelated");
    let mut busy = elsewhere.transaction().expect("a transaction");
    busy.batch_execute("lock table grandchild in access exclusive mode")
        .expect("a lock");
    shop.sql("set lock_timeout = '20s'");
    for statement in [
        "alter table only parent drop column note",
        "alter server games_nl options (add timeout '5s')",
        "drop domain amount cascade",
        "drop server games_nl",
    ] {
        shop.sql(statement);
    }
}

#[test]
fn no_transaction_is_open_while_a_request_is_on_the_wire() {
    let mut shop = Shop::open(shared_cluster(), "on_the_wire");
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    let worker = "select concat_ws(' ', state, xact_start, backend_xid, backend_xmin)
                  from pg_stat_activity
                  where backend_type = 'pgrx-ext worker' and datname = current_database()";
    wait_for(PATIENCE, "no transaction", || shop.text(worker) == "idle");
    shop.sql("set statement_timeout = '20s'");
    shop.sql("vacuum full s2s.queue");
    assert_eq!(shop.status(1), "waiting");
}

#[test]
fn a_foreign_schema_of_our_name_gets_no_worker_and_no_complaint() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "ours");
    shop.sql("create database foreign_schema");
    let mut other = cluster.connect("foreign_schema");
    other
        .batch_execute("create schema s2s; create table s2s.queue (id text)")
        .expect("a schema of somebody else's");
    drop(other);
    cluster.restart(crate::support::Mode::Fast);
    shop.reconnect();
    wait_for(PATIENCE, "a worker for ours alone", || {
        shop.number(&format!("select count(*) from ({OURS}) o")) == 2 && shop.worker_pid().is_some()
    });
    shop.insert([1]);
    shop.wait_until_delivered();
    let log = cluster.log();
    let complaints: Vec<&str> = log
        .lines()
        .filter(|line| {
            ["ERROR", "WARNING", "PANIC"]
                .iter()
                .any(|w| line.contains(w))
        })
        .collect();
    assert_eq!(complaints, [] as [&str; 0]);
}

#[test]
fn no_worker_starts_under_pg_upgrade() {
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "upgraded", ", paused 'true'");
    shop.insert([1]);
    shop.sql("alter server games_nl options (drop paused)");
    cluster.stop(crate::support::Mode::Immediate);
    cluster.start_as_pg_upgrade_does();
    let mut session = cluster.connect("upgraded");
    assert_eq!(session.query(OURS, &[]).expect(OURS).len(), 0);
    drop(session);
    let before = shop.receiver.count();
    cluster.stop(crate::support::Mode::Fast);
    assert_eq!(shop.receiver.count(), before);
    cluster.start();
    shop.reconnect();
    shop.wait_until_delivered();
}

#[test]
fn autovacuum_sees_what_the_worker_does() {
    let cluster = cluster().conf("autovacuum = off").start();
    let mut shop = Shop::open(&cluster, "autovacuum");
    shop.insert(1..=50);
    shop.wait_until_delivered();
    let seen = "select string_agg(relname || ' ' || n_dead_tup || ' ' || n_tup_ins, ', '
                                  order by relname)
                from pg_stat_user_tables
                where schemaname = 's2s' and (n_dead_tup > 0 or relname = 'attempt')";
    wait_for(PATIENCE, "the counters move", || {
        shop.text(seen) == "attempt 0 50, queue 50 50"
    });
}

#[test]
fn old_attempts_are_deleted_in_small_batches() {
    let cluster = cluster().conf("s2s.attempt_retention = '1min'").start();
    let mut shop = Shop::open(&cluster, "batches");
    shop.sql(
        "create table batch (attempts bigint);
         create function note_batch() returns trigger language plpgsql as $$
         begin
             insert into public.batch select count(*) from gone;
             return null;
         end $$;
         create trigger note_batch after delete on s2s.attempt referencing old table as gone
             for each statement execute function note_batch();
         insert into s2s.attempt (callback_id, server, action, transaction_id, created_at, attempt,
                                  started_at, duration, verdict, message)
         select n, 'games_nl', 'lead', n, now() - interval '2 min', 1, now() - interval '2 min',
                '1s', 'delivered', 'HTTP 200'
         from generate_series(1, 2500) n",
    );
    // A worker that starts looks at once.
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({pid})"));
    wait_for(PATIENCE, "they are gone", || {
        shop.number("select count(*) from s2s.attempt") == 0
    });
    let batches = "select string_agg(attempts::text, ', ') from batch where attempts > 0";
    assert_eq!(shop.text(batches), "1000, 1000, 500");
}

#[test]
fn a_large_backlog_does_not_grow_the_worker() {
    const MOST_KB: i64 = 16 * 1024;
    let options = ", requests_per_second '20'";
    let mut shop = Shop::open_with(shared_cluster(), "backlog", options);
    shop.insert([0]);
    shop.wait_until_delivered();
    let pid = wait_for_some(PATIENCE, "a worker", || shop.worker_pid());
    let own_memory = || memory(pid.into(), "RssAnon");
    let before = own_memory();
    // Without our trigger, which a debug build makes slow.
    shop.sql(
        "insert into s2s.queue (server, action, transaction_id, click_id, parameters)
         select 'games_nl', 'lead', n, '0::12345::abc::::1405418672',
                '{\"description_merchant\": \"new player\"}'
         from generate_series(1, 1000000) n;
         select s2s.wake()",
    );
    wait_for(PATIENCE, "the worker is at it", || {
        shop.receiver.count() > 20
    });
    let grown = own_memory() - before;
    assert!(grown < MOST_KB, "{grown} kB for a million callbacks");
}

#[test]
fn one_callback_that_cannot_be_sent_does_not_stop_the_others() {
    let mut shop = Shop::open_with(shared_cluster(), "poison", ", paused 'true'");
    shop.insert(1..=20);
    shop.sql(
        "update s2s.queue set parameters = '{\"product_id\": \"-1\"}' where transaction_id = '5';
         update s2s.queue set transaction_id = '' where transaction_id = '15';
         alter server games_nl options (drop paused)",
    );
    let left =
        "select coalesce(string_agg((due_at = 'infinity' and last_error <> '')::text, ' '), '')
                from s2s.queue";
    wait_for(PATIENCE, "they alone are left, parked", || {
        shop.text(left) == "true true"
    });
    assert_eq!(shop.receiver.count(), 18);
}

#[test]
fn errors_of_other_commands_keep_what_they_say() {
    let mut shop = Shop::open(shared_cluster(), "errors");
    let command = "do $$ begin insert into players values (1), (1); end $$";
    let error = shop.client.batch_execute(command).expect_err(command);
    let error = error.as_db_error().expect("an error of the server's");
    assert_eq!(error.constraint(), Some("players_pkey"));
    assert_eq!(error.table(), Some("players"));
    let place = error.where_().unwrap_or_default();
    assert!(place.contains("inline_code_block"), "{place}");
}

#[test]
fn a_worker_that_cannot_start_says_what_to_raise() {
    // The launcher has one, PostgreSQL's own for logical replication the other.
    let cluster = cluster().conf("max_worker_processes = 2").start();
    let mut shop = Shop::open(&cluster, "crowded");
    shop.insert([1]);
    assert_eq!(
        shop.text("select hint from s2s.worker_status()"),
        "The worker is starting, or cannot: see the server's log. Raise max_worker_processes if it \
         says that there is no free slot."
    );
    wait_for(PATIENCE, "the log says it", || {
        cluster.log().contains("raise max_worker_processes")
    });
}

#[test]
fn many_databases_wait_for_no_worker_that_none_of_them_needs() {
    // Room for two workers, next to the launcher and PostgreSQL's own.
    let cluster = cluster().conf("max_worker_processes = 4").start();
    for number in 0..16 {
        cluster.empty_database(&format!("without_{number}"));
    }
    let mut shop = Shop::open(&cluster, "with_extension");
    cluster.restart(Mode::Fast);
    shop.client = cluster.connect("with_extension");
    shop.insert([1]);
    shop.wait_until_idle();
    assert_eq!(shop.received(), [1]);
}
