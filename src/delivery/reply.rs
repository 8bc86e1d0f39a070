//! What comes back for a request, as plain data.

use std::fmt;
use std::time::Duration;

/// Bytes of a body that are read; the connection is closed if there is more.
pub const MOST_READ: usize = 64 * 1024;

/// What came back for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The network's host answered.
    Answer(Answer),
    /// There was no answer.
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
    /// The body, up to [`MOST_READ`] bytes of it, with bad UTF-8 replaced.
    pub body: String,
    /// The end of the body is missing: it is longer, or broke off.
    pub is_cut: bool,
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
    /// No process listens there.
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
    /// This process or the system has no file descriptor left: nothing was tried.
    OutOfDescriptors,
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
            FailureKind::OutOfDescriptors => "no file descriptor is left",
            FailureKind::Internal => "internal error",
        };
        if self.message.is_empty() {
            f.write_str(what)
        } else {
            write!(f, "{what}: {}", self.message)
        }
    }
}
