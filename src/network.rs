//! What a network is: the actions it knows, the options of its servers, the URL of a callback,
//! and what an answer means.
//!
//! A server is one account at a network, a PostgreSQL foreign server. Each network is a module
//! below; this one holds what they share. A new network is one more module, one more arm in the
//! matches here, and one more wrapper in `sql/networks.sql`.

use std::fmt;

use crate::callback::{Action, Invalid, Lead, Parameters, Sale};
use crate::delivery::{Answer, Reply, Verdict};
use crate::mapping::Names;
use crate::problem::{Class, Problem, Quoted, list};

pub mod options;
pub mod tradetracker;

use options::{OptionError, Options, Pace};

/// A protocol we speak, named as its foreign-data wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// TradeTracker's server-to-server callbacks.
    TradeTracker,
}

impl Network {
    /// Every network.
    pub const ALL: [Network; 1] = [Network::TradeTracker];

    /// The name of its foreign-data wrapper.
    pub fn name(self) -> &'static str {
        match self {
            Network::TradeTracker => "tradetracker",
        }
    }

    /// The network of a foreign-data wrapper.
    pub fn from_name(name: &str) -> Option<Network> {
        Network::ALL
            .into_iter()
            .find(|network| network.name() == name)
    }

    /// The parameters of an action, or an error if the network does not have the action.
    pub fn names(self, action: Action) -> Result<Names, NoSuchAction> {
        let names = match self {
            Network::TradeTracker => tradetracker::names(action),
        };
        names.ok_or(NoSuchAction {
            network: self,
            action,
        })
    }

    /// The names of all options that a server of this network has.
    pub fn option_names(self) -> impl Iterator<Item = &'static str> {
        let own = match self {
            Network::TradeTracker => tradetracker::OPTIONS,
        };
        own.iter().chain(options::PACE_OPTIONS).copied()
    }
}

/// One account at a network, as its options say.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The foreign server's name.
    pub name: String,
    /// What the network wants to know.
    pub account: Account,
    /// How it is delivered to.
    pub pace: Pace,
}

/// The part of a server's options that its network defines.
#[derive(Clone, Debug, PartialEq)]
pub enum Account {
    /// A TradeTracker campaign.
    TradeTracker(tradetracker::Account),
}

impl Server {
    /// Reads a server's options; refuses unknown, bad and missing ones.
    pub fn parse<'a>(
        name: &str,
        network: Network,
        options: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Server, OptionError> {
        let mut options = Options::new(network, options)?;
        let pace = options.pace()?;
        let account = match network {
            Network::TradeTracker => {
                Account::TradeTracker(tradetracker::Account::parse(&mut options, &pace)?)
            }
        };
        Ok(Server {
            name: name.to_owned(),
            account,
            pace,
        })
    }

    /// The network that the account is at.
    pub fn network(&self) -> Network {
        match self.account {
            Account::TradeTracker(_) => Network::TradeTracker,
        }
    }

    /// The URL that says `parameters` to the network.
    pub fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Unsendable> {
        match (&self.account, action) {
            (Account::TradeTracker(account), Action::Lead) => {
                Ok(account.lead_url(&Lead::parse(parameters)?))
            }
            (Account::TradeTracker(account), Action::Sale) => {
                Ok(account.sale_url(&Sale::parse(parameters)?))
            }
            (Account::TradeTracker(_), Action::Edit) => Err(NoSuchAction {
                network: self.network(),
                action,
            }
            .into()),
        }
    }

    /// What a reply of this server means for a callback.
    pub fn judge(&self, reply: &Reply) -> Verdict {
        match reply {
            Reply::Answer(answer) => match self.account {
                Account::TradeTracker(_) => judge_by_status(answer),
            },
            Reply::Failure(failure) if failure.ambiguous && !self.pace.retry_ambiguous => {
                Verdict::Failed {
                    message: format!("{failure}; not repeated, since retry_ambiguous is false"),
                }
            }
            Reply::Failure(failure) => Verdict::Retry {
                message: failure.to_string(),
                after: None,
            },
        }
    }
}

/// What a status means to a network that says nothing about the body.
///
/// 2xx is received. 302 and 303 are the redirect to a pixel, received too; the other redirects
/// mean that the URL is wrong. 408, 425, 429 and 5xx pass.
pub fn judge_by_status(answer: &Answer) -> Verdict {
    let message = format!("HTTP {}", answer.status);
    match answer.status {
        200..=299 | 302 | 303 => Verdict::Delivered { message },
        301 | 307 | 308 => Verdict::Failed {
            message: match &answer.location {
                // Without the query, which often repeats ours.
                Some(location) => {
                    let end = location.find(['?', '#']).unwrap_or(location.len());
                    format!("{message}: moved to {}", Quoted(&location[..end]))
                }
                None => format!("{message}: moved"),
            },
        },
        408 | 425 | 429 | 500..=599 => Verdict::Retry {
            message,
            after: answer.retry_after,
        },
        _ => Verdict::Failed { message },
    }
}

/// An action that a network does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchAction {
    /// The network.
    pub network: Network,
    /// The action.
    pub action: Action,
}

impl fmt::Display for NoSuchAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NoSuchAction { network, action } = self;
        write!(
            f,
            "network {} has no action \"{}\"",
            network.name(),
            action.name()
        )
    }
}

impl Problem for NoSuchAction {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        let functions = Action::ALL
            .into_iter()
            .filter(|action| self.network.names(*action).is_ok())
            .map(Action::function);
        Some(format!("It has {}.", list(functions)))
    }
}

/// Why a callback has no URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// A parameter is not valid.
    Invalid(Invalid),
    /// The network does not have the action.
    NoSuchAction(NoSuchAction),
}

impl Unsendable {
    fn problem(&self) -> &dyn Problem {
        match self {
            Unsendable::Invalid(problem) => problem,
            Unsendable::NoSuchAction(problem) => problem,
        }
    }
}

impl From<Invalid> for Unsendable {
    fn from(invalid: Invalid) -> Unsendable {
        Unsendable::Invalid(invalid)
    }
}

impl From<NoSuchAction> for Unsendable {
    fn from(problem: NoSuchAction) -> Unsendable {
        Unsendable::NoSuchAction(problem)
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem().fmt(f)
    }
}

impl Problem for Unsendable {
    fn class(&self) -> Class {
        self.problem().class()
    }

    fn detail(&self) -> Option<String> {
        self.problem().detail()
    }

    fn hint(&self) -> Option<String> {
        self.problem().hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::{Failure, FailureKind};
    use std::time::Duration;

    fn server(options: &[(&str, &str)]) -> Server {
        let required = [("campaign_id", "1234"), ("product_id", "56")];
        Server::parse(
            "s",
            Network::TradeTracker,
            required.iter().chain(options).copied(),
        )
        .unwrap()
    }

    fn answer(status: u16) -> Reply {
        Reply::Answer(Answer {
            status,
            location: Some("https://elsewhere.example/?s3cret".into()),
            retry_after: Some(Duration::from_secs(7)),
            body: String::new(),
        })
    }

    #[test]
    fn statuses_are_judged_as_published_integrations_do() {
        let server = server(&[]);
        for status in [200, 201, 204, 299, 302, 303] {
            assert!(
                matches!(server.judge(&answer(status)), Verdict::Delivered { .. }),
                "{status}"
            );
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            let after = Some(Duration::from_secs(7));
            let message = format!("HTTP {status}");
            assert_eq!(
                server.judge(&answer(status)),
                Verdict::Retry { message, after }
            );
        }
        for status in [300, 304, 305, 400, 401, 403, 404, 410, 600] {
            assert!(
                matches!(server.judge(&answer(status)), Verdict::Failed { .. }),
                "{status}"
            );
        }
        for status in [301, 307, 308] {
            let message = format!("HTTP {status}: moved to \"https://elsewhere.example/\"");
            assert_eq!(server.judge(&answer(status)), Verdict::Failed { message });
        }
    }

    #[test]
    fn an_ambiguous_failure_is_repeated_unless_the_server_says_no() {
        let failure = |ambiguous| {
            Reply::Failure(Failure {
                kind: FailureKind::TimedOutWaiting,
                ambiguous,
                message: "timed out".into(),
            })
        };
        let careful = server(&[("retry_ambiguous", "false")]);
        assert!(matches!(
            server(&[]).judge(&failure(true)),
            Verdict::Retry { .. }
        ));
        assert!(matches!(
            careful.judge(&failure(true)),
            Verdict::Failed { .. }
        ));
        assert!(matches!(
            careful.judge(&failure(false)),
            Verdict::Retry { .. }
        ));
    }

    #[test]
    fn an_edit_at_tradetracker_names_what_the_network_can_do() {
        let error = server(&[])
            .url(Action::Edit, &Parameters::new())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "network tradetracker has no action \"edit\""
        );
        assert_eq!(error.hint().unwrap(), "It has report_lead, report_sale.");
    }
}
