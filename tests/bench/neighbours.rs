//! One of four servers is dead: the others' time from commit to wire, against the same with all
//! four alive.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::shop::Shop;
use crate::support::{Answer, Receiver};
use crate::{Figure, quantile};

/// Rows a second to each server, and for how many seconds.
const RATE: u32 = 50;
const SECONDS: u32 = 8;

pub fn measure() -> Vec<Figure> {
    let alive = p99(false);
    let with_dead = p99(true);
    vec![
        Figure::new("commit → wire, four servers alive, p99", alive, "ms"),
        Figure::new(
            "commit → wire, one of four dead, the others' p99",
            with_dead,
            "ms",
        ),
        Figure::new("p99 with a dead neighbour / alone", with_dead / alive, ""),
    ]
}

fn p99(one_is_dead: bool) -> f64 {
    let mut shop = Shop::open("");
    let receivers: Vec<Receiver> = (0..4).map(|_| Receiver::new()).collect();
    for (number, receiver) in receivers.iter().enumerate() {
        if one_is_dead && number == 0 {
            receiver.answer_with(|_| Answer::Stall);
        }
        let url = receiver.url("/l");
        shop.client
            .batch_execute(&format!(
                "create server s{number} foreign data wrapper tradetracker options (
                     campaign_id '1', product_id '2', lead_url '{url}', allow_http 'true')"
            ))
            .expect("a server");
    }
    let mut committed = HashMap::new();
    let start = Instant::now();
    for row in 0..RATE * SECONDS {
        let due = start + Duration::from_secs(1) * row / RATE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sql = "select s2s.report_lead('s' || n, $1::text, 'c') from generate_series(0, 3) n";
        let id = row.to_string();
        let mut transaction = shop.client.transaction().expect("begin");
        transaction.execute(sql, &[&id]).expect(sql);
        let at = Instant::now();
        transaction.commit().expect("commit");
        committed.insert(id, at);
    }
    let mut milliseconds = Vec::new();
    for receiver in &receivers[1..] {
        for request in receiver.wait_for((RATE * SECONDS) as usize, Duration::from_secs(30)) {
            let id = request.parameter("tid").expect("a transaction id");
            milliseconds.push(request.at.duration_since(committed[id]).as_secs_f64() * 1000.0);
        }
    }
    quantile(&mut milliseconds, 0.99)
}
