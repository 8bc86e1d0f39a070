//! What is tried again, what is parked, and what waits behind it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Answer, wait_for};

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
