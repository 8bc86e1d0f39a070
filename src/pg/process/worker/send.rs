//! Sending what may go, and what came back.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pgrx::prelude::*;

use super::Worker;
use super::servers::Sending;
use crate::delivery::attempt::kept_response;
use crate::delivery::breaker::Health;
use crate::delivery::retry::fate;
use crate::delivery::{Attempt, Callback, FailureKind, Reply, Verdict};
use crate::http::pool::{Finished, Request};
use crate::network::Server;
use crate::network::secret::Secret;
use crate::pg::sys::signal;

/// A callback in flight, with its server and password as they were when it was sent.
#[derive(Clone)]
pub(super) struct InFlight {
    callback: Callback,
    server: Arc<Server>,
    password: Option<Secret>,
    /// Without the password.
    url: String,
}

/// What a thread of the pool makes of a reply.
pub(super) struct Judged {
    health: Health,
    verdict: Verdict,
    status: Option<u16>,
    response: Option<String>,
    /// Nothing was tried: no file descriptor was left.
    is_untried: bool,
}

impl Worker {
    /// Hands the pool all that may be sent now.
    pub(super) fn send(&mut self) {
        let now = Instant::now();
        // A crash sends again what is not on record: there must not be much of it.
        while self.recording.to_record() < self.threads
            && !signal::is_stop_requested()
            && let Some(callback) = self.scheduler.next(now)
        {
            match self.servers.sending(&callback) {
                Ok(Sending {
                    client,
                    url_as_sent,
                    server,
                    password,
                    url,
                }) => {
                    let id = callback.id;
                    let in_flight = Arc::new(InFlight {
                        callback,
                        server,
                        password,
                        url,
                    });
                    self.in_flight.insert(id, in_flight.clone());
                    self.pool.send(Request {
                        id,
                        client,
                        url: url_as_sent,
                        judge: Box::new(move |reply| judge(&in_flight, reply)),
                    });
                }
                Err(message) => {
                    self.scheduler.unsent(&callback);
                    let now = SystemTime::now().into();
                    self.recording
                        .add(Attempt::unsendable(callback, message, now));
                }
            }
        }
    }

    /// Takes what the pool has finished.
    pub(super) fn collect(&mut self) {
        let now = Instant::now();
        for finished in self.pool.finished() {
            let Some(in_flight) = self.in_flight.remove(&finished.id) else {
                continue;
            };
            if finished.judged.as_ref().is_ok_and(|it| it.is_untried) {
                let InFlight { callback, .. } = Arc::unwrap_or_clone(in_flight);
                warning!(
                    "s2s: no file descriptor is left to send callback {}",
                    callback.id
                );
                self.scheduler.put_back(callback, now);
                continue;
            }
            let attempt = attempt(in_flight, finished, self.random.rand_float());
            let changed = self
                .scheduler
                .answered(&attempt.callback, attempt.health, now);
            let server = &attempt.callback.server;
            match attempt.health {
                _ if !changed => {}
                Health::Ill => log!(
                    "s2s: server \"{server}\" is broken, it is probed: {}",
                    attempt.verdict.message()
                ),
                _ => log!("s2s: server \"{server}\" is back"),
            }
            self.recording.add(attempt);
        }
    }
}

/// What a reply means, and what of it is kept. A thread of the pool does this: bodies, regular
/// expressions and passwords are what others wrote, and it may take its time.
fn judge(in_flight: &InFlight, reply: Reply) -> Judged {
    let InFlight {
        callback,
        server,
        password,
        ..
    } = in_flight;
    let health = Health::of(&reply);
    let is_untried = matches!(&reply, Reply::Failure(failure)
        if failure.kind == FailureKind::OutOfDescriptors && !failure.ambiguous);
    let (verdict, reply) = server.judge_redacted(
        callback.action,
        &callback.parameters(),
        reply,
        password.as_ref(),
    );
    let (status, response) = match reply {
        Reply::Answer(answer) => (Some(answer.status), Some(kept_response(answer.body))),
        Reply::Failure(_) => (None, None),
    };
    Judged {
        health,
        verdict,
        status,
        response,
        is_untried,
    }
}

/// The attempt of a callback that the pool has finished; `chance` is uniform in `0.0..1.0`.
fn attempt(in_flight: Arc<InFlight>, finished: Finished<Judged>, chance: f64) -> Attempt {
    let Judged {
        health,
        verdict,
        status,
        response,
        ..
    } = finished
        .judged
        .unwrap_or_else(|failure| judge(&in_flight, Reply::Failure(failure)));
    // The pool's thread has dropped its own.
    let InFlight {
        callback,
        server,
        url,
        ..
    } = Arc::unwrap_or_clone(in_flight);
    Attempt {
        fate: fate(&verdict, callback.attempts + 1, &server.retry, chance),
        // They are not needed any more, and may be large.
        callback: Callback {
            parameters: Default::default(),
            ..callback
        },
        url: Some(url),
        started_at: finished.started_at,
        duration: finished.duration,
        status,
        verdict,
        response,
        health,
    }
}
