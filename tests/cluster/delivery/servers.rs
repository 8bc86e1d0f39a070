//! Foreign servers that are paused, altered, dropped, dead or slow.

use std::time::{Duration, Instant};

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Answer, Receiver, wait_for};

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
    assert_eq!(shop.status(1), "parked");
    assert_eq!(
        shop.text("select last_error from s2s.queue"),
        "server \"games_nl\" was dropped"
    );
}

#[test]
fn a_dead_server_does_not_delay_the_others() {
    let mut shop = Shop::open_with(shared_cluster(), "dead", ", timeout '2s'");
    let dead = Receiver::answering(|_| Answer::Stall);
    shop.sql(&format!(
        "create server dead foreign data wrapper tradetracker options (
             campaign_id '1', product_id '2', lead_url '{}', allow_http 'true', click_ids 'any', timeout '2s');
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
    let problem = "select problem from s2s.server_status where server = 'dead'";
    let last_error = "select max(last_error) from s2s.queue where server = 'dead'";
    assert_eq!(shop.text(problem), shop.text(last_error));
    assert_ne!(shop.text(problem), "");
    let spent = "select count(*) from s2s.queue where server = 'dead' and attempts > 0";
    assert!(
        shop.number(spent) < 40,
        "what waits behind a broken server uses up no attempts"
    );
}

#[test]
fn a_stalled_server_does_not_keep_the_others_from_being_read() {
    let mut shop = Shop::open(shared_cluster(), "stalled");
    let stalled = Receiver::answering(|_| Answer::Stall);
    shop.sql(&format!(
        "create server stalled foreign data wrapper tradetracker options (
             campaign_id '1', product_id '2', lead_url '{}', allow_http 'true', click_ids 'any', timeout '60s');
         select s2s.report_lead('stalled', id::text, 'c') from generate_series(1, 3000) id",
        stalled.url("/")
    ));
    stalled.wait_for(16, PATIENCE);
    shop.insert(1..=3000);
    wait_for(PATIENCE, "the other server's callbacks", || {
        shop.receiver.count() == 3000
    });
}
