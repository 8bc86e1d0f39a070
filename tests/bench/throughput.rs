//! Deliveries per second, against the same number of requests by a bare ureq pool in one run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pgrx_ext::http::client::{ClientSettings, Clients, SystemRoots};

use crate::shop::Shop;
use crate::{Figure, median};

/// Callbacks a round.
const CALLBACKS: usize = 100_000;

/// Rounds; the median counts.
const ROUNDS: usize = 3;

/// Threads, and requests at once, of both.
const THREADS: usize = 16;

pub fn measure() -> Vec<Figure> {
    let mut shop = Shop::open(&format!(", max_in_flight '{THREADS}'"));
    let mut delivered = Vec::new();
    let mut bare = Vec::new();
    for round in 0..ROUNDS {
        eprintln!("  round {} of {ROUNDS}", round + 1);
        delivered.push(CALLBACKS as f64 / deliver(&mut shop).as_secs_f64());
        shop.receiver.take_requests();
        bare.push(CALLBACKS as f64 / send_bare(&shop.receiver.url("/l")).as_secs_f64());
        assert_eq!(
            shop.receiver.take_requests().len(),
            CALLBACKS,
            "every request arrives"
        );
    }
    let (delivered, bare) = (median(&mut delivered), median(&mut bare));
    vec![
        Figure::new(
            format!("deliveries of {CALLBACKS} callbacks"),
            delivered,
            "/s",
        ),
        Figure::new(
            format!("requests by a bare ureq pool of {THREADS} threads"),
            bare,
            "/s",
        ),
        Figure::new("deliveries / bare requests", delivered / bare, ""),
    ]
}

/// From the commit of all callbacks to the last one's record.
fn deliver(shop: &mut Shop) -> Duration {
    shop.receiver.take_requests();
    shop.insert(CALLBACKS);
    let start = Instant::now();
    shop.wait_until_idle();
    let time = start.elapsed();
    assert_eq!(
        shop.receiver.count(),
        CALLBACKS,
        "every callback is delivered once"
    );
    time
}

fn send_bare(url: &str) -> Duration {
    let settings = ClientSettings {
        timeout: Duration::from_secs(10),
        user_agent: "bench".to_owned(),
        allow_private_addresses: true,
        ca_file: None,
    };
    let client = Clients::new(SystemRoots::load(), 2 * THREADS)
        .client(&settings)
        .expect("a client");
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < CALLBACKS {
                    client.get(url);
                }
            });
        }
    });
    start.elapsed()
}
