//! What tests against a real server share: a private PostgreSQL tree with the built extension,
//! throw-away clusters of it, and an HTTP receiver on loopback that does what it is told.
//!
//! | file | |
//! |---|---|
//! | `scratch.rs` | the temporary folder; it goes when its process ends, however that ends |
//! | `process.rs` | commands as a user whom PostgreSQL accepts |
//! | `installation.rs` | PostgreSQL's binaries and the extension, away from the system's own |
//! | `cluster.rs`, `cluster/` | a data folder and its server |
//! | `receiver.rs`, `receiver/` | the receiver, its requests and answers |
//!
//! What goes wrong here is a panic that says what and why. Include it with
//! `#[path = "../support/mod.rs"] mod support;`.

// Each test binary uses its own part.
#![allow(dead_code, unused_imports)]

mod cluster;
mod installation;
mod process;
mod receiver;
mod scratch;

use std::thread;
use std::time::{Duration, Instant};

pub use cluster::{Builder, Cluster, Mode};
pub use installation::{Installation, install_extension, library};
pub use process::{
    as_server_user, crash_thread, memory, peak_memory, pool_threads, run, status_of,
};
pub use receiver::{Answer, Receiver, Request};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until `condition` holds; panics with `what` if it does not within `deadline`.
#[track_caller]
pub fn wait_for(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for_some(deadline, what, || condition().then_some(()));
}

/// Waits until `look` finds something; panics with `what` if it does not within `deadline`.
#[track_caller]
pub fn wait_for_some<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        thread::sleep(LOOK);
    }
}
