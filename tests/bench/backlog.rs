//! What a backlog costs: reading the queue with little and with much in it, and after much of it
//! was delivered but cannot be vacuumed yet. And the worker's memory meanwhile.

use std::time::Instant;

use crate::shop::Shop;
use crate::support::memory;
use crate::{Figure, median};

/// Callbacks that wait at another, paused server.
const BACKLOGS: [usize; 2] = [10_000, 1_000_000];

/// Callbacks that are delivered while a transaction keeps them from being vacuumed.
const DEAD: usize = 1_000_000;

/// Callbacks delivered to measure with.
const PROBE: usize = 5_000;

/// Rounds; the median counts.
const ROUNDS: usize = 5;

pub fn measure() -> Vec<Figure> {
    let mut shop = Shop::open("");
    shop.client
        .batch_execute(
            "create server paused foreign data wrapper tradetracker options (
                 campaign_id '1', product_id '2', paused 'true', click_ids 'any')",
        )
        .expect("a paused server");
    let empty = rate(&mut shop);
    let mut figures = vec![Figure::new(
        "deliveries, nothing else in the queue",
        empty,
        "/s",
    )];
    let mut waiting = 0;
    for backlog in BACKLOGS {
        queue_at_paused(&mut shop, backlog - waiting);
        waiting = backlog;
        let name = format!("deliveries / the same with {backlog} callbacks waiting elsewhere");
        figures.push(Figure::new(name, empty / rate(&mut shop), ""));
    }
    let mut reader = shop.connect();
    let mut old = reader
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead);
    old = old.read_only(true);
    let mut old = old.start().expect("begin");
    old.execute("select 1 from s2s.queue limit 1", &[])
        .expect("a snapshot");
    shop.insert(DEAD);
    shop.wait_until_idle();
    let name =
        format!("deliveries / the same with {DEAD} dead rows that an open transaction keeps");
    figures.push(Figure::new(name, empty / rate(&mut shop), ""));
    old.commit().expect("commit");
    figures.push(Figure::new(
        "worker's peak memory",
        peak_memory(&mut shop),
        "MB",
    ));
    figures
}

/// Callbacks delivered per second.
fn rate(shop: &mut Shop) -> f64 {
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            shop.insert(PROBE);
            let start = Instant::now();
            shop.wait_until_idle();
            PROBE as f64 / start.elapsed().as_secs_f64()
        })
        .collect();
    shop.receiver.take_requests();
    median(&mut rates)
}

fn queue_at_paused(shop: &mut Shop, count: usize) {
    let sql = "select count(s2s.report_lead('paused', id::text, 'c')) from generate_series(1, $1::bigint) id";
    shop.client.execute(sql, &[&(count as i64)]).expect(sql);
    shop.client
        .batch_execute("vacuum analyze s2s.queue")
        .expect("vacuum");
}

/// The worker's peak resident memory that is its own, in MB.
fn peak_memory(shop: &mut Shop) -> f64 {
    let pid: i32 = shop
        .client
        .query_one("select pid from s2s.worker_status()", &[])
        .expect("a worker")
        .get(0);
    let kilobytes = |kind| memory(pid.into(), kind) as f64;
    // Shared buffers count once touched; they are not the worker's.
    (kilobytes("VmHWM") - kilobytes("RssShmem")) / 1024.0
}
