//! From COMMIT to the request on the wire, over loopback, with `fsync`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::shop::Shop;
use crate::{Figure, median, quantile};

/// Rows per second, and for how many seconds.
const LOADS: [(u32, u32); 2] = [(10, 10), (500, 6)];

pub fn measure() -> Vec<Figure> {
    let mut shop = Shop::open("");
    let mut next_id = 1;
    // The first callback pays for the connection and the caches.
    commit(&mut shop, &mut next_id);
    shop.wait_until_idle();
    LOADS
        .into_iter()
        .flat_map(|(rate, seconds)| at(&mut shop, &mut next_id, rate, seconds))
        .collect()
}

fn at(shop: &mut Shop, next_id: &mut i64, rate: u32, seconds: u32) -> Vec<Figure> {
    shop.receiver.take_requests();
    let mut committed = HashMap::new();
    let start = Instant::now();
    for row in 0..rate * seconds {
        let due = start + Duration::from_secs(1) * row / rate;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let (id, at) = commit(shop, next_id);
        committed.insert(id.to_string(), at);
    }
    shop.wait_until_idle();
    let mut milliseconds: Vec<f64> = shop
        .receiver
        .take_requests()
        .iter()
        .map(|request| {
            let (_, id) = request
                .query
                .iter()
                .find(|(name, _)| name == "tid")
                .expect("an id");
            request.at.duration_since(committed[id]).as_secs_f64() * 1000.0
        })
        .collect();
    assert_eq!(
        milliseconds.len(),
        committed.len(),
        "every callback is delivered once"
    );
    let name = |what| format!("commit → wire at {rate} rows/s, {what}");
    vec![
        Figure::new(name("median"), median(&mut milliseconds), "ms"),
        Figure::new(name("p99"), quantile(&mut milliseconds, 0.99), "ms"),
    ]
}

/// Inserts a row; returns its id and the moment before its COMMIT.
fn commit(shop: &mut Shop, next_id: &mut i64) -> (i64, Instant) {
    let id = *next_id;
    *next_id += 1;
    let mut transaction = shop.client.transaction().expect("begin");
    transaction
        .execute(
            "insert into players values ($1, 'J. Smith', '0::12345::abc::::1405418672')",
            &[&id],
        )
        .expect("an insert");
    let at = Instant::now();
    transaction.commit().expect("commit");
    (id, at)
}
