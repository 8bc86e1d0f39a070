//! The queue and what surrounds it change while sessions insert into it.

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{peak_memory, wait_for};

#[test]
fn indexes_that_are_altered_meanwhile_are_kept_up() {
    // If this goes wrong, the server crashes.
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "altered", ", paused 'true'");
    shop.sql(
        "create index by_gin on s2s.queue using gin (parameters);
         create index by_brin on s2s.queue using brin (created_at)",
    );
    let mut other = cluster.connect("altered");
    let columns: Vec<String> = (0..60).map(|n| format!("c{n} int")).collect();
    for round in 0..10 {
        shop.insert([round * 2, round * 2 + 1]);
        let value = if round % 2 == 0 { "on" } else { "off" };
        other
            .batch_execute(&format!(
                "alter index s2s.by_gin set (fastupdate = {value});
                 alter index s2s.by_brin set (autosummarize = {value})"
            ))
            .expect("the indexes are altered");
        // Takes the place of what the session had cached of the indexes.
        shop.sql(&format!(
            "create temporary table t{round} ({}); select from t{round}, pg_stat_activity",
            columns.join(", ")
        ));
    }
    shop.sql("set enable_seqscan = off");
    let found = "select count(*) from s2s.queue where parameters @> '{\"description_merchant\": \"new player\"}'";
    assert_eq!(shop.number(found), 20);
    let found = "select count(*) from s2s.queue where created_at > now() - interval '1 hour'";
    assert_eq!(shop.number(found), 20);
}

#[test]
fn what_is_changed_all_the_time_takes_callbacks_all_the_same() {
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "changing", ", paused 'true'");
    shop.sql("create index by_gin on s2s.queue using gin (parameters)");
    let mut other = cluster.connect("changing");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let changing = std::thread::spawn(move || {
        let mut rounds = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let change = format!(
                "alter table s2s.queue set (fillfactor = {0});
                 alter index s2s.by_gin set (fastupdate = {1});
                 alter index s2s.queue_pkey set (fillfactor = {0});
                 alter table s2s.queue add column note text; alter table s2s.queue drop column note;
                 create index concurrently added on s2s.queue (id); drop index concurrently s2s.added",
                50 + rounds % 50,
                rounds % 2 == 0
            );
            for statement in change.split(';') {
                other.batch_execute(statement).expect("a change");
            }
            rounds += 1;
        }
        rounds
    });
    // Zero, unless PostgreSQL is built with assertions: then nothing that is looked up lasts until the
    // next lock is taken.
    let forgets = "select set_config(name, least(max_val::int, 1)::text, false)
                   from pg_settings where name = 'debug_discard_caches'";
    shop.text(forgets);
    shop.sql("set statement_timeout = '20s'");
    for id in 1..=200 {
        shop.insert([2 * id, 2 * id + 1]);
        shop.number("select s2s.report_lead('games_nl', 'r' || clock_timestamp(), 'c')");
    }
    shop.sql("reset debug_discard_caches; set enable_seqscan = off");
    stop.send(()).expect("a session that makes changes");
    assert!(changing.join().expect("the session") > 1);
    let found = "select count(*) from s2s.queue where parameters @> '{\"description_merchant\": \"new player\"}'";
    assert_eq!(shop.number(found), 400);
    assert_eq!(shop.number("select count(*) from s2s.queue"), 600);
}

#[test]
fn a_trigger_that_is_made_meanwhile_spoils_no_other() {
    let cluster = cluster().start();
    let mut shop = Shop::open_with(&cluster, "made_meanwhile", ", paused 'true'");
    let mut locker = cluster.connect("made_meanwhile");
    let mut maker = cluster.connect("made_meanwhile");
    let mut session = cluster.connect("made_meanwhile");
    locker
        .batch_execute("begin; lock table pg_foreign_server in access exclusive mode")
        .expect("a lock");
    let previewing = std::thread::spawn(move || {
        let query = "select url from s2s.preview('players', 'report_player')";
        session.query(query, &[]).expect("a preview");
        session
            .batch_execute("insert into players values (1, 'J. Smith', 'c')")
            .expect("an insert");
    });
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%preview%'";
    wait_for(PATIENCE, "the preview waits", || shop.number(waits) == 1);
    maker
        .batch_execute(
            "create function nothing() returns trigger language plpgsql as 'begin return null; end';
             create trigger aaa after delete on players for each row execute function nothing()",
        )
        .expect("a trigger");
    locker.batch_execute("commit").expect("the end of the lock");
    previewing.join().expect("the session");
    let queued = "select server || ' ' || transaction_id from s2s.queue";
    assert_eq!(shop.text(queued), "games_nl 1");
}

#[test]
fn subtransactions_that_queue_leave_no_memory_behind() {
    let mut shop = Shop::open_with(shared_cluster(), "subtransactions", ", paused 'true'");
    let mut grown = |settings: &str| {
        shop.reconnect();
        let pid = shop.number("select pg_backend_pid()");
        shop.sql(&format!(
            "{settings};
             do $$ begin
                 for n in 1..10000 loop
                     begin
                         insert into players values (n, 'J. Smith', 'c');
                     exception when others then null;
                     end;
                 end loop;
             end $$;
             truncate players, s2s.queue"
        ));
        peak_memory(pid)
    };
    let without = grown("set s2s.enabled = off");
    let with = grown("set s2s.enabled = on");
    // Each subtransaction would leave 8 kB.
    assert!(
        with < without + (24 << 10),
        "{with} kB, {without} kB without"
    );
}

#[test]
fn a_session_that_is_cancelled_amid_a_statement_queues_nothing_of_it() {
    let mut shop = Shop::open_with(shared_cluster(), "cancelled_amid", ", paused 'true'");
    shop.sql("set statement_timeout = '300ms'");
    let sql = "insert into players select n, 'J. Smith', 'c' from generate_series(1, 50000000) n";
    let error = shop.client.batch_execute(sql).expect_err("a timeout");
    assert_eq!(error.code().map(|code| code.code()), Some("57014"));
    shop.sql("set statement_timeout = 0");
    shop.insert([1]);
    assert_eq!(
        shop.text("select string_agg(transaction_id, ' ') from s2s.queue"),
        "1"
    );
    wait_for(Duration::from_secs(20), "nothing is in flight", || {
        shop.number("select coalesce(max(in_flight), 0) from s2s.worker_status()") == 0
    });
}

#[test]
fn the_queue_is_a_heap_whatever_is_the_default() {
    let cluster = shared_cluster();
    let mut client = cluster.empty_database("another_method");
    client
        .batch_execute(
            "create access method mine type table handler heap_tableam_handler;
             set default_table_access_method = mine;
             create extension \"pgrx-ext\"",
        )
        .expect("the extension");
    let mut shop = Shop::open_in(cluster, "another_method", client, ", paused 'true'");
    let method = "select amname::text from pg_am a join pg_class c on c.relam = a.oid where c.oid = 's2s.queue'::regclass";
    assert_eq!(shop.text(method), "heap");
    shop.insert([1]);
    assert_eq!(shop.number("select count(*) from s2s.queue"), 1);
}
