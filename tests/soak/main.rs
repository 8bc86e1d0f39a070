//! `make soak`: many rounds of the ledger test under every fault, and what came of them as the table
//! that stands in the manual.
//!
//! `ROUNDS` of each fault (10), with seeds from `SEED` on (chance).

#[path = "../cluster/faults"]
mod faults {
    pub mod ledger;
}
#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::UNIX_EPOCH;

use faults::ledger::scene::Balance;
use faults::ledger::{FAULTS, go_round};

/// How many rounds go on at once: they wait most of the time.
const AT_ONCE: usize = 3;

fn main() {
    let rounds: usize = from_environment("ROUNDS").unwrap_or(10);
    let seed: u64 = from_environment("SEED").unwrap_or_else(|| {
        let now = UNIX_EPOCH.elapsed();
        now.expect("a time after 1970").as_secs()
    });
    println!("{rounds} rounds of each fault, SEED={seed}");
    let sums = Mutex::new(vec![Balance::default(); FAULTS.len()]);
    let next = AtomicUsize::new(0);
    // A round that panics ends its thread, and in the end all of this with its message.
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, SeqCst);
                    let (round, place) = (number / FAULTS.len(), number % FAULTS.len());
                    if round >= rounds {
                        return;
                    }
                    let balance = go_round(&FAULTS[place](), seed + round as u64);
                    add(&mut sums.lock().expect("the sums")[place], &balance);
                }
            });
        }
    });
    println!(
        "\n| fault | rounds | committed | received | lost | invented | received twice | bound |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (fault, sum) in FAULTS.iter().zip(sums.lock().expect("the sums").iter()) {
        let Balance {
            committed,
            received,
            lost,
            invented,
            repeated,
            bound,
        } = sum;
        println!(
            "| {} | {rounds} | {committed} | {received} | {lost} | {invented} | {repeated} | {bound} |",
            fault().name
        );
    }
}

fn add(sum: &mut Balance, round: &Balance) {
    sum.committed += round.committed;
    sum.received += round.received;
    sum.lost += round.lost;
    sum.invented += round.invented;
    sum.repeated += round.repeated;
    sum.bound += round.bound;
}

/// A number from the environment; empty is none.
fn from_environment<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok().filter(|text| !text.is_empty())?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text} is no number")))
}
