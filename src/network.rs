//! What a network is, and the list of networks.
//!
//! A server is one account at a network: a PostgreSQL foreign server. A network is a file below
//! with a [`Network`] and an [`Account`], a line in [`Network::ALL`], and a foreign-data wrapper in
//! `sql/pgrx-ext.sql`.

use std::any::Any;
use std::fmt;

use crate::callback::{Action, Parameters};
use crate::click_id::Form;
use crate::delivery::{Answer, Verdict};
use crate::mapping::{Mapping, ParameterNames};
use crate::problem::{Class, Problem, Quoted, list};

pub mod linktrust;
pub mod options;
pub mod postback;
pub mod secret;
mod server;
pub mod tradetracker;

use options::{COMMON_OPTIONS, Options};
use secret::Secret;
pub use server::Server;

/// The longest URL without its password, in bytes. The HTTP client takes 65,534 with it. Most HTTP
/// servers take less and answer so.
pub const MAX_URL: usize = 64_000;

/// A protocol we speak: what is the same for all of its accounts.
#[derive(Debug)]
pub struct Network {
    /// The name of its foreign-data wrapper.
    pub name: &'static str,
    /// The options of a server that are the network's own.
    pub options: &'static [&'static str],
    /// The form of its click ids, if they have one.
    pub click_ids: Option<Form>,
    /// Whether its servers want a password, which is an option of user mappings.
    pub wants_password: bool,
    /// The actions it knows, with their parameters.
    pub actions: &'static [(Action, ParameterNames)],
    /// Reads the network's own options.
    pub read_account: fn(&Options) -> Result<Box<dyn Account>, Problem>,
}

impl PartialEq for Network {
    fn eq(&self, other: &Network) -> bool {
        self.name == other.name
    }
}

/// One account at a network: what the options of its server define.
///
/// A callback's URL is stored without the password, which is added when the request is sent.
pub trait Account: Any + fmt::Debug + Send + Sync {
    /// The network that the account is at.
    fn network(&self) -> &'static Network;

    /// Refuses options that servers made by earlier versions may have and new ones may not.
    fn check_new(&self, _options: &Options) -> Result<(), Problem> {
        Ok(())
    }

    /// The parameters of an action, or an error if the account does not have the action.
    fn parameter_names(&self, action: Action) -> Result<ParameterNames, Problem> {
        self.network().parameter_names(action)
    }

    /// Refuses a constant that is invalid with any other parameters.
    fn check_constant(&self, _name: &str, _text: &str) -> Result<(), Problem> {
        Ok(())
    }

    /// Refuses a mapping with which no row could be sent; constants have been checked
    /// before.
    fn check_mapping(&self, _action: Action, _mapping: &Mapping) -> Result<(), Problem> {
        Ok(())
    }

    /// The URL of a callback, of any length.
    fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Problem>;

    /// Refuses what [`Server::url`] refuses, without building the URL where that is possible.
    fn check_parameters(&self, action: Action, parameters: &Parameters) -> Result<(), Problem> {
        checked(self.url(action, parameters)?).map(drop)
    }

    /// What [`Account::url`] built, with the password that the network wants.
    fn url_with_password(&self, url: &str, _password: &Secret) -> String {
        url.to_owned()
    }

    /// What an answer to a callback means.
    fn judge(&self, _action: Action, _sent: &Parameters, answer: &Answer) -> Verdict {
        judge_by_status(answer)
    }
}

impl Network {
    /// Every network.
    pub const ALL: &[&Network] = &[
        &tradetracker::NETWORK,
        &linktrust::NETWORK,
        &postback::NETWORK,
    ];

    /// The network of a foreign-data wrapper.
    pub fn from_name(name: &str) -> Option<&'static Network> {
        Network::ALL.iter().copied().find(|it| it.name == name)
    }

    /// The parameters of an action, or an error if the network does not have the action.
    ///
    /// A server knows more: [`Server::parameter_names`].
    pub fn parameter_names(&self, action: Action) -> Result<ParameterNames, Problem> {
        let mut actions = self.actions.iter();
        match actions.find(|(known, _)| *known == action) {
            Some((_, names)) => Ok(*names),
            None => Err(self.no_such_action(action)),
        }
    }

    /// The problem of an action that the network does not have.
    pub fn no_such_action(&self, action: Action) -> Problem {
        let (network, action) = (self.name, action.name());
        let functions = self.actions.iter().map(|(action, _)| action.function());
        Problem::new(
            Class::InvalidParameter,
            format!("network {network} has no action \"{action}\""),
        )
        .hint(format!("It has {}.", list(functions)))
    }

    /// The names of all options that a server of this network has.
    pub fn option_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.options.iter().chain(COMMON_OPTIONS).copied()
    }
}

/// The URL, unless it is too long.
fn checked(url: String) -> Result<String, Problem> {
    match url.len() {
        ..=MAX_URL => Ok(url),
        length => Err(too_long(length)),
    }
}

/// The problem of a URL of `length` bytes, or whose values have as many.
fn too_long(length: usize) -> Problem {
    Problem::new(Class::InvalidParameter, "the URL is too long").detail(format!(
        "It has {length} bytes or more; at most {MAX_URL} are allowed."
    ))
}

/// What a status means to a network that does not define bodies.
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
