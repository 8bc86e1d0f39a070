//! Promises about the pure half's HTTP client and thread pool, against servers on loopback that
//! lie, stall and flood. No PostgreSQL, no network.
//!
//! | file | |
//! |---|---|
//! | `failures.rs` | every way to get no answer: its message, whether the request may have arrived |
//! | `timeouts.rs` | what drips or stalls ends with the timeout |
//! | `names.rs` | names that resolve slowly |
//! | `answers.rs`, `bodies.rs` | statuses, headers and bodies, honest and not |
//! | `connections.rs` | what is sent, and on which connection |
//! | `tls.rs` | whom we trust |
//! | `pool.rs` | the threads and their bell |
//! | `liar.rs`, `certificates.rs` | the server, and what it shows for itself |

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod bodies;
mod certificates;
mod connections;
mod failures;
mod liar;
mod names;
mod pool;
mod timeouts;
mod tls;

use std::sync::LazyLock;
use std::time::Duration;

use pgrx_ext::delivery::{Answer, Failure, Reply};
use pgrx_ext::http::client::{Client, ClientSettings, Clients, SystemRoots};

/// Time enough for anything that ends at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// The timeout of requests that are to run into it.
const BRIEF: Duration = Duration::from_millis(300);

/// So long may such a request take at most: what does not time out takes longer.
const BRIEF_AT_MOST: Duration = Duration::from_secs(5);

static ROOTS: LazyLock<SystemRoots> = LazyLock::new(SystemRoots::load);

/// Settings under which everything on loopback can be called.
fn settings() -> ClientSettings {
    ClientSettings {
        timeout: PATIENCE,
        user_agent: "it".to_owned(),
        allow_private_addresses: true,
        ca_file: None,
    }
}

/// A client of these settings, which must be good.
#[track_caller]
fn client_of(settings: &ClientSettings) -> Client {
    clients(16).client(settings).expect("a client")
}

/// Clients of which half as many connections may be idle, but for those with a `ca_file`.
fn clients(idle: usize) -> Clients {
    Clients::new(ROOTS.clone(), idle)
}

/// A client that can call everything on loopback.
fn client() -> Client {
    client_of(&settings())
}

/// One whose requests soon time out.
fn brief_client() -> Client {
    client_of(&ClientSettings {
        timeout: BRIEF,
        ..settings()
    })
}

/// The answer in a reply that must be one.
#[track_caller]
fn answer(reply: Reply) -> Answer {
    match reply {
        Reply::Answer(answer) => answer,
        Reply::Failure(failure) => panic!("no answer: {failure}"),
    }
}

/// The failure in a reply that must be one.
#[track_caller]
fn failure(reply: Reply) -> Failure {
    match reply {
        Reply::Answer(answer) => panic!("an answer: {answer:?}"),
        Reply::Failure(failure) => failure,
    }
}
