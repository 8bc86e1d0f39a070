//! The ledger: writers commit and roll back orders while a receiver keeps every request. Whatever
//! goes wrong meanwhile, once nothing is owed any more,
//!
//! - everything that committed was received: nothing is lost;
//! - nothing else was received: nothing is invented;
//! - what was received twice was in flight at a fault;
//! - what is said of one order came in its order.
//!
//! A commit whose answer the fault swallowed counts as what the table then says. Each fault strikes
//! at times that a seed decides, which is printed; `make soak` goes many rounds.

mod book;
mod desk;
pub mod faults;
mod inbox;
pub mod scene;
mod writers;

use faults::Fault;
use scene::{Balance, Scene};

/// Goes one round; panics if the balance is not as it should be.
pub fn go_round(fault: &Fault, seed: u64) -> Balance {
    println!("{}: seed {seed}", fault.name);
    let mut scene = Scene::start(&fault.setting, seed);
    for _ in 0..fault.times {
        scene.traffic();
        (fault.strike)(&mut scene);
    }
    scene.traffic();
    let balance = scene.settle();
    println!("{}: {balance:?}", fault.name);
    assert!(
        balance.is_right(),
        "{}: seed {seed}: {balance:?}",
        fault.name
    );
    balance
}

macro_rules! nothing_is_lost_or_invented_by {
    ($($fault:ident)*) => {
        /// All faults, for many rounds.
        #[allow(dead_code)]
        pub const FAULTS: &[fn() -> Fault] = &[$(faults::$fault),*];

        mod nothing_is_lost_or_invented_by {
            $(#[test]
            fn $fault() {
                let now = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970");
                super::go_round(&super::faults::$fault(), u64::from(now.subsec_nanos()));
            })*
        }
    };
}

nothing_is_lost_or_invented_by! {
    killed_worker
    crashed_thread
    killed_session
    killed_postmaster
    immediate_stop
    immediate_stop_although_commits_do_not_wait
    fast_restart_with_a_full_queue
    terminated_worker
    promoted_standby
    savepoints_rolled_back
    crash_among_prepared_transactions
    receiver_resets
    receiver_stalls
    receiver_floods
    receiver_answers_late
    receiver_is_down
    full_disk
}
