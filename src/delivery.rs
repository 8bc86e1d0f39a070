//! Delivering callbacks: plain owned data that crosses between the worker's main thread, the pool
//! and the pure code below.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use crate::callback::{Action, Parameters};

pub mod address;
pub mod breaker;
pub mod bucket;
pub mod client;
pub mod pool;
pub mod retry;
pub mod scheduler;

/// One HTTP request that we owe a network: a row of `s2s.queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Its number, in the order of queueing.
    pub id: i64,
    /// The foreign server's name.
    pub server: String,
    /// What happened.
    pub action: Action,
    /// What identifies the transaction at the network.
    pub transaction_id: String,
    /// The click id, if there is one.
    pub click_id: Option<String>,
    /// Everything else, by parameter name.
    pub parameters: BTreeMap<String, String>,
    /// When it was queued, as the database says it.
    pub created_at: Timestamp,
    /// When it was due.
    pub due_at: Timestamp,
    /// How often it was tried before.
    pub attempts: u32,
}

impl Callback {
    /// All that it says, for the network. What could not be in a column is among the parameters,
    /// and counts first.
    pub fn parameters(&self) -> Parameters<'_> {
        let columns = [
            ("transaction_id", self.transaction_id.as_str()),
            ("click_id", self.click_id.as_deref().unwrap_or_default()),
        ];
        let rest = self
            .parameters
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        rest.chain(columns).collect()
    }
}

/// A point in time as PostgreSQL stores it: microseconds since 2000-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Seconds from 1970 to 2000.
    const EPOCH: Duration = Duration::from_secs(946_684_800);

    /// Never: a callback due then is parked.
    pub const INFINITY: Timestamp = Timestamp(i64::MAX);

    /// How long it is from `self` to `later`; zero if that is earlier.
    pub fn until(self, later: Timestamp) -> Duration {
        Duration::from_micros(later.0.saturating_sub(self.0).max(0) as u64)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let since_1970 = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Timestamp(micros(since_1970) - micros(Timestamp::EPOCH))
    }
}

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The server answered.
    Answer(Answer),
    /// It did not.
    Failure(Failure),
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The `Retry-After` header, as a pause from the moment the answer came.
    pub retry_after: Option<Duration>,
    /// The body, up to [`client::MOST_READ`] bytes of it, with bad UTF-8 replaced.
    pub body: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class of failure.
    pub kind: FailureKind,
    /// The request may have reached the network.
    pub ambiguous: bool,
    /// What the system or the TLS library said.
    pub message: String,
}

/// The classes of failure, each with a message of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The host's name has no address.
    NameResolution,
    /// Every address of the host is one that we do not call.
    AddressRefused,
    /// Nobody listens there.
    ConnectionRefused,
    /// The connection could not be made.
    Connecting,
    /// The timeout passed before the connection was made.
    TimedOutConnecting,
    /// The other side's certificate or TLS is not acceptable.
    Tls,
    /// The connection broke after the request was sent.
    Reset,
    /// The timeout passed while waiting for the answer.
    TimedOutWaiting,
    /// What came is not HTTP.
    NotHttp,
    /// Something in this process went wrong.
    Internal,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FailureKind::NameResolution => "name resolution failed",
            FailureKind::AddressRefused => "address refused",
            FailureKind::ConnectionRefused => "connection refused",
            FailureKind::Connecting => "connection failed",
            FailureKind::TimedOutConnecting => "timed out while connecting",
            FailureKind::Tls => "TLS failed",
            FailureKind::Reset => "connection lost before the answer",
            FailureKind::TimedOutWaiting => "timed out while waiting for the answer",
            FailureKind::NotHttp => "answer is not HTTP",
            FailureKind::Internal => "internal error",
        };
        if self.message.is_empty() {
            f.write_str(what)
        } else {
            write!(f, "{what}: {}", self.message)
        }
    }
}

/// What an answer means for the callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The network has it.
    Delivered {
        /// Why we think so.
        message: String,
    },
    /// It is worth another try.
    Retry {
        /// Why.
        message: String,
        /// The network asks for this pause.
        after: Option<Duration>,
    },
    /// It will never work like this.
    Failed {
        /// Why.
        message: String,
    },
}

impl Verdict {
    /// The label of the SQL type `s2s.verdict`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Delivered { .. } => "delivered",
            Verdict::Retry { .. } => "retry",
            Verdict::Failed { .. } => "failed",
        }
    }

    /// Why.
    pub fn message(&self) -> &str {
        match self {
            Verdict::Delivered { message }
            | Verdict::Retry { message, .. }
            | Verdict::Failed { message } => message,
        }
    }
}

/// One attempt, finished and judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
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
    /// The first bytes of the body, up to [`client::MOST_KEPT`].
    pub response: Option<String>,
    /// What becomes of the callback.
    pub fate: retry::Fate,
    /// What it says of the server.
    pub health: breaker::Health,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_count_from_2000() {
        let y2k = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
        assert_eq!(Timestamp::from(y2k), Timestamp(0));
        assert_eq!(
            Timestamp::from(y2k + Duration::from_micros(5)),
            Timestamp(5)
        );
        assert_eq!(Timestamp(5).until(Timestamp(9)), Duration::from_micros(4));
        assert_eq!(Timestamp(9).until(Timestamp(5)), Duration::ZERO);
    }
}
