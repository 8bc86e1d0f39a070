//! When the worker looks again, if nothing wakes it before.
//!
//! | alarm | when |
//! |---|---|
//! | next look | the next callback is due; a second later while database transactions are prepared |
//! | safety look | a minute after servers and queue were read anew, whatever happens |
//! | rest | after a reading, four times as long as it took: until then no commit is answered |
//! | expiry | attempts that are too old are deleted: batch after batch, or a look a minute |
//! | pause | after a failure: nothing is tried before, whatever else is due |
//!
//! The scheduler and what is locked have alarms of their own.

use std::time::{Duration, Instant};

use super::Timestamp;

/// Nothing is missed for longer, whatever happened to a wake-up.
const SAFETY_LOOK: Duration = Duration::from_secs(60);

/// Between two looks at the queue while database transactions are prepared: COMMIT PREPARED wakes
/// no worker.
const PREPARED_LOOK: Duration = Duration::from_secs(1);

/// The rest after a reading, as a multiple of its duration: under many small commits one reading
/// answers many of them, and leaves the processor to them meanwhile.
const REST: u32 = 4;

/// The shortest and the longest rest: what a commit waits for it at most.
const REST_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));

/// Pause between two batches of attempts that are too old.
const EXPIRY_PAUSE: Duration = Duration::from_millis(100);

/// Pause after a deletion that failed.
const EXPIRY_RETRY: Duration = Duration::from_secs(600);

/// Least time between two warnings of that.
const EXPIRY_WARNING: Duration = Duration::from_secs(3600);

/// The pause after the first failure is twice this; it doubles with each further one.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// How often it doubles.
const MAX_DOUBLINGS: u32 = 8;

/// The alarms of a worker.
#[derive(Debug)]
pub struct Alarms {
    next_look: Instant,
    safety_look: Instant,
    rested: Instant,
    expiry: Instant,
    /// The next warning that attempts cannot be deleted comes no earlier.
    expiry_warning: Instant,
    /// Failures in a row.
    failures: u32,
    not_before: Instant,
}

/// A deletion of attempts that are too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// There may be more of them.
    More,
    /// There are none left.
    Done,
    /// They could not be deleted.
    Failed,
}

impl Alarms {
    /// Everything is due.
    pub fn new(now: Instant) -> Alarms {
        Alarms {
            next_look: now,
            safety_look: now,
            rested: now,
            expiry: now,
            expiry_warning: now,
            failures: 0,
            not_before: now,
        }
    }

    /// Whether it is time to read the queue without a call.
    pub fn is_look_due(&self, now: Instant) -> bool {
        now >= self.next_look.min(self.safety_look)
    }

    /// Whether it is time to read servers and queue anew without a call.
    pub fn is_safety_look_due(&self, now: Instant) -> bool {
        now >= self.safety_look
    }

    /// Whether commits are answered.
    pub fn is_rested(&self, now: Instant) -> bool {
        now >= self.rested
    }

    /// Whether attempts that are too old are to be deleted.
    pub fn is_expiry_due(&self, now: Instant) -> bool {
        now >= self.expiry
    }

    /// Whether a pause after a failure lasts.
    pub fn is_pausing(&self, now: Instant) -> bool {
        now < self.not_before
    }

    /// Whether the last thing that was tried failed.
    pub fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// Puts off the next safety look.
    pub fn servers_are_read(&mut self, now: Instant) {
        self.safety_look = now + SAFETY_LOOK;
    }

    /// The queue was read; `clock` is the time by which callbacks are due, `next_due` when the next
    /// one is.
    pub fn queue_is_read(
        &mut self,
        now: Instant,
        clock: Timestamp,
        next_due: Option<Timestamp>,
        is_prepared: bool,
    ) {
        let longest = match is_prepared {
            true => PREPARED_LOOK,
            false => SAFETY_LOOK,
        };
        let pause = next_due.map_or(longest, |next| clock.until(next).min(longest));
        self.next_look = now + pause;
    }

    /// A callback will be due again.
    pub fn look_at(&mut self, at: Instant) {
        self.next_look = self.next_look.min(at);
    }

    /// A reading took from `start` to `end`.
    pub fn rest(&mut self, start: Instant, end: Instant) {
        let (shortest, longest) = REST_BOUNDS;
        self.rested = end + ((end - start) * REST).clamp(shortest, longest);
    }

    /// Attempts that are too old were to be deleted. Returns whether to warn of a failure.
    pub fn expired(&mut self, expiry: Expiry, now: Instant) -> bool {
        self.expiry = now
            + match expiry {
                Expiry::More => EXPIRY_PAUSE,
                Expiry::Done => SAFETY_LOOK,
                Expiry::Failed => EXPIRY_RETRY,
            };
        let warns = expiry == Expiry::Failed && now >= self.expiry_warning;
        if warns {
            self.expiry_warning = now + EXPIRY_WARNING;
        }
        warns
    }

    /// Reading or recording failed. Returns the pause.
    pub fn failed(&mut self, now: Instant) -> Duration {
        self.failures += 1;
        // Perhaps the extension is gone: that is looked at first.
        self.safety_look = now;
        let pause = FAILURE_PAUSE * (1 << self.failures.min(MAX_DOUBLINGS));
        self.not_before = now + pause;
        pause
    }

    /// All that was tried worked.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How long to sleep: zero if there `is_work`, else until the first alarm, `others` included; after
    /// a failure at least for the rest of the pause.
    pub fn sleep(
        &self,
        now: Instant,
        is_work: bool,
        others: impl IntoIterator<Item = Instant>,
    ) -> Duration {
        let rest = (!self.is_rested(now)).then_some(self.rested);
        let next = match is_work {
            true => now,
            false => [self.safety_look, self.expiry]
                .into_iter()
                .chain(rest)
                .chain(others)
                .fold(self.next_look, Instant::min),
        };
        next.max(self.not_before).saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const CLOCK: Timestamp = Timestamp(1_000_000_000);

    /// Nothing is due before the safety look.
    fn quiet(now: Instant) -> Alarms {
        let mut alarms = Alarms::new(now);
        alarms.servers_are_read(now);
        alarms.queue_is_read(now, CLOCK, None, false);
        alarms.expired(Expiry::Done, now);
        alarms
    }

    fn in_seconds(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp(CLOCK.0 + seconds * 1_000_000))
    }

    #[test]
    fn at_first_everything_is_due() {
        let now = Instant::now();
        let alarms = Alarms::new(now);
        assert!(alarms.is_look_due(now) && alarms.is_safety_look_due(now));
        assert!(alarms.is_expiry_due(now) && alarms.is_rested(now));
        assert!(!alarms.is_pausing(now) && !alarms.has_failed());
        assert_eq!(alarms.sleep(now, false, []), Duration::ZERO);
    }

    #[test]
    fn an_idle_worker_looks_once_a_minute() {
        let now = Instant::now();
        let alarms = quiet(now);
        assert_eq!(alarms.sleep(now, false, []), 60 * SECOND);
        assert!(!alarms.is_look_due(now + 59 * SECOND));
        assert!(alarms.is_safety_look_due(now + 60 * SECOND));
    }

    #[test]
    fn the_queue_is_read_when_the_next_callback_is_due() {
        let now = Instant::now();
        for (next_due, is_prepared, pause) in [
            (None, false, 60),
            (in_seconds(7), false, 7),
            (in_seconds(700), false, 60),
            (in_seconds(-7), false, 0),
            (None, true, 1),
            (in_seconds(7), true, 1),
            (in_seconds(0), true, 0),
        ] {
            let mut alarms = quiet(now);
            alarms.queue_is_read(now, CLOCK, next_due, is_prepared);
            assert_eq!(alarms.sleep(now, false, []), pause * SECOND);
            assert!(alarms.is_look_due(now + pause * SECOND));
        }
        let mut alarms = quiet(now);
        alarms.look_at(now + 5 * SECOND);
        alarms.look_at(now + 50 * SECOND);
        assert_eq!(alarms.sleep(now, false, []), 5 * SECOND);
        assert!(!alarms.is_safety_look_due(now + 5 * SECOND));
    }

    #[test]
    fn the_first_alarm_counts_whosever_it_is() {
        let now = Instant::now();
        let alarms = quiet(now);
        let others = [now + 30 * SECOND, now + 20 * SECOND];
        assert_eq!(alarms.sleep(now, false, others), 20 * SECOND);
        assert_eq!(alarms.sleep(now, true, others), Duration::ZERO);
        let later = now + 25 * SECOND;
        assert_eq!(alarms.sleep(later, false, others), Duration::ZERO);
    }

    #[test]
    fn a_rest_is_four_times_the_reading_within_bounds() {
        let start = Instant::now();
        for (reading, rest) in [
            (Duration::ZERO, MILLISECOND),
            (MILLISECOND / 10, MILLISECOND),
            (MILLISECOND / 2, 2 * MILLISECOND),
            (MILLISECOND, 4 * MILLISECOND),
            (SECOND, 5 * MILLISECOND),
        ] {
            let mut alarms = quiet(start);
            let end = start + reading;
            alarms.rest(start, end);
            assert!(!alarms.is_rested(end + rest - MILLISECOND / 1000));
            assert!(alarms.is_rested(end + rest));
            assert_eq!(alarms.sleep(end, false, []), rest);
        }
    }

    #[test]
    fn pauses_double_with_each_failure_in_a_row() {
        let mut now = Instant::now();
        let mut alarms = quiet(now);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let pause = alarms.failed(now);
            pauses.push(pause.as_millis());
            assert!(alarms.has_failed());
            assert!(alarms.is_safety_look_due(now), "the extension may be gone");
            assert!(alarms.is_pausing(now + pause - MILLISECOND));
            assert_eq!(alarms.sleep(now, true, [now]), pause);
            now += pause;
            assert!(!alarms.is_pausing(now));
        }
        assert_eq!(
            pauses,
            [
                200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 25_600, 25_600
            ]
        );
        alarms.succeeded();
        assert!(!alarms.has_failed());
        assert_eq!(alarms.failed(now), 200 * MILLISECOND);
    }

    #[test]
    fn attempts_expire_batch_by_batch_and_failures_are_told_once_an_hour() {
        let start = Instant::now();
        for (expiry, pause) in [
            (Expiry::More, 100 * MILLISECOND),
            (Expiry::Done, 60 * SECOND),
            (Expiry::Failed, 600 * SECOND),
        ] {
            let mut alarms = Alarms::new(start);
            assert_eq!(alarms.expired(expiry, start), expiry == Expiry::Failed);
            assert!(!alarms.is_expiry_due(start + pause - MILLISECOND));
            assert!(alarms.is_expiry_due(start + pause));
        }
        let mut alarms = Alarms::new(start);
        let tries = (0..13).map(|n| start + 600 * SECOND * n);
        let warnings = tries.filter(|at| alarms.expired(Expiry::Failed, *at));
        assert_eq!(warnings.count(), 3, "in two hours");
    }
}
