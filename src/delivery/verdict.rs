//! What an answer means.

use std::time::Duration;

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

    /// The same with another message.
    pub fn map_message(self, change: impl FnOnce(String) -> String) -> Verdict {
        match self {
            Verdict::Delivered { message } => Verdict::Delivered {
                message: change(message),
            },
            Verdict::Retry { message, after } => Verdict::Retry {
                message: change(message),
                after,
            },
            Verdict::Failed { message } => Verdict::Failed {
                message: change(message),
            },
        }
    }
}
