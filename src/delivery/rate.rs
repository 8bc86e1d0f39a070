//! How often something may happen: a token bucket.

use std::time::{Duration, Instant};

/// The bucket of a server's requests holds what comes in during this time, and at least one token: small
/// enough that a network sees an even pace, large enough that a late wake-up costs nothing.
const BURST: Duration = Duration::from_millis(100);

/// The longest wait for a token: at the lowest rates the time of the next one would overflow.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A token bucket that starts full.
#[derive(Clone, Debug)]
pub struct Rate {
    per_second: f64,
    capacity: f64,
    tokens: f64,
    at: Instant,
}

impl Rate {
    /// A full bucket for the requests of a server.
    pub fn new(per_second: f64, now: Instant) -> Rate {
        let capacity = (per_second * BURST.as_secs_f64()).max(1.0);
        Rate::with_capacity(capacity, per_second, now)
    }

    /// A full bucket of so many tokens.
    pub fn with_capacity(capacity: f64, per_second: f64, now: Instant) -> Rate {
        Rate {
            per_second,
            capacity,
            tokens: capacity,
            at: now,
        }
    }

    /// Tokens per second.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.tokens = self.tokens_at(now);
        self.at = self.at.max(now);
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }

    /// When to look for a token again, if there is none yet: when it drops, or in an hour.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        let missing = 1.0 - self.tokens_at(now);
        // A little late rather than a little early, which would be asked again.
        (missing > 0.0).then(|| {
            let wait = Duration::try_from_secs_f64(missing / self.per_second);
            now + wait.map_or(LONGEST_WAIT, |wait| wait.min(LONGEST_WAIT))
                + Duration::from_micros(1)
        })
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + since * self.per_second).min(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_rate_is_too_low_to_wait_for() {
        for per_second in [f64::MIN_POSITIVE, 1e-300, 1e-20, 1e-9, 0.0002] {
            let start = Instant::now();
            let mut rate = Rate::new(per_second, start);
            assert!(rate.take(start));
            let next = rate.next(start).unwrap();
            assert!(
                next > start && next <= start + 2 * LONGEST_WAIT,
                "{per_second}"
            );
            assert!(!rate.take(next), "{per_second}");
        }
        let start = Instant::now();
        let mut rate = Rate::new(0.0002, start);
        rate.take(start);
        let second = rate.next(rate.next(start).unwrap()).unwrap();
        assert!(rate.take(second), "after 5000 s");
    }

    proptest! {
        #[test]
        fn the_rate_is_kept_and_used(per_second in 0.01..5000.0f64, seconds in 1..100u32) {
            let start = Instant::now();
            let end = start + Duration::from_secs(1) * seconds;
            let mut rate = Rate::new(per_second, start);
            let (mut now, mut taken) = (start, 0u32);
            while now < end && taken < 20_000 {
                match rate.next(now) {
                    Some(next) => {
                        prop_assert!(!rate.take(now));
                        now = next;
                    }
                    None => {
                        prop_assert!(rate.take(now));
                        taken += 1;
                    }
                }
            }
            let time = (now - start).as_secs_f64();
            let most = per_second * time + Rate::new(per_second, now).capacity;
            prop_assert!(f64::from(taken) <= most + 0.01);
            prop_assert!(f64::from(taken) >= per_second * time * 0.98 - 1.0);
        }
    }
}
