//! Sending what may go, judging what came back, recording what becomes of it.

use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant, SystemTime};

use pgrx::prelude::*;

use super::lanes::Sending;
use super::sql::{self, Record};
use super::{Worker, crash};
use crate::delivery::breaker::Health;
use crate::delivery::client::MOST_KEPT;
use crate::delivery::pool::Finished;
use crate::delivery::retry::{Fate, fate};
use crate::delivery::{Callback, Outcome, Reply, Verdict};
use crate::network::Server;
use crate::network::secret::Secret;
use crate::pg::sys::signal as stop;
use crate::pg::sys::transaction::SqlError;

/// So long a worker that is to stop waits for callbacks that somebody else has locked.
const LAST_LOCKS: Duration = Duration::from_secs(1);

/// A callback in flight, with its server and password as they were when it was sent.
pub(super) struct Flying {
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
        while self.unrecorded.len() < self.threads
            && !stop::is_requested()
            && let Some(callback) = self.scheduler.next(now)
        {
            match self.lanes.sending(&callback) {
                Ok(Sending {
                    request,
                    server,
                    password,
                    url,
                }) => {
                    self.pool.send(request);
                    let flying = Flying {
                        callback,
                        server,
                        password,
                        url,
                    };
                    self.flying.insert(flying.callback.id, flying);
                }
                Err(message) => {
                    self.scheduler.unsent(&callback);
                    self.unrecorded.push(unsendable(callback, message));
                }
            }
        }
    }

    /// Judges what the pool has finished; false if that is nothing.
    pub(super) fn collect(&mut self) -> bool {
        let now = Instant::now();
        let all_finished = self.pool.finished();
        let found = !all_finished.is_empty();
        for finished in all_finished {
            let Some(flying) = self.flying.remove(&finished.id) else {
                continue;
            };
            let outcome = self.judge(flying, finished);
            let Outcome {
                callback,
                verdict,
                health,
                ..
            } = &outcome;
            if self.scheduler.answered(callback, *health, now) {
                let server = &callback.server;
                match health {
                    Health::Ill => log!(
                        "s2s: server \"{server}\" is broken, it is probed: {}",
                        verdict.message()
                    ),
                    _ => log!("s2s: server \"{server}\" is back"),
                }
            }
            self.unrecorded.push(outcome);
        }
        found
    }

    fn judge(&mut self, flying: Flying, finished: Finished) -> Outcome {
        let Flying {
            callback,
            server,
            password,
            url,
        } = flying;
        let chance = self.random.rand_float();
        let health = Health::of(&finished.reply);
        let (verdict, reply) = server.judge_redacted(
            callback.action,
            &callback.parameters(),
            finished.reply,
            password.as_ref(),
        );
        let fate = fate(&verdict, callback.attempts + 1, &server.retry, chance);
        let (status, response) = match reply {
            Reply::Answer(answer) => (Some(answer.status), Some(shorten(answer.body))),
            Reply::Failure(_) => (None, None),
        };
        Outcome {
            callback,
            url: Some(url),
            started_at: finished.started_at,
            duration: finished.duration,
            status,
            verdict,
            response,
            fate,
            health,
        }
    }

    /// Records all outcomes at hand in one transaction; if that fails, each in one of its own, so
    /// that one that cannot be recorded does not keep the others.
    pub(super) fn record(&mut self) -> Result<(), SqlError> {
        let outcomes = std::mem::take(&mut self.unrecorded);
        if outcomes.is_empty() {
            return Ok(());
        }
        match self.statements.record(&outcomes) {
            Ok(record) => {
                self.recorded(outcomes, record);
                return Ok(());
            }
            Err(error) if !error.is_about_values() => {
                self.unrecorded = outcomes;
                return Err(error);
            }
            Err(_) => {}
        }
        let mut result = Ok(());
        for outcome in outcomes {
            if crash::seen().is_some() {
                // The process has to end soon; what is not on record is sent again.
                break;
            }
            match self.statements.record(std::slice::from_ref(&outcome)) {
                Ok(record) => self.recorded(vec![outcome], record),
                Err(error) => {
                    result = Err(error);
                    self.unrecorded.push(outcome);
                }
            }
        }
        result
    }

    /// Records what is left before the process ends. Sessions that are told to stop as well let go
    /// of their locks in a moment.
    pub(super) fn record_last(&mut self) -> Result<(), SqlError> {
        let deadline = Instant::now() + LAST_LOCKS;
        loop {
            self.unrecorded.extend(self.locked.take_all());
            self.record()?;
            let now = Instant::now();
            if self.locked.is_empty() || now >= deadline {
                break;
            }
            self.sleep(LAST_LOCKS / 10);
            self.collect();
        }
        if !self.locked.is_empty() {
            warning!(
                "s2s: somebody has locked {} callbacks that were sent; they are sent again",
                self.locked.len()
            );
        }
        Ok(())
    }

    /// Outcomes are on record, but for those whose callbacks are locked.
    fn recorded(&mut self, outcomes: Vec<Outcome>, record: Record) {
        let is_locked = |outcome: &Outcome| record.locked.contains(&outcome.callback.id);
        let (locked, recorded): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(is_locked);
        recorded.iter().for_each(|outcome| self.settle(outcome));
        let of_locked = |outcome: &Outcome| self.scheduler.locked(&outcome.callback);
        locked.iter().for_each(of_locked);
        if self.locked.set_aside(locked, Instant::now()) {
            log!(
                "s2s: somebody has locked callbacks that were sent; they are recorded when the locks are gone"
            );
        }
        if record.found_changes {
            // What is forgotten since these hold it back may be held by nothing: they can be gone.
            self.seen_reloads = None;
        }
    }

    /// The next callback of the outcome's transaction may go.
    fn settle(&mut self, outcome: &Outcome) {
        let Outcome {
            callback, verdict, ..
        } = outcome;
        match outcome.fate {
            Fate::Gone => {
                let at = outcome.started_at.0 + outcome.duration.as_micros() as i64;
                self.slot.last_delivery_at.store(at, SeqCst);
                // It may have held others of its transaction, whenever they are due: read them now.
                if callback.attempts > 0
                    && let Some(lane) = self.lanes.get_mut(&callback.server)
                {
                    lane.rewind(sql::START);
                }
            }
            Fate::Later(pause) => self.next_look = self.next_look.min(Instant::now() + pause),
            Fate::Parked => log!(
                "s2s: callback {} for server \"{}\" is parked: {}",
                callback.id,
                callback.server,
                verdict.message()
            ),
        }
        self.scheduler.recorded(callback, outcome.fate);
    }
}

/// The outcome of a callback that could not be sent at all.
fn unsendable(callback: Callback, message: String) -> Outcome {
    Outcome {
        callback,
        url: None,
        started_at: SystemTime::now().into(),
        duration: Duration::ZERO,
        status: None,
        verdict: Verdict::Failed { message },
        response: None,
        fate: Fate::Parked,
        health: Health::Unknown,
    }
}

/// So much of a body as is kept, cut between characters and without NUL.
fn shorten(mut body: String) -> String {
    body.retain(|c| c != '\0');
    let end = (0..=MOST_KEPT.min(body.len()))
        .rev()
        .find(|end| body.is_char_boundary(*end));
    body.truncate(end.unwrap_or_default());
    body
}
