//! A server's health: when it is broken it is probed, not hammered, and when it mends it gets its
//! callbacks back little by little.
//!
//! ```text
//! well ── 5 ill in a row ──▶ broken ── a probe is well ──▶ mending ── enough are well ──▶ well
//!                             │  ▲                            │
//!                             └──┴───── the probe is ill ─────┘
//! ```
//! Ill are transport failures and 5xx. A broken server gets one request at a time, after pauses
//! that double from 1 s to 5 min.

use std::time::{Duration, Instant};

use super::Reply;

/// So many ill replies in a row break a server.
const ILL_IN_A_ROW: u32 = 5;

/// The pause before the first probe.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a reply says of its server's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Well,
    /// It does not, or says that it cannot.
    Ill,
    /// Nothing: "not now" of a server that is otherwise well, or a failure of our own.
    Unknown,
}

impl Health {
    /// What a reply says.
    pub fn of(reply: &Reply) -> Health {
        match reply {
            Reply::Answer(answer) if answer.status >= 500 => Health::Ill,
            Reply::Answer(answer) if matches!(answer.status, 408 | 425 | 429) => Health::Unknown,
            Reply::Answer(_) => Health::Well,
            Reply::Failure(failure) if failure.kind == super::FailureKind::Internal => {
                Health::Unknown
            }
            Reply::Failure(_) => Health::Ill,
        }
    }
}

/// A server's health over time.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Well { ill_in_a_row: u32 },
    Broken { until: Instant, pause: Duration },
    Mending { at_once: usize, pause: Duration },
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            state: State::Well { ill_in_a_row: 0 },
        }
    }
}

impl Breaker {
    /// How many requests at once the server may have, of `most` when it is well.
    pub fn at_once(&self, most: usize, now: Instant) -> usize {
        match self.state {
            State::Well { .. } => most,
            State::Broken { until, .. } => usize::from(now >= until).min(most),
            State::Mending { at_once, .. } => at_once.min(most),
        }
    }

    /// Whether it is broken, and until when nothing at all goes there.
    pub fn broken_until(&self) -> Option<Instant> {
        match self.state {
            State::Broken { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Takes a reply into account; `most` requests at once make it well again. Returns whether it
    /// broke, or is no longer broken, by that.
    pub fn heard(&mut self, health: Health, most: usize, now: Instant) -> bool {
        let was_broken = self.broken_until().is_some();
        self.state = match (self.state, health) {
            (state, Health::Unknown) => state,
            (State::Well { .. }, Health::Well) => State::Well { ill_in_a_row: 0 },
            (State::Well { ill_in_a_row }, Health::Ill) if ill_in_a_row + 1 < ILL_IN_A_ROW => {
                State::Well {
                    ill_in_a_row: ill_in_a_row + 1,
                }
            }
            (State::Well { .. }, Health::Ill) => State::Broken {
                until: now + FIRST_PAUSE,
                pause: FIRST_PAUSE,
            },
            // An answer to what was sent before it broke, not to the probe.
            (state @ State::Broken { until, .. }, _) if now < until => state,
            (State::Broken { pause, .. }, Health::Well) => State::Mending { at_once: 2, pause },
            (State::Broken { pause, .. } | State::Mending { pause, .. }, Health::Ill) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                State::Broken {
                    until: now + pause,
                    pause,
                }
            }
            (State::Mending { at_once, .. }, Health::Well) if at_once >= most => {
                State::Well { ill_in_a_row: 0 }
            }
            (State::Mending { at_once, pause }, Health::Well) => State::Mending {
                at_once: at_once + 1,
                pause,
            },
        };
        was_broken != self.broken_until().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn broken(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..ILL_IN_A_ROW {
            breaker.heard(Health::Ill, 16, now);
        }
        breaker
    }

    #[test]
    fn five_ill_in_a_row_break_a_server() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for health in [
            Health::Ill,
            Health::Ill,
            Health::Ill,
            Health::Ill,
            Health::Well,
        ] {
            assert!(!breaker.heard(health, 16, now));
        }
        for _ in 1..ILL_IN_A_ROW {
            assert!(!breaker.heard(Health::Ill, 16, now));
            assert!(!breaker.heard(Health::Unknown, 16, now));
        }
        assert!(breaker.heard(Health::Ill, 16, now));
        assert_eq!(breaker.at_once(16, now), 0);
        assert_eq!(breaker.at_once(16, now + SECOND), 1);
    }

    #[test]
    fn pauses_between_probes_double_up_to_five_minutes() {
        let mut now = Instant::now();
        let mut breaker = broken(now);
        let mut pauses = Vec::new();
        for _ in 0..11 {
            let until = breaker.broken_until().unwrap();
            pauses.push((until - now).as_secs());
            now = until;
            assert!(!breaker.heard(Health::Ill, 16, now));
            // What was in flight before counts once.
            assert!(!breaker.heard(Health::Ill, 16, now));
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn a_server_that_mends_gets_more_with_each_success() {
        let now = Instant::now() + SECOND;
        let mut breaker = broken(now - SECOND);
        assert!(breaker.heard(Health::Well, 4, now));
        for at_once in [2, 3, 4, 4, 4] {
            assert_eq!(breaker.at_once(4, now), at_once);
            breaker.heard(Health::Well, 4, now);
        }
        let mut breaker = broken(now - SECOND);
        breaker.heard(Health::Well, 4, now);
        assert!(breaker.heard(Health::Ill, 4, now));
        assert_eq!(breaker.broken_until(), Some(now + 2 * SECOND));
    }
}
