//! Outcomes that cannot be recorded yet: somebody else has locked the rows of their callbacks.
//!
//! Nobody knows when the locks will go. So these are set aside, do not count with those that are
//! about to be recorded, and are tried again after pauses that double from 100 ms to 5 s.

use std::time::{Duration, Instant};

use super::Outcome;

/// The first pause: most locks are gone by then.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause; a record is so late after its lock at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Outcomes that are set aside.
#[derive(Debug)]
pub struct Locked {
    outcomes: Vec<Outcome>,
    pause: Duration,
    /// When they are tried again.
    at: Instant,
}

impl Locked {
    /// None.
    pub fn new(now: Instant) -> Locked {
        Locked {
            outcomes: Vec::new(),
            pause: FIRST_PAUSE,
            at: now,
        }
    }

    /// Sets outcomes aside, if there are any, after a record of all that was due. Returns whether
    /// they are the first to be: what was set aside before is on record.
    pub fn set_aside(&mut self, outcomes: impl IntoIterator<Item = Outcome>, now: Instant) -> bool {
        let was_empty = self.outcomes.is_empty();
        self.outcomes.extend(outcomes);
        if self.outcomes.is_empty() {
            self.pause = FIRST_PAUSE;
            self.at = now;
            return false;
        }
        let is_first = was_empty && self.at <= now;
        if is_first {
            self.at = now + self.pause;
        }
        is_first
    }

    /// Those to try again now; they are set aside again if they are still locked.
    pub fn take_due(&mut self, now: Instant) -> Vec<Outcome> {
        if self.next_at().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.at = now + self.pause;
        self.take_all()
    }

    /// All of them.
    pub fn take_all(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }

    /// When there are some to try again.
    pub fn next_at(&self) -> Option<Instant> {
        (!self.outcomes.is_empty()).then_some(self.at)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Action;
    use crate::delivery::breaker::Health;
    use crate::delivery::retry::Fate;
    use crate::delivery::{Callback, Timestamp, Verdict};

    fn outcome(id: i64) -> Outcome {
        let message = String::new();
        Outcome {
            callback: Callback {
                id,
                server: "s".into(),
                action: Action::Lead,
                transaction_id: "1".into(),
                click_id: None,
                parameters: Default::default(),
                created_at: Timestamp(0),
                due_at: Timestamp(0),
                attempts: 0,
            },
            url: None,
            started_at: Timestamp(0),
            duration: Duration::ZERO,
            status: None,
            verdict: Verdict::Delivered { message },
            response: None,
            fate: Fate::Gone,
            health: Health::Well,
        }
    }

    #[test]
    fn pauses_double_up_to_five_seconds_while_locks_last_and_then_start_anew() {
        let start = Instant::now();
        let mut locked = Locked::new(start);
        assert_eq!(locked.next_at(), None);
        assert!(locked.set_aside([outcome(1)], start));
        let (mut now, mut pauses) = (start, Vec::new());
        for _ in 0..8 {
            let at = locked.next_at().unwrap();
            assert!(locked.take_due(at - Duration::from_millis(1)).is_empty());
            pauses.push((at - now).as_millis());
            now = at;
            let due = locked.take_due(now);
            assert_eq!((due.len(), locked.len()), (1, 0));
            assert!(!locked.set_aside(due, now), "they were locked before");
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        // What is locked meanwhile waits with them.
        assert!(!locked.set_aside([outcome(2)], now));
        now += LONGEST_PAUSE;
        assert_eq!(locked.take_due(now).len(), 2);
        assert!(!locked.set_aside([], now), "they are on record");
        assert!(locked.set_aside([outcome(3)], now));
        assert_eq!(locked.next_at(), Some(now + FIRST_PAUSE));
    }
}
