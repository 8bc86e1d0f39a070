//! Sending what may go, and judging what came back.

#![forbid(unsafe_code)]

use std::rc::Rc;
use std::time::{Instant, SystemTime};

use pgrx::prelude::*;

use super::Worker;
use super::servers::Sending;
use crate::delivery::attempt::kept_response;
use crate::delivery::breaker::Health;
use crate::delivery::retry::fate;
use crate::delivery::{Attempt, Callback, Reply};
use crate::http::pool::Finished;
use crate::network::Server;
use crate::network::secret::Secret;
use crate::pg::sys::signal;

/// A callback in flight, with its server and password as they were when it was sent.
pub(super) struct InFlight {
    callback: Callback,
    server: Rc<Server>,
    password: Option<Secret>,
    /// Without the password.
    url: String,
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
                    request,
                    server,
                    password,
                    url,
                }) => {
                    self.pool.send(request);
                    let in_flight = InFlight {
                        callback,
                        server,
                        password,
                        url,
                    };
                    self.in_flight.insert(in_flight.callback.id, in_flight);
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

    /// Judges what the pool has finished.
    pub(super) fn collect(&mut self) {
        let now = Instant::now();
        for finished in self.pool.finished() {
            let Some(in_flight) = self.in_flight.remove(&finished.id) else {
                continue;
            };
            let attempt = judge(in_flight, finished, self.random.rand_float());
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

/// The attempt of a callback that the pool has finished; `chance` is uniform in `0.0..1.0`.
fn judge(in_flight: InFlight, finished: Finished, chance: f64) -> Attempt {
    let InFlight {
        callback,
        server,
        password,
        url,
    } = in_flight;
    let health = Health::of(&finished.reply);
    let (verdict, reply) = server.judge_redacted(
        callback.action,
        &callback.parameters(),
        finished.reply,
        password.as_ref(),
    );
    let (status, response) = match reply {
        Reply::Answer(answer) => (Some(answer.status), Some(kept_response(answer.body))),
        Reply::Failure(_) => (None, None),
    };
    Attempt {
        fate: fate(&verdict, callback.attempts + 1, &server.retry, chance),
        callback,
        url: Some(url),
        started_at: finished.started_at,
        duration: finished.duration,
        status,
        verdict,
        response,
        health,
    }
}
