//! A callback's next state after an attempt: the retry rule.
//!
//! | after attempt | pause, ±20 % | since the first attempt, at most |
//! |---|---|---|
//! | 1 | 5 s | 6 s |
//! | 2 | 30 s | 42 s |
//! | 3 | 2 min | 3 min 6 s |
//! | 4 | 10 min | 15 min |
//! | 5 | 30 min | 51 min |
//! | 6 | 2 h | 3 h 15 min |
//! | 7 | 5 h | 9 h 15 min |
//! | 8 | 10 h | 21 h 15 min |
//! | 9 | 10 h | 33 h 15 min |
//! | 10 | parked | |
//!
//! That is the default `retry_schedule` with the default `max_attempts`. A `Retry-After` makes a
//! pause longer, never shorter, up to a day, and never adds an attempt.

use std::time::{Duration, SystemTime};

use super::Verdict;

/// The longest pause that a network can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// How far a pause may be off its place in the schedule, so that what failed together is not
/// tried again together.
const JITTER: f64 = 0.2;

/// When, and how often, a server's callbacks are tried again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// After so many attempts a callback is parked.
    pub max_attempts: u32,
    /// Pauses between attempts; the last repeats.
    pub schedule: Vec<Duration>,
    /// Whether a request that was sent and never answered is repeated.
    pub ambiguous: bool,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let schedule = [
            5,
            30,
            2 * MINUTE,
            10 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            10 * HOUR,
        ];
        RetryPolicy {
            max_attempts: 10,
            schedule: schedule.map(Duration::from_secs).to_vec(),
            ambiguous: true,
        }
    }
}

/// A callback's next state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It leaves the queue.
    Gone,
    /// It is due again after a pause.
    Later(Duration),
    /// It waits for a person.
    Parked,
    /// The same without a request, which does not count as an attempt: if it was not sent before, it
    /// holds none of its transaction id.
    Unsent,
}

/// Decides after attempt number `attempt` (from 1); `chance` is uniform in `0.0..1.0`.
pub fn fate(verdict: &Verdict, attempt: u32, policy: &RetryPolicy, chance: f64) -> Fate {
    match verdict {
        Verdict::Delivered { .. } => Fate::Gone,
        Verdict::Failed { .. } => Fate::Parked,
        Verdict::Retry { .. } if attempt >= policy.max_attempts => Fate::Parked,
        Verdict::Retry { after, .. } => {
            let floor = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            Fate::Later(pause(attempt, &policy.schedule, chance).max(floor))
        }
    }
}

/// The schedule's pause after attempt number `attempt`, with jitter.
fn pause(attempt: u32, schedule: &[Duration], chance: f64) -> Duration {
    let place = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
    let pause = schedule
        .get(place)
        .or(schedule.last())
        .copied()
        .unwrap_or_default();
    pause.mul_f64(1.0 - JITTER + 2.0 * JITTER * chance)
}

/// The pause that a `Retry-After` header asks for: seconds, or a date as HTTP writes it.
pub fn parse_retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(
            header
                .parse()
                .map_or(LONGEST_RETRY_AFTER, Duration::from_secs),
        );
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
    Some(
        SystemTime::from(date)
            .duration_since(now)
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retry(after: Option<u64>) -> Verdict {
        Verdict::Retry {
            message: "HTTP 503".into(),
            after: after.map(Duration::from_secs),
        }
    }

    #[test]
    fn pauses_follow_the_schedule_and_its_last_repeats() {
        let policy = RetryPolicy {
            max_attempts: 50,
            ..RetryPolicy::default()
        };
        for (attempt, seconds) in [
            (1, 5),
            (2, 30),
            (6, 7200),
            (9, 36_000),
            (10, 36_000),
            (49, 36_000),
        ] {
            assert_eq!(
                fate(&retry(None), attempt, &policy, 0.5),
                Fate::Later(Duration::from_secs(seconds))
            );
        }
        assert_eq!(fate(&retry(None), 50, &policy, 0.5), Fate::Parked);
    }

    #[test]
    fn retry_after_is_a_floor_up_to_a_day_and_adds_no_attempt() {
        let policy = RetryPolicy::default();
        let pause = |asked, attempt| fate(&retry(Some(asked)), attempt, &policy, 0.5);
        assert_eq!(pause(1, 1), Fate::Later(Duration::from_secs(5)));
        assert_eq!(pause(60, 1), Fate::Later(Duration::from_secs(60)));
        assert_eq!(pause(1_000_000, 1), Fate::Later(LONGEST_RETRY_AFTER));
        assert_eq!(pause(60, 10), Fate::Parked);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (header, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(
                parse_retry_after(header, now),
                seconds.map(Duration::from_secs),
                "{header}"
            );
        }
    }

    proptest! {
        #[test]
        fn pauses_stay_within_a_fifth_of_the_schedule(attempt in 1..60u32, chance in 0.0..1.0f64) {
            let schedule = RetryPolicy::default().schedule;
            let exact = pause(attempt, &schedule, 0.5).as_secs_f64();
            let pause = pause(attempt, &schedule, chance).as_secs_f64();
            prop_assert!(pause >= exact * 0.799 && pause <= exact * 1.201);
        }

        #[test]
        fn any_retry_after_is_read_without_panic(header in "\\PC{0,40}|[0-9]{0,40}") {
            let _ = parse_retry_after(&header, SystemTime::UNIX_EPOCH);
        }
    }
}
