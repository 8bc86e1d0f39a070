//! Why a server cannot say something.

use std::fmt;

use super::postback::template::Unfilled;
use super::{MAX_URL, Network, postback};
use crate::callback::{Action, Invalid};
use crate::problem::{Class, Problem, Quoted, list};

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
        if *network == Network::Postback {
            let option = postback::option_of(*action);
            return write!(f, "server has no option \"{option}\"");
        }
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
        if self.network == Network::Postback {
            let option = postback::option_of(self.action);
            return Some(format!(
                "Add it, as in ALTER SERVER … OPTIONS (ADD {option} 'https://…')."
            ));
        }
        let functions = Action::ALL
            .into_iter()
            .filter(|action| self.network.names(*action).is_ok())
            .map(Action::function);
        Some(format!("It has {}.", list(functions)))
    }
}

/// A server whose network wants a password, and there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPassword {
    /// The server's name.
    pub server: String,
}

impl fmt::Display for NoPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "server {} has no password", Quoted(&self.server))
    }
}

impl Problem for NoPassword {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some("Neither its owner nor PUBLIC has a user mapping with a password.".to_owned())
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "CREATE USER MAPPING FOR PUBLIC SERVER \"{}\" OPTIONS (password '…').",
            self.server
        ))
    }
}

/// Why a callback has no URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// A parameter is not valid.
    Invalid(Invalid),
    /// The network does not have the action.
    NoSuchAction(NoSuchAction),
    /// The template cannot be filled.
    Unfilled(Unfilled),
    /// The URL is too long.
    TooLong(UrlTooLong),
}

/// A URL that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlTooLong {
    /// Its bytes; those of its values if it was not built.
    pub length: usize,
}

impl fmt::Display for UrlTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the URL is too long")
    }
}

impl Problem for UrlTooLong {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        let UrlTooLong { length } = self;
        Some(format!(
            "It has {length} bytes or more; at most {MAX_URL} are allowed."
        ))
    }
}

impl Unsendable {
    fn problem(&self) -> &dyn Problem {
        match self {
            Unsendable::Invalid(problem) => problem,
            Unsendable::NoSuchAction(problem) => problem,
            Unsendable::Unfilled(problem) => problem,
            Unsendable::TooLong(problem) => problem,
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

impl From<UrlTooLong> for Unsendable {
    fn from(problem: UrlTooLong) -> Unsendable {
        Unsendable::TooLong(problem)
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
