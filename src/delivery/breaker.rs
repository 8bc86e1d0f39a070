//! A server's health: when it is broken it is probed, not hammered, and when it mends it gets its
//! callbacks back little by little.
//!
//! ```text
//! well ── 5 ill in a row ──▶ broken ── a probe is well ──▶ mending ── enough are well ──▶ well
//!                             │  ▲                            │
//!                             └──┴───── the probe is ill ─────┘
//!
//! well ── "not now" ──▶ busy ── a probe is well ──▶ mending ── enough are well ──▶ well
//!                       │  ▲                           │
//!                       └──┴─────── "not now" ─────────┘
//! ```
//! Ill are transport failures and 5xx. A broken server gets one request at a time, after pauses
//! that double from 1 s to 5 min.
//!
//! "Not now" is 429, and 503 with a `Retry-After`. A busy server is probed likewise, after the pause that
//! `Retry-After` asks for, up to 5 min. Without one, pauses double from 1 s; each success while it mends
//! halves them. So what it allows goes out, and little more.

use std::time::{Duration, Instant};

use super::{FailureKind, Reply};

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
    /// It says "not now", and perhaps for how long.
    Busy(Option<Duration>),
    /// Nothing: it wants this request at another time, or it is a failure of our own.
    Unknown,
}

impl Health {
    /// What a reply says.
    pub fn of(reply: &Reply) -> Health {
        match reply {
            Reply::Answer(answer) => match (answer.status, answer.retry_after) {
                (429, after) | (503, after @ Some(_)) => Health::Busy(after),
                (408 | 425, _) => Health::Unknown,
                (500.., _) => Health::Ill,
                _ => Health::Well,
            },
            Reply::Failure(failure) => match failure.kind {
                FailureKind::Internal | FailureKind::OutOfDescriptors => Health::Unknown,
                _ => Health::Ill,
            },
        }
    }
}

/// A server's health over time.
#[derive(Clone, Debug)]
pub struct Breaker {
    condition: Condition,
}

/// Why a server is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ailment {
    Broken,
    Busy,
}

#[derive(Clone, Copy, Debug)]
enum Condition {
    Well {
        ill_in_a_row: u32,
    },
    Resting {
        ailment: Ailment,
        until: Instant,
        pause: Duration,
    },
    Mending {
        ailment: Ailment,
        at_once: usize,
        pause: Duration,
    },
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            condition: Condition::Well { ill_in_a_row: 0 },
        }
    }
}

impl Breaker {
    /// How many requests at once the server may have, of `most` when it is well.
    pub fn at_once(&self, most: usize, now: Instant) -> usize {
        match self.condition {
            Condition::Well { .. } => most,
            Condition::Resting { until, .. } => usize::from(now >= until).min(most),
            Condition::Mending { at_once, .. } => at_once.min(most),
        }
    }

    /// Whether it is broken: nothing but probes goes there.
    pub fn is_broken(&self) -> bool {
        matches!(
            self.condition,
            Condition::Resting {
                ailment: Ailment::Broken,
                ..
            }
        )
    }

    /// Until when nothing at all goes there, if it is broken or busy.
    pub fn rests_until(&self) -> Option<Instant> {
        match self.condition {
            Condition::Resting { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Takes a reply into account; `most` requests at once make it well again. Returns whether it
    /// broke, or is no longer broken, by that.
    pub fn heard(&mut self, health: Health, most: usize, now: Instant) -> bool {
        use Ailment::{Broken, Busy};
        use Condition::{Mending, Resting, Well};
        let was_broken = self.is_broken();
        let rest = |ailment, pause: Duration, asked: Option<Duration>| {
            let pause = pause.min(LONGEST_PAUSE);
            let until = now + asked.unwrap_or_default().clamp(pause, LONGEST_PAUSE);
            Resting {
                ailment,
                until,
                pause,
            }
        };
        self.condition = match (self.condition, health) {
            // An answer to what was sent before it rested, not to the probe.
            (
                Resting {
                    ailment,
                    until,
                    pause,
                },
                heard,
            ) if now < until => Resting {
                ailment,
                until: match heard {
                    Health::Busy(Some(asked)) => until.max(now + asked.min(LONGEST_PAUSE)),
                    _ => until,
                },
                pause,
            },
            // The next probe goes out after a pause, too.
            (Resting { ailment, pause, .. }, Health::Unknown) => rest(ailment, pause, None),
            (Resting { ailment, pause, .. }, Health::Busy(asked)) => {
                rest(ailment, pause * 2, asked)
            }
            (Resting { ailment, pause, .. }, Health::Well) => Mending {
                ailment,
                at_once: match ailment {
                    Broken => 2,
                    Busy => 1,
                },
                pause,
            },
            (condition, Health::Unknown) => condition,
            (Well { .. }, Health::Well) => Well { ill_in_a_row: 0 },
            (Well { ill_in_a_row }, Health::Ill) if ill_in_a_row + 1 < ILL_IN_A_ROW => Well {
                ill_in_a_row: ill_in_a_row + 1,
            },
            (Well { .. }, Health::Ill) => rest(Broken, FIRST_PAUSE, None),
            (Resting { pause, .. } | Mending { pause, .. }, Health::Ill) => {
                rest(Broken, pause * 2, None)
            }
            (
                Mending {
                    ailment: Busy,
                    pause,
                    ..
                },
                Health::Busy(asked),
            ) => rest(Busy, pause, asked),
            (Well { .. } | Mending { .. }, Health::Busy(asked)) => rest(Busy, FIRST_PAUSE, asked),
            (Mending { at_once, .. }, Health::Well) if at_once >= most => Well { ill_in_a_row: 0 },
            (
                Mending {
                    ailment,
                    at_once,
                    pause,
                },
                Health::Well,
            ) => Mending {
                ailment,
                at_once: at_once + 1,
                pause: match ailment {
                    Broken => pause,
                    Busy => (pause / 2).max(FIRST_PAUSE),
                },
            },
        };
        was_broken != self.is_broken()
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
            let until = breaker.rests_until().unwrap();
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
        assert_eq!(breaker.rests_until(), Some(now + 2 * SECOND));
    }

    #[test]
    fn not_now_pauses_for_as_long_as_it_says_up_to_five_minutes() {
        let now = Instant::now();
        for (asked, pause) in [(None, 1), (Some(0), 1), (Some(30), 30), (Some(86_400), 300)] {
            let asked = asked.map(Duration::from_secs);
            let mut breaker = Breaker::default();
            assert!(!breaker.heard(Health::Busy(asked), 16, now));
            let until = now + pause * SECOND;
            assert_eq!(breaker.rests_until(), Some(until));
            assert!(!breaker.is_broken());
            assert_eq!(breaker.at_once(16, until - SECOND / 2), 0);
            assert_eq!(breaker.at_once(16, until), 1);
            // What was sent before says nothing, or asks for more.
            breaker.heard(Health::Well, 16, now);
            breaker.heard(Health::Ill, 16, now);
            breaker.heard(Health::Busy(None), 16, now);
            assert_eq!(breaker.rests_until(), Some(until));
            breaker.heard(Health::Busy(Some(400 * SECOND)), 16, now);
            assert_eq!(breaker.rests_until(), Some(now + 300 * SECOND));
        }
    }

    #[test]
    fn pauses_double_while_nothing_but_not_now_comes() {
        let mut now = Instant::now();
        let mut breaker = Breaker::default();
        breaker.heard(Health::Busy(None), 16, now);
        let mut rest = |breaker: &mut Breaker| {
            let pause = breaker.rests_until().unwrap() - now;
            now += pause;
            (pause.as_secs(), now)
        };
        for expected in [1, 2, 4, 8] {
            let (pause, now) = rest(&mut breaker);
            assert_eq!(pause, expected);
            breaker.heard(Health::Busy(None), 16, now);
        }
        let (pause, now) = rest(&mut breaker);
        assert_eq!(pause, 16);
        // It allows a little at a time: then the pauses do not grow.
        breaker.heard(Health::Well, 16, now);
        assert_eq!(breaker.at_once(16, now), 1);
        breaker.heard(Health::Busy(None), 16, now);
        assert_eq!(breaker.rests_until(), Some(now + 16 * SECOND));
        // It allows more.
        let (_, now) = rest(&mut breaker);
        for at_once in [1, 2, 3, 4] {
            breaker.heard(Health::Well, 16, now);
            assert_eq!(breaker.at_once(16, now), at_once);
        }
        breaker.heard(Health::Busy(None), 16, now);
        assert_eq!(breaker.rests_until(), Some(now + 2 * SECOND));
        let (_, now) = rest(&mut breaker);
        for _ in 0..=16 {
            breaker.heard(Health::Well, 16, now);
        }
        breaker.heard(Health::Busy(None), 16, now);
        assert_eq!(breaker.rests_until(), Some(now + SECOND));
    }

    #[test]
    fn after_a_probe_that_says_nothing_comes_a_pause() {
        let start = Instant::now();
        for (health, pause) in [
            (Health::Unknown, 1),
            (Health::Busy(None), 2),
            (Health::Busy(Some(60 * SECOND)), 60),
            (Health::Ill, 2),
        ] {
            let mut breaker = broken(start);
            let now = start + SECOND;
            assert!(!breaker.heard(health, 16, now));
            assert_eq!(breaker.rests_until(), Some(now + pause * SECOND));
            assert!(breaker.is_broken());
        }
    }

    #[test]
    fn answers_say_how_their_server_is() {
        let of = |status, retry_after: Option<u64>| {
            Health::of(&Reply::Answer(super::super::Answer {
                status,
                location: None,
                retry_after: retry_after.map(Duration::from_secs),
                body: String::new(),
                is_cut: false,
            }))
        };
        for (status, health) in [
            (200, Health::Well),
            (302, Health::Well),
            (404, Health::Well),
            (408, Health::Unknown),
            (425, Health::Unknown),
            (429, Health::Busy(None)),
            (500, Health::Ill),
            (503, Health::Ill),
        ] {
            assert_eq!(of(status, None), health, "{status}");
        }
        assert_eq!(of(429, Some(7)), Health::Busy(Some(7 * SECOND)));
        assert_eq!(of(503, Some(7)), Health::Busy(Some(7 * SECOND)));
        assert_eq!(of(500, Some(7)), Health::Ill);
        assert_eq!(of(200, Some(7)), Health::Well);
    }
}
