//! Copies of a database: a standby, and subscribers to its tables.

use postgres::Client;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::wait_for;

#[test]
fn a_worker_does_not_run_on_a_standby_and_starts_when_it_is_promoted() {
    let primary = cluster().start();
    let mut shop = Shop::open_with(&primary, "standby", ", paused 'true'");
    let standby = primary.synchronous_standby();
    shop.insert([1]);
    let mut session = standby.connect("standby");
    let ours = "select from pg_stat_activity where backend_type like 'pgrx-ext%'";
    wait_for(PATIENCE, "the callback is there", || {
        session
            .query("select from s2s.queue", &[])
            .expect("a row")
            .len()
            == 1
    });
    assert_eq!(session.query(ours, &[]).expect(ours).len(), 0);
    let status = "select hint from s2s.worker_status()";
    let hint: String = session.query_one(status, &[]).expect(status).get(0);
    assert_eq!(
        hint,
        "The server is a standby: the worker starts when it is promoted."
    );
    primary.kill_postmaster();
    standby.promote();
    wait_for(PATIENCE, "launcher and worker", || {
        session.query(ours, &[]).expect(ours).len() == 2
    });
    assert_eq!(shop.received(), [] as [i64; 0]);
    session
        .batch_execute("alter server games_nl options (drop paused)")
        .expect("a primary");
    shop.receiver.wait_for(1, PATIENCE);
    assert_eq!(shop.received(), [1]);
}

/// What writes.
const WRITERS: [&str; 8] = [
    "s2s.report_lead('games_nl', '1', 'c')",
    "s2s.report_lead('games_nl', 'organic')",
    "s2s.report_sale('games_nl', '1', 1, 'EUR', 'c')",
    "s2s.edit_transaction('lt_eu', '1', approved => false)",
    "s2s.linktrust_load('lt_eu', E'TransactionID\\tA\\n1\\tno\\n')",
    "s2s.retry(1)",
    "s2s.retry_parked()",
    "s2s.cancel(1)",
];

/// Errors of every kind that pass through the library: its own, PostgreSQL's, and those of SQL that
/// it runs.
const ERRORS: [&str; 6] = [
    "select 'a b'::s2s.click_id",
    "select s2s.lead_url('nowhere', '1', 'c')",
    "select s2s.sale_url('games_nl', '1', -1, 'EUR', 'c')",
    "select * from s2s.preview('players', 'report_nobody')",
    "select * from s2s.preview('players', 'odd_player')",
    "select s2s.linktrust_file('lt_eu')",
];

/// The SQLSTATE and message of a statement that fails. It shows no backtrace.
fn refusal(session: &mut Client, statement: &str) -> String {
    let error = match session.simple_query(statement) {
        Ok(_) => return "accepted".to_owned(),
        Err(error) => error,
    };
    let error = error.as_db_error().expect("an error of the server's");
    let detail = error.detail().unwrap_or_default();
    assert!(!detail.contains('\n'), "{statement}: {detail}");
    assert!(!error.message().contains('\n'), "{statement}: {error:?}");
    format!("{}: {}", error.code().code(), error.message())
}

#[test]
fn what_writes_refuses_read_only_transactions_and_standbys_and_shows_no_backtrace() {
    let primary = cluster().start();
    let mut shop = Shop::open_with(&primary, "read_only", ", paused 'true'");
    shop.sql(
        "create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com');
         create trigger odd_player after insert on players for each row when (1 / (new.id - 1) > 0)
             execute function s2s.report_lead('games_nl', 'transaction_id={id}')",
    );
    shop.sql("alter table players disable trigger odd_player");
    shop.insert([1]);
    let standby = primary.synchronous_standby();
    shop.insert([2]);
    let mut session = standby.connect("read_only");
    for call in WRITERS {
        let function = &call["s2s.".len()..call.find('(').expect("a call")];
        let read_only = format!("begin read only; select {call}");
        assert_eq!(
            refusal(&mut shop.client, &read_only),
            format!("25006: cannot execute {function}() in a read-only transaction")
        );
        shop.sql("rollback");
        assert_eq!(
            refusal(&mut session, &format!("select {call}")),
            format!("25006: cannot execute {function}() during recovery")
        );
    }
    for statement in ERRORS {
        let of_primary = refusal(&mut shop.client, statement);
        assert_ne!(of_primary, "accepted", "{statement}");
        assert_eq!(refusal(&mut session, statement), of_primary, "{statement}");
    }
    for statement in [
        "select s2s.wake()",
        "select s2s.wait_until_idle('1ms')",
        "select * from s2s.worker_status()",
        "select * from s2s.server_status",
        "select * from s2s.callback",
    ] {
        assert_eq!(refusal(&mut session, statement), "accepted", "{statement}");
    }
    assert_eq!(shop.number("select count(*) from s2s.queue"), 2);
}

/// A publisher and a subscriber, each a shop with a receiver of its own.
fn subscribe(publisher: &mut Shop, subscriber: &mut Shop, publication: &str) {
    publisher.sql(&format!("create publication shop {publication}"));
    publisher.sql("select pg_create_logical_replication_slot('shop', 'pgoutput')");
    subscriber.sql(&format!(
        "create subscription shop
             connection 'host={} port={} user=postgres dbname={}'
             publication shop with (create_slot = false, slot_name = 'shop')",
        publisher.cluster.socket_folder().display(),
        publisher.cluster.port(),
        publisher.database
    ));
}

#[test]
fn subscribers_do_not_send_what_the_publisher_sends_unless_told_to() {
    let cluster = cluster().conf("wal_level = logical").start();
    let mut publisher = Shop::open(&cluster, "publisher");
    let mut subscriber = Shop::open(&cluster, "subscriber");
    subscribe(&mut publisher, &mut subscriber, "for table players");
    publisher.insert([1]);
    wait_for(PATIENCE, "the row is copied", || {
        subscriber.number("select count(*) from players") == 1
    });
    publisher.wait_until_delivered();
    subscriber.sql("alter table players enable always trigger report_player");
    publisher.insert([2]);
    subscriber.receiver.wait_for(1, PATIENCE);
    subscriber.wait_until_delivered();
    publisher.wait_until_delivered();
    assert_eq!(publisher.received(), [1, 2]);
    assert_eq!(subscriber.received(), [2]);
}

#[test]
fn a_publication_of_all_tables_queues_nothing_at_the_subscriber() {
    let cluster = cluster().conf("wal_level = logical").start();
    let mut publisher = Shop::open(&cluster, "all_published");
    let mut subscriber = Shop::open(&cluster, "all_subscribed");
    // Ids that the subscriber has as well, and some that are copied before the changes are.
    subscriber.insert([100]);
    subscriber.wait_until_delivered();
    publisher.insert([1]);
    publisher.wait_until_delivered();
    publisher.sql("alter server games_nl options (add paused 'true')");
    publisher.insert([2]);
    subscribe(&mut publisher, &mut subscriber, "for all tables");
    publisher.insert([3]);
    wait_for(PATIENCE, "all tables are copied", || {
        subscriber.number("select count(*) from pg_subscription_rel where srsubstate <> 'r'") == 0
            && subscriber.number("select count(*) from players") == 4
    });
    assert_eq!(subscriber.number("select count(*) from s2s.queue"), 0);
    publisher.sql("alter server games_nl options (drop paused)");
    publisher.wait_until_delivered();
    subscriber.insert([101]);
    subscriber.wait_until_delivered();
    publisher.insert([4]);
    wait_for(PATIENCE, "changes are copied", || {
        subscriber.number("select count(*) from players") == 6
    });
    publisher.wait_until_delivered();
    subscriber.wait_until_idle();
    assert_eq!(publisher.received(), [1, 2, 3, 4]);
    assert_eq!(subscriber.received(), [100, 101]);
    assert_eq!(subscriber.number("select count(*) from s2s.attempt"), 2);

    // What leaves the publisher's queue takes nothing of the same id with it.
    subscriber.sql("alter server games_nl options (add paused 'true')");
    let last = publisher.number("select last_value from s2s.queue_id_seq");
    subscriber.sql(&format!("select setval('s2s.queue_id_seq', {last})"));
    subscriber.insert(102..=109);
    publisher.insert(5..=6);
    publisher.wait_until_delivered();
    let ids = "select string_agg(distinct callback_id::text, ' ') from s2s.attempt
               where transaction_id in ('5', '6')";
    let ids = publisher.text(ids).replace(' ', ", ");
    let same = format!("select count(*) from s2s.queue where id in ({ids})");
    assert_eq!(subscriber.number(&same), 2, "ids {ids}");
    publisher.insert([7]);
    wait_for(PATIENCE, "the last change is copied", || {
        subscriber.number("select count(*) from players where id = 7") == 1
    });
    assert_eq!(subscriber.number("select count(*) from s2s.queue"), 8);
    subscriber.sql("alter server games_nl options (drop paused)");
    subscriber.wait_until_delivered();
    assert_eq!(subscriber.received(), (100..=109).collect::<Vec<_>>());
}
