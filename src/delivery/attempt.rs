//! One try to deliver a callback, finished and judged: a row of `s2s.attempt`.

use std::time::Duration;

use super::breaker::Health;
use super::retry::Fate;
use super::{Callback, Timestamp, Verdict};

/// Bytes of a body that are kept.
const MAX_RESPONSE: usize = 2048;

/// One attempt, finished and judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was sent.
    pub callback: Callback,
    /// The URL as sent, without secrets; `None` if there was none to send to.
    pub url: Option<String>,
    /// When the request started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What it means.
    pub verdict: Verdict,
    /// The beginning of the body, as [`kept_response`] cuts it.
    pub response: Option<String>,
    /// The callback's next state.
    pub fate: Fate,
    /// What the reply says of the server.
    pub health: Health,
}

impl Attempt {
    /// That of a callback that cannot be sent at all.
    pub fn unsendable(callback: Callback, message: String, now: Timestamp) -> Attempt {
        Attempt {
            callback,
            url: None,
            started_at: now,
            duration: Duration::ZERO,
            status: None,
            verdict: Verdict::Failed { message },
            response: None,
            fate: Fate::Unsent,
            health: Health::Unknown,
        }
    }

    /// When the reply came.
    pub fn finished_at(&self) -> Timestamp {
        Timestamp(self.started_at.0.saturating_add(micros(self.duration)))
    }
}

/// The part of a body that is kept, cut between characters and without NUL, which `text` cannot
/// hold.
pub fn kept_response(mut body: String) -> String {
    body.retain(|c| c != '\0');
    body.truncate(body.floor_char_boundary(MAX_RESPONSE));
    body
}

/// A value of each attempt, by the type that it has in SQL.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// `text`
    Text(fn(&Attempt) -> Option<&str>),
    /// `integer`
    Integer(fn(&Attempt) -> Option<i32>),
    /// `bigint`
    Bigint(fn(&Attempt) -> Option<i64>),
    /// `timestamptz`
    Timestamptz(fn(&Attempt) -> Option<Timestamp>),
}

/// What `sql/runtime/record.sql` is told of each attempt, in the order of its parameters.
pub const COLUMNS: [(&str, Column); 15] = {
    use Column::*;
    [
        ("callback_id", Bigint(|a| Some(a.callback.id))),
        ("server", Text(|a| Some(&a.callback.server.name))),
        ("action", Text(|a| Some(a.callback.action.name()))),
        ("transaction_id", Text(|a| Some(&a.callback.transaction_id))),
        ("click_id", Text(|a| a.callback.click_id.as_deref())),
        ("url", Text(|a| a.url.as_deref())),
        ("created_at", Timestamptz(|a| Some(a.callback.created_at))),
        ("attempt", Integer(|a| Some(a.callback.attempts as i32 + 1))),
        ("started_at", Timestamptz(|a| Some(a.started_at))),
        ("duration", Bigint(|a| Some(micros(a.duration)))),
        ("http_status", Integer(|a| a.status.map(i32::from))),
        ("verdict", Text(|a| Some(a.verdict.name()))),
        ("message", Text(|a| Some(a.verdict.message()))),
        ("response", Text(|a| a.response.as_deref())),
        ("pause", Bigint(pause)),
    ]
};

/// NULL: the callback leaves the queue; negative: it is parked; else it is due after so many
/// microseconds.
fn pause(attempt: &Attempt) -> Option<i64> {
    match attempt.fate {
        Fate::Gone => None,
        Fate::Parked | Fate::Unsent => Some(-1),
        Fate::Later(pause) => Some(micros(pause)),
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A delivered callback.
    pub fn delivered(id: i64) -> Attempt {
        Attempt {
            callback: crate::delivery::tests::callback(id, "s", "1"),
            url: None,
            started_at: Timestamp(0),
            duration: Duration::ZERO,
            status: Some(200),
            verdict: Verdict::Delivered {
                message: "HTTP 200".into(),
            },
            response: None,
            fate: Fate::Gone,
            health: Health::Well,
        }
    }

    #[test]
    fn record_sql_takes_the_columns_in_this_order() {
        let sql = include_str!("../../sql/runtime/record.sql");
        let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
        let type_of = |column: &Column| match column {
            Column::Text(_) => "text",
            Column::Integer(_) => "integer",
            Column::Bigint(_) => "bigint",
            Column::Timestamptz(_) => "timestamptz",
        };
        let parameters: Vec<_> = (1..)
            .zip(&COLUMNS)
            .map(|(n, (_, column))| format!("${n}::{}[]", type_of(column)))
            .collect();
        let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
        // The last one is not the attempt's: where the callback is in the queue.
        for list in [
            format!(
                "unnest( {}, ${}::timestamptz[])",
                parameters.join(", "),
                COLUMNS.len() + 1
            ),
            format!("({}, due_at)", names.join(", ")),
        ] {
            assert!(sql.contains(&list), "{list}");
        }
    }

    #[test]
    fn a_kept_response_is_text_and_short() {
        for (body, kept) in [
            ("ok".to_owned(), "ok".to_owned()),
            ("a\0b".to_owned(), "ab".to_owned()),
            ("x".repeat(5000), "x".repeat(2048)),
            ("x".repeat(2047) + "é", "x".repeat(2047)),
        ] {
            assert_eq!(kept_response(body), kept);
        }
    }

    #[test]
    fn a_callback_is_gone_parked_or_due_after_a_pause() {
        for (fate, expected) in [
            (Fate::Gone, None),
            (Fate::Parked, Some(-1)),
            (Fate::Unsent, Some(-1)),
            (Fate::Later(Duration::from_millis(2)), Some(2000)),
            (Fate::Later(Duration::MAX), Some(i64::MAX)),
        ] {
            assert_eq!(
                pause(&Attempt {
                    fate,
                    ..delivered(1)
                }),
                expected
            );
        }
    }
}
