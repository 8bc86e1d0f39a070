//! Recording attempts, with the next states of their callbacks.

#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::Worker;
use crate::delivery::Attempt;
use crate::delivery::retry::Fate;
use crate::pg::queue;
use crate::pg::queue::record::Record;
use crate::pg::sys::latch;
use crate::pg::sys::transaction::{SqlError, transaction};

/// Time that a worker which is to stop waits for callbacks that other sessions have locked.
const LAST_LOCKS: Duration = Duration::from_secs(1);

impl Worker {
    /// Records all attempts at hand in one database transaction; if one of them cannot be recorded,
    /// each in one of its own, so that it does not keep back the others.
    pub(super) fn record(&mut self) -> Result<(), SqlError> {
        let attempts = self.recording.take();
        if attempts.is_empty() {
            return Ok(());
        }
        match transaction(|| queue::record::attempts(&attempts)) {
            Ok(record) => {
                self.recorded(attempts, record);
                return Ok(());
            }
            Err(error) if !error.is_about_values() => {
                attempts
                    .into_iter()
                    .for_each(|attempt| self.recording.add(attempt));
                return Err(error);
            }
            Err(_) => {}
        }
        let mut result = Ok(());
        for attempt in attempts {
            match transaction(|| queue::record::attempts(std::slice::from_ref(&attempt))) {
                Ok(record) => self.recorded(vec![attempt], record),
                Err(error) => {
                    result = Err(error);
                    self.recording.add(attempt);
                }
            }
        }
        result
    }

    /// Records what is left before the process ends. Sessions that are told to stop as well release
    /// their locks in a moment.
    pub(super) fn record_last(&mut self) -> Result<(), SqlError> {
        let deadline = Instant::now() + LAST_LOCKS;
        loop {
            self.recording.retry_all_locked();
            self.record()?;
            if self.recording.locked() == 0 || Instant::now() >= deadline {
                break;
            }
            latch::sleep_until_bell(self.pool.bell(), LAST_LOCKS / 10);
            self.collect();
        }
        if self.recording.locked() > 0 {
            warning!(
                "s2s: other sessions have locked {} callbacks that were sent; they are sent again",
                self.recording.locked()
            );
        }
        Ok(())
    }

    /// Attempts are on record, but for those whose callbacks are locked.
    fn recorded(&mut self, attempts: Vec<Attempt>, record: Record) {
        for attempt in &attempts {
            if record.locked.contains(&attempt.callback.id) {
                self.scheduler.locked(&attempt.callback);
            }
        }
        let (recorded, is_first_lock) =
            self.recording
                .recorded(attempts, &record.locked, Instant::now());
        for attempt in recorded {
            self.release(attempt);
        }
        if is_first_lock {
            log!(
                "s2s: another session has locked callbacks that were sent; they are recorded when the locks are gone"
            );
        }
        if record.found_changes {
            // Later callbacks were forgotten because these hold them. If these are gone, only a new
            // reading brings them back.
            self.reading.start_over();
        }
    }

    /// The next callback of a recorded attempt's transaction id may go.
    fn release(&mut self, attempt: Attempt) {
        let callback = &attempt.callback;
        match attempt.fate {
            Fate::Gone => {
                let at = attempt.finished_at();
                self.slot.last_delivery_at.store(at.0, SeqCst);
            }
            Fate::Later(pause) => self.alarms.look_at(Instant::now() + pause),
            Fate::Parked | Fate::Unsent => log!(
                "s2s: callback {} for server \"{}\" is parked: {}",
                callback.id,
                callback.server,
                attempt.verdict.message()
            ),
        }
        self.scheduler.recorded(callback, attempt.fate);
    }
}
