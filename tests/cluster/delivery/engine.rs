//! The delivery engine in a real server: retries, order, pace, health, and the operator's hand.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, Receiver, wait_for, wait_for_some};

/// A server's options under which retries come soon.
const SOON: &str = ", retry_schedule '100ms'";

#[test]
fn what_fails_is_tried_again_by_the_schedule_and_then_delivered() {
    let mut shop = Shop::open_with(shared_cluster(), "tried_again", SOON);
    let requests = AtomicUsize::new(0);
    shop.receiver
        .answer_with(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Answer::status(503).with_body("busy"),
            _ => Answer::ok(),
        });
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1, 1]);
    let attempts =
        "select string_agg(verdict || ' ' || http_status || ' ' || attempt, ', ' order by id)
                    from s2s.attempt";
    assert_eq!(
        shop.text(attempts),
        "retry 503 1, retry 503 2, delivered 200 3"
    );
}

#[test]
fn retry_after_is_a_floor() {
    let mut shop = Shop::open_with(shared_cluster(), "retry_after", SOON);
    let requests = AtomicUsize::new(0);
    shop.receiver
        .answer_with(move |_| match requests.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::status(429).with_header("Retry-After", "1"),
            _ => Answer::ok(),
        });
    shop.insert([1]);
    shop.wait_until_delivered();
    let requests = shop.receiver.requests();
    assert!(requests[1].at - requests[0].at >= Duration::from_millis(900));
}

#[test]
fn not_now_is_said_to_the_whole_server() {
    let mut shop = Shop::open_with(shared_cluster(), "not_now", SOON);
    let start = Instant::now();
    shop.receiver
        .answer_with(move |_| match start.elapsed() < Duration::from_secs(2) {
            true => Answer::status(429).with_header("Retry-After", "2"),
            false => Answer::ok(),
        });
    shop.insert(1..=100);
    shop.wait_until_delivered();
    // Those that were in flight when the first answer came, and a probe.
    let most = 100 + 16 + 1;
    assert!(shop.receiver.count() <= most, "{}", shop.receiver.count());
}

#[test]
fn after_its_attempts_a_callback_is_parked_until_somebody_says_so() {
    let options = ", retry_schedule '100ms', max_attempts '2'";
    let mut shop = Shop::open_with(shared_cluster(), "parked", options);
    shop.receiver.answer_with(|_| Answer::status(500));
    shop.insert([1]);
    wait_for(PATIENCE, "it is parked", || shop.status(1) == "parked");
    assert_eq!(shop.received(), [1, 1]);
    assert_eq!(shop.text("select last_error from s2s.queue"), "HTTP 500");
    shop.receiver.answer_with(|_| Answer::ok());
    assert_eq!(shop.number("select s2s.retry_parked('elsewhere')"), 0);
    assert_eq!(shop.number("select s2s.retry_parked()"), 1);
    shop.wait_until_delivered();
    assert_eq!(shop.status(1), "delivered");
}

#[test]
fn what_the_network_refuses_is_parked_at_once_and_can_be_cancelled() {
    let mut shop = Shop::open(shared_cluster(), "refused");
    shop.receiver.answer_with(|_| Answer::status(404));
    shop.insert([1]);
    wait_for(PATIENCE, "it is parked", || shop.status(1) == "parked");
    let id = shop.number("select id from s2s.queue");
    let url = shop.text(&format!("select s2s.callback_url({id})"));
    assert!(
        url.ends_with("&data=0%3A%3A12345%3A%3Aabc%3A%3A%3A%3A1405418672"),
        "{url}"
    );
    assert_eq!(
        shop.text(&format!(
            "select s2s.cancel({id})::text || s2s.cancel({id})::text"
        )),
        "truefalse"
    );
    assert_eq!(shop.status(1), "cancelled");
    assert_eq!(
        shop.text("select message from s2s.attempt where verdict = 'cancelled'"),
        "cancelled by postgres"
    );
    assert_eq!(shop.text(&format!("select s2s.retry({id})::text")), "false");
}

#[test]
fn what_is_made_due_by_hand_is_sent_after_a_wake() {
    let mut shop = Shop::open(shared_cluster(), "by_hand");
    shop.receiver.answer_with(|_| Answer::status(404));
    shop.insert([1]);
    wait_for(PATIENCE, "it is parked", || shop.status(1) == "parked");
    shop.receiver.answer_with(|_| Answer::ok());
    shop.insert([2]);
    wait_for(PATIENCE, "the other one", || shop.status(2) == "delivered");
    shop.sql("begin; update s2s.queue set due_at = created_at; select s2s.wake(); commit");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1, 2]);
}

#[test]
fn a_later_callback_of_a_transaction_never_overtakes_an_earlier_one() {
    let mut shop = Shop::open_with(shared_cluster(), "order_kept", SOON);
    let requests = AtomicUsize::new(0);
    shop.receiver.answer_with(move |request| {
        let is_first = request.parameter("descrMerchant") == Some("first");
        match is_first && requests.fetch_add(1, Ordering::SeqCst) < 3 {
            true => Answer::status(503),
            false => Answer::ok(),
        }
    });
    for what in ["first", "second", "third"] {
        shop.sql(&format!(
            "select s2s.report_lead('games_nl', '1', 'c', '{what}')"
        ));
    }
    shop.wait_until_delivered();
    assert_eq!(
        shop.receiver.values("descrMerchant"),
        ["first", "first", "first", "first", "second", "third"]
    );
}

#[test]
fn a_parked_callback_holds_the_later_ones_and_lets_them_go() {
    let mut shop = Shop::open(shared_cluster(), "held");
    shop.receiver.answer_with(|_| Answer::status(400));
    shop.sql("select s2s.report_lead('games_nl', '1', 'c', 'first')");
    wait_for(PATIENCE, "it is parked", || shop.status(1) == "parked");
    shop.receiver.answer_with(|_| Answer::ok());
    shop.sql("select s2s.report_lead('games_nl', '1', 'c', 'second')");
    shop.wait_until_idle();
    let statuses = "select string_agg(status, ', ' order by id) from s2s.callback";
    assert_eq!(shop.text(statuses), "parked, held");
    shop.sql("select s2s.retry(held_by) from s2s.callback where status = 'held'");
    shop.wait_until_delivered();
    assert_eq!(
        shop.receiver.values("descrMerchant"),
        ["first", "first", "second"]
    );
}

#[test]
fn a_paused_server_is_sent_nothing_until_it_goes_on() {
    let mut shop = Shop::open_with(shared_cluster(), "paused", ", paused 'true'");
    shop.insert(1..=3);
    shop.wait_until_idle();
    assert_eq!(shop.receiver.count(), 0);
    assert_eq!(
        shop.text("select state || waiting from s2s.server_status"),
        "paused3"
    );
    shop.sql("alter server games_nl options (set paused 'false')");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3]);
    shop.sql("alter server games_nl options (set paused 'true')");
    shop.insert([4]);
    shop.wait_until_idle();
    assert_eq!(shop.received(), [1, 2, 3]);
}

#[test]
fn an_altered_server_takes_effect_for_the_next_send() {
    let mut shop = Shop::open(shared_cluster(), "altered");
    shop.insert([1]);
    shop.wait_until_delivered();
    let other = Receiver::new();
    shop.sql(&format!(
        "alter server games_nl options (set lead_url '{}')",
        other.url("/l")
    ));
    shop.insert([2]);
    shop.wait_until_delivered();
    assert_eq!(
        (shop.received(), other.values("tid")),
        (vec![1], vec!["2".to_owned()])
    );
}

#[test]
fn the_rate_of_a_server_is_kept() {
    let mut shop = Shop::open_with(shared_cluster(), "rate", ", requests_per_second '20'");
    shop.insert(1..=31);
    shop.wait_until_idle();
    let requests = shop.receiver.requests();
    assert_eq!(requests.len(), 31);
    let time = requests[30].at - requests[0].at;
    assert!(
        time >= Duration::from_millis(1350),
        "{time:?} for 30 requests at 20/s, two at once"
    );
}

#[test]
fn callbacks_of_a_dropped_server_are_parked_with_the_reason() {
    let mut shop = Shop::open_with(shared_cluster(), "dropped", ", paused 'true'");
    shop.insert([1]);
    shop.sql("drop server games_nl cascade");
    wait_for(PATIENCE, "it is parked", || shop.status(1) == "parked");
    assert_eq!(
        shop.text("select last_error from s2s.queue"),
        "server \"games_nl\" does not exist"
    );
}

#[test]
fn a_dead_server_does_not_delay_the_others() {
    let mut shop = Shop::open_with(shared_cluster(), "dead", ", timeout '2s'");
    let dead = Receiver::answering(|_| Answer::Stall);
    shop.sql(&format!(
        "create server dead foreign data wrapper tradetracker options (
             campaign_id '1', product_id '2', lead_url '{}', allow_http 'true', timeout '2s');
         select s2s.report_lead('dead', id::text, 'c') from generate_series(1, 200) id",
        dead.url("/")
    ));
    dead.wait_for(5, PATIENCE);
    let start = Instant::now();
    for id in 1..=20 {
        shop.insert([id]);
        wait_for(PATIENCE, "the other server's callback", || {
            shop.received().contains(&id)
        });
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    wait_for(PATIENCE, "the dead server is broken", || {
        shop.text("select state from s2s.server_status where server = 'dead'") == "broken"
    });
    let spent = "select count(*) from s2s.queue where server = 'dead' and attempts > 0";
    assert!(
        shop.number(spent) < 40,
        "what waits behind a broken server uses up no attempts"
    );
}

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
fn a_stalled_server_does_not_keep_the_others_from_being_read() {
    let mut shop = Shop::open(shared_cluster(), "stalled");
    let stalled = Receiver::answering(|_| Answer::Stall);
    shop.sql(&format!(
        "create server stalled foreign data wrapper tradetracker options (
             campaign_id '1', product_id '2', lead_url '{}', allow_http 'true', timeout '60s');
         select s2s.report_lead('stalled', id::text, 'c') from generate_series(1, 3000) id",
        stalled.url("/")
    ));
    stalled.wait_for(16, PATIENCE);
    shop.insert(1..=3000);
    wait_for(PATIENCE, "the other server's callbacks", || {
        shop.receiver.count() == 3000
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
fn a_locked_table_delays_the_record_and_repeats_nothing() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "locked");
    shop.sql("begin; lock table s2s.attempt");
    let mut other = cluster.connect("locked");
    other
        .batch_execute(
            "insert into players select id, 'J. Doe', '12::54321::def::::1405419867'
             from generate_series(1, 16) id",
        )
        .expect("an insert");
    shop.receiver.wait_for(16, PATIENCE);
    shop.sql("rollback");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), (1..=16).collect::<Vec<_>>());
}

#[test]
fn what_is_changed_while_it_is_on_the_wire_is_recorded_where_it_is_then() {
    let mut shop = Shop::open(shared_cluster(), "moved");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(700)));
    shop.insert(1..=3);
    shop.receiver.wait_for(3, PATIENCE);
    shop.sql(
        "update s2s.queue set due_at = due_at - interval '1 hour' where transaction_id = '1';
         select s2s.cancel(id) from s2s.queue where transaction_id = '2'",
    );
    shop.wait_until_delivered();
    shop.wait_until_idle();
    assert_eq!(shop.received(), [1, 2, 3]);
    assert_eq!(shop.status(1), "delivered");
    assert_eq!(shop.status(3), "delivered");
    let attempts = "select count(*) from s2s.attempt where verdict = 'delivered'";
    assert_eq!(shop.number(attempts), 3);
}

#[test]
fn what_waits_behind_a_callback_that_is_cancelled_on_the_wire_is_sent() {
    let mut shop = Shop::open(shared_cluster(), "cancelled_ahead");
    shop.receiver
        .answer_with(|_| Answer::status(500).after(Duration::from_millis(700)));
    shop.sql(
        "select s2s.report_lead('games_nl', '1', 'c', 'first');
         select s2s.report_lead('games_nl', '1', 'c', 'second')",
    );
    shop.receiver.wait_for(1, PATIENCE);
    shop.receiver.answer_with(|_| Answer::ok());
    shop.sql("select s2s.cancel(min(id)) from s2s.queue");
    shop.wait_until_delivered();
    assert_eq!(shop.receiver.values("descrMerchant"), ["first", "second"]);
}

#[test]
fn what_was_held_is_sent_although_it_is_due_before_what_held_it_was_queued() {
    let mut shop = Shop::open_with(shared_cluster(), "held_and_older", ", retry_schedule '2s'");
    let mut earlier = shop.cluster.connect(shop.database);
    let mut run = |sql: &str| earlier.batch_execute(sql).expect(sql);
    run("begin");
    run("select now()");
    shop.receiver.answer_with(|_| Answer::status(500));
    shop.sql("select s2s.report_lead('games_nl', '1', 'c', 'first')");
    wait_for(PATIENCE, "it is tried again", || {
        shop.status(1) == "retrying"
    });
    run("select s2s.report_lead('games_nl', '1', 'c', 'second')");
    run("commit");
    shop.receiver.answer_with(|_| Answer::ok());
    // Due since its transaction began.
    shop.sql("select s2s.retry(max(id)) from s2s.queue");
    shop.wait_until_delivered();
    assert_eq!(
        shop.receiver
            .values("descrMerchant")
            .last()
            .map(String::as_str),
        Some("second")
    );
}

#[test]
fn an_answer_is_not_taken_for_that_of_another_callback_with_the_same_number() {
    let mut shop = Shop::open(shared_cluster(), "same_number");
    shop.receiver
        .answer_with(|_| Answer::ok().after(Duration::from_millis(700)));
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    shop.sql("truncate s2s.queue restart identity");
    shop.insert([2]);
    assert_eq!(shop.number("select id from s2s.queue"), 1);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2]);
}
