//! Callbacks that another session changes, by hand or while they are on the wire.

use std::time::Duration;

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, wait_for};

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
    let id = shop.number("select id from s2s.queue");
    // No command but this gives a number twice.
    shop.sql(&format!(
        "truncate s2s.queue; select setval('s2s.queue_id_seq', {id} - 1)"
    ));
    shop.insert([2]);
    assert_eq!(shop.number("select id from s2s.queue"), id);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2]);
}
