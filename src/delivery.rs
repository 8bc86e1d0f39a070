//! Delivering callbacks: what they are, and the pure code that decides what the worker does next.
//!
//! | module | |
//! |---|---|
//! | [`reply`], [`attempt`] | what comes back, and what is recorded of it |
//! | [`retry`] | the callback's next state after an attempt |
//! | [`scheduler`] | what to send next, with a [`lane`] for each server, its [`breaker`] and its [`rate`] |
//! | [`reading`] | what to read of the queue next |
//! | [`recording`] | what is not on record yet |
//! | [`alarms`] | when to look again |
//! | [`slot`] | which databases have a worker, or want one |

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::callback::edit::IDENTIFICATIONS;
use crate::callback::{Action, MAX_TRANSACTION_ID, Parameters};
use crate::click_id::ClickId;

pub mod alarms;
pub mod attempt;
pub mod breaker;
pub mod lane;
pub mod rate;
pub mod reading;
pub mod recording;
pub mod reply;
pub mod retry;
pub mod scheduler;
mod server_key;
pub mod slot;
mod verdict;

pub use attempt::Attempt;
pub use reply::{Answer, Failure, FailureKind, Reply};
pub use server_key::ServerKey;
pub use verdict::Verdict;

/// One thing that we owe a network to say: a row of `s2s.queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Its number, in the order of queueing.
    pub id: i64,
    /// The foreign server.
    pub server: ServerKey,
    /// What happened.
    pub action: Action,
    /// The transaction id: what identifies the conversion at the network.
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

/// What a parameter takes in memory besides its texts.
const PARAMETER_BYTES: usize = 64;

impl Callback {
    /// About how much memory it takes, but for what is the same for all.
    pub fn bytes(&self) -> usize {
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|(name, text)| name.len() + text.len() + PARAMETER_BYTES);
        parameters.sum::<usize>() + self.transaction_id.len() + self.server.name.len()
    }

    /// All that it says, for the network: what [`Columns::of`] took apart.
    pub fn parameters(&self) -> Parameters<'_> {
        let click_id = self.click_id.as_deref().unwrap_or_default();
        let has = |name: &str| self.parameters.contains_key(name);
        let is_said_elsewhere = match self.action {
            Action::Lead | Action::Sale => has("transaction_id"),
            Action::Edit => !click_id.is_empty() || IDENTIFICATIONS.into_iter().any(has),
        };
        let transaction_id = match is_said_elsewhere {
            true => "",
            false => self.transaction_id.as_str(),
        };
        let columns = [("transaction_id", transaction_id), ("click_id", click_id)];
        let rest = self
            .parameters
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        columns.into_iter().chain(rest).collect()
    }
}

/// How the queue's columns hold what a callback says.
///
/// A transaction id stands in its column, a valid click id in its own, and all else among the
/// parameters, under its name. An edit may be identified in another way: the column
/// `transaction_id` shows whatever identifies it, the click id or the merchant's reference id too.
/// So that nothing is ambiguous, the column counts as the *parameter* `transaction_id` of an edit
/// only if there is no other identification, in the column `click_id` or among the parameters; an
/// edit that has several has its transaction id among the parameters too.
///
/// What is too long for an index is cut in the column `transaction_id`, and whole among the
/// parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns<'a> {
    /// What identifies the transaction; `""` if nothing does.
    pub transaction_id: &'a str,
    /// The click id, if it is one.
    pub click_id: Option<ClickId<'a>>,
    /// Everything else, by parameter name.
    pub parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Columns<'a> {
    /// Takes parameters apart, valid or not; [`Callback::parameters`] puts them together again.
    pub fn of(action: Action, parameters: &'a Parameters<'_>) -> Columns<'a> {
        let click_id = match parameters.get("click_id") {
            "" => None,
            text => ClickId::parse(text).ok(),
        };
        let given = |name: &&&str| !parameters.get(name).is_empty();
        let identification = match action {
            Action::Lead | Action::Sale => "transaction_id",
            Action::Edit => IDENTIFICATIONS.iter().find(given).unwrap_or(&""),
        };
        let is_ambiguous =
            action == Action::Edit && IDENTIFICATIONS.iter().filter(given).count() > 1;
        let whole = parameters.get(identification);
        let transaction_id = &whole[..whole.floor_char_boundary(MAX_TRANSACTION_ID)];
        let is_column = |name: &str| match name {
            "transaction_id" => !is_ambiguous && transaction_id == whole,
            "click_id" => click_id.is_some(),
            _ => false,
        };
        Columns {
            transaction_id,
            parameters: parameters
                .iter()
                .filter(|(name, _)| !is_column(name))
                .collect(),
            click_id,
        }
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A server without an OID.
    pub fn server_key(name: &str) -> ServerKey {
        ServerKey {
            name: name.to_owned(),
            oid: None,
        }
    }

    /// A callback that was never tried.
    pub fn callback(id: i64, server: &str, transaction_id: &str) -> Callback {
        Callback {
            id,
            server: server_key(server),
            action: Action::Lead,
            transaction_id: transaction_id.to_owned(),
            click_id: None,
            parameters: BTreeMap::new(),
            created_at: Timestamp(0),
            due_at: Timestamp(0),
            attempts: 0,
        }
    }

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

    fn stored(action: Action, parameters: &Parameters) -> Callback {
        let columns = Columns::of(action, parameters);
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Callback {
            action,
            click_id: columns.click_id.map(|id| id.as_str().to_owned()),
            parameters: columns.parameters.iter().map(owned).collect(),
            ..callback(1, "s", columns.transaction_id)
        }
    }

    fn sorted(parameters: &Parameters) -> Vec<(String, String)> {
        let mut all: Vec<_> = parameters
            .iter()
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn an_edits_column_shows_what_identifies_it() {
        let approved = ("approved", "no");
        for (parameters, transaction_id, click_id, kept) in [
            (
                &[("transaction_id", "T"), approved][..],
                "T",
                None,
                vec!["approved"],
            ),
            (
                &[("click_id", "c-1"), approved],
                "c-1",
                Some("c-1"),
                vec!["approved"],
            ),
            (
                &[("click_id", "c 1"), approved],
                "c 1",
                None,
                vec!["approved", "click_id"],
            ),
            (
                &[
                    ("merchant_reference_id", "9"),
                    ("campaign_id", "5"),
                    approved,
                ],
                "9",
                None,
                vec!["approved", "campaign_id", "merchant_reference_id"],
            ),
            (
                &[("transaction_id", "T"), ("click_id", "c-1"), approved],
                "T",
                Some("c-1"),
                vec!["approved", "transaction_id"],
            ),
            (&[approved], "", None, vec!["approved"]),
        ] {
            let callback = stored(Action::Edit, &parameters.iter().copied().collect());
            assert_eq!(callback.transaction_id, transaction_id);
            assert_eq!(callback.click_id.as_deref(), click_id);
            assert_eq!(callback.parameters.keys().collect::<Vec<_>>(), kept);
        }
    }

    proptest! {
        #[test]
        fn the_queue_gives_back_what_was_said(
            action in proptest::sample::select(&Action::ALL),
            texts in proptest::collection::btree_map(
                "transaction_id|click_id|merchant_reference_id|campaign_id|approved|further",
                "[a-z]{0,3}|a b|[é]{250,260}",
                0..7,
            ),
        ) {
            let parameters: Parameters = texts.into_iter().collect();
            prop_assert_eq!(sorted(&stored(action, &parameters).parameters()), sorted(&parameters));
        }
    }
}
