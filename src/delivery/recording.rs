//! Attempts that are not on record yet: those to record now, and those whose callbacks another
//! session has locked.
//!
//! When the locks go is unknown. So these are kept apart, and are tried again after pauses
//! that double from 100 ms to 5 s.

use std::time::{Duration, Instant};

use super::Attempt;

/// The first pause: most locks are gone by then.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause: the delay of a record after its lock is gone, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Attempts that are not on record yet.
#[derive(Debug)]
pub struct Recording {
    unrecorded: Vec<Attempt>,
    locked: Vec<Attempt>,
    /// Between two tries of those that are locked.
    pause: Duration,
    /// When they are tried again.
    at: Instant,
}

impl Recording {
    /// Nothing is to be recorded.
    pub fn new(now: Instant) -> Recording {
        Recording {
            unrecorded: Vec::new(),
            locked: Vec::new(),
            pause: FIRST_PAUSE,
            at: now,
        }
    }

    /// Adds one to record now.
    pub fn add(&mut self, attempt: Attempt) {
        self.unrecorded.push(attempt);
    }

    /// How many there are to record now.
    pub fn to_record(&self) -> usize {
        self.unrecorded.len()
    }

    /// How many are locked.
    pub fn locked(&self) -> usize {
        self.locked.len()
    }

    /// When there are locked ones to try again.
    pub fn next_at(&self) -> Option<Instant> {
        (!self.locked.is_empty()).then_some(self.at)
    }

    /// Those to record now. Each is given back: [`recorded`](Recording::recorded), or
    /// [`add`](Recording::add)ed again.
    pub fn take(&mut self) -> Vec<Attempt> {
        std::mem::take(&mut self.unrecorded)
    }

    /// Tries the locked ones again, if it is time.
    pub fn retry_locked(&mut self, now: Instant) {
        if self.next_at().is_some_and(|at| at <= now) {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            self.at = now + self.pause;
            self.retry_all_locked();
        }
    }

    /// Tries all locked ones again.
    pub fn retry_all_locked(&mut self) {
        self.unrecorded.append(&mut self.locked);
    }

    /// Attempts that were taken are on record, but for those whose callbacks are locked, which are
    /// kept. Returns those on record, and whether a lock was met for the first time.
    pub fn recorded(
        &mut self,
        attempts: Vec<Attempt>,
        locked: &[i64],
        now: Instant,
    ) -> (Vec<Attempt>, bool) {
        let is_locked = |attempt: &Attempt| locked.contains(&attempt.callback.id);
        let (locked, recorded): (Vec<_>, Vec<_>) = attempts.into_iter().partition(is_locked);
        let was_empty = self.locked.is_empty();
        self.locked.extend(locked);
        if self.locked.is_empty() {
            self.pause = FIRST_PAUSE;
            self.at = now;
            return (recorded, false);
        }
        let is_first = was_empty && self.at <= now;
        if is_first {
            self.at = now + self.pause;
        }
        (recorded, is_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::attempt::tests::delivered;

    #[test]
    fn pauses_double_up_to_five_seconds_while_locks_last_and_then_start_anew() {
        let start = Instant::now();
        let mut recording = Recording::new(start);
        assert_eq!(recording.next_at(), None);
        let first = recording.recorded(vec![delivered(1)], &[1], start);
        assert_eq!(first, (vec![], true));
        let (mut now, mut pauses) = (start, Vec::new());
        for _ in 0..8 {
            let at = recording.next_at().unwrap();
            recording.retry_locked(at - Duration::from_millis(1));
            assert_eq!((recording.to_record(), recording.locked()), (0, 1));
            pauses.push((at - now).as_millis());
            now = at;
            recording.retry_locked(now);
            assert_eq!((recording.to_record(), recording.locked()), (1, 0));
            let attempts = recording.take();
            let (_, is_first) = recording.recorded(attempts, &[1], now);
            assert!(!is_first, "it was locked before");
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        // What is locked meanwhile waits with them.
        let (_, is_first) = recording.recorded(vec![delivered(2)], &[2], now);
        assert!(!is_first);
        now += LONGEST_PAUSE;
        recording.retry_locked(now);
        let attempts = recording.take();
        assert_eq!(attempts.len(), 2);
        let (recorded, is_first) = recording.recorded(attempts, &[], now);
        assert_eq!((recorded.len(), is_first), (2, false));
        let (_, is_first) = recording.recorded(vec![delivered(3)], &[3], now);
        assert!(is_first);
        assert_eq!(recording.next_at(), Some(now + FIRST_PAUSE));
    }

    #[test]
    fn others_are_recorded_while_some_are_locked() {
        let now = Instant::now();
        let mut recording = Recording::new(now);
        let attempts: Vec<_> = (1..=4).map(delivered).collect();
        let (recorded, is_first) = recording.recorded(attempts, &[2, 4], now);
        let ids: Vec<_> = recorded.iter().map(|attempt| attempt.callback.id).collect();
        assert_eq!((ids, is_first, recording.locked()), (vec![1, 3], true, 2));
        // They are none of those to record now, until it is time or the worker stops.
        recording.add(delivered(5));
        assert_eq!(recording.take().len(), 1);
        recording.retry_all_locked();
        assert_eq!((recording.to_record(), recording.locked()), (2, 0));
    }

    #[test]
    fn what_failed_is_recorded_again() {
        let now = Instant::now();
        let mut recording = Recording::new(now);
        recording.add(delivered(1));
        for attempt in recording.take() {
            recording.add(attempt);
        }
        assert_eq!(recording.to_record(), 1);
    }
}
