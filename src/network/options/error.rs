//! A server's option that cannot be used.

use std::fmt;

use crate::callback::Invalid;
use crate::network::Network;
use crate::network::postback::template::TemplateError;
use crate::problem::{Class, Problem, Quoted, list, nearest};
use crate::url::BaseUrlError;

/// A server's option that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// The network's servers have no such option.
    Unknown {
        /// The network.
        network: Network,
        /// The name given.
        option: String,
    },
    /// A required option is missing.
    Missing {
        /// The network.
        network: Network,
        /// The option.
        option: &'static str,
    },
    /// A value outside of what is allowed.
    Bad {
        /// The option.
        option: &'static str,
        /// Its value.
        text: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A value that is wrong for the network's parameter too.
    Invalid(Invalid),
    /// Not a base URL.
    Url(BaseUrlError),
    /// Not a URL template.
    Template(TemplateError),
    /// A server without any template.
    NoTemplate,
    /// Not a regular expression.
    Regex {
        /// The option.
        option: &'static str,
        /// Its value.
        text: String,
        /// What is wrong with it.
        error: String,
    },
    /// `http:` without `allow_http`.
    NotHttps {
        /// The option.
        option: &'static str,
    },
    /// Only superusers may set the option.
    SuperuserOnly {
        /// The option.
        option: &'static str,
    },
    /// A user mapping without a password, or with something else.
    OnlyPassword {
        /// The network.
        network: Network,
    },
    /// Wrappers and user mappings of this network have no options.
    NoOptions {
        /// The network.
        network: Network,
        /// The option given.
        option: String,
        /// What has no options.
        object: &'static str,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionError::Unknown { option, .. } | OptionError::NoOptions { option, .. } => {
                write!(f, "invalid option {}", Quoted(option))
            }
            OptionError::Missing { option, .. } => write!(f, "option \"{option}\" is required"),
            OptionError::NoTemplate => {
                f.write_str("option \"lead_url\", \"sale_url\" or \"edit_url\" is required")
            }
            OptionError::Template(error) => write!(
                f,
                "invalid value for option \"{}\": {}",
                error.name(),
                Quoted(&error.shown())
            ),
            OptionError::Bad { option, text, .. } | OptionError::Regex { option, text, .. } => {
                write!(f, "invalid value for option \"{option}\": {}", Quoted(text))
            }
            OptionError::Invalid(Invalid {
                parameter, text, ..
            }) => {
                write!(
                    f,
                    "invalid value for option \"{parameter}\": {}",
                    Quoted(text)
                )
            }
            OptionError::Url(error) => {
                let BaseUrlError { name, .. } = error;
                write!(
                    f,
                    "invalid value for option \"{name}\": {}",
                    Quoted(&error.shown())
                )
            }
            OptionError::NotHttps { option } => {
                write!(f, "option \"{option}\" is not an https URL")
            }
            OptionError::OnlyPassword { .. } => {
                f.write_str("a user mapping has the option \"password\" and no other")
            }
            OptionError::SuperuserOnly { option } => {
                write!(f, "only superusers may set option \"{option}\"")
            }
        }
    }
}

impl Problem for OptionError {
    fn class(&self) -> Class {
        match self {
            OptionError::Unknown { .. }
            | OptionError::NoOptions { .. }
            | OptionError::OnlyPassword { .. } => Class::InvalidOptionName,
            OptionError::SuperuserOnly { .. } => Class::InsufficientPrivilege,
            _ => Class::InvalidParameter,
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            OptionError::Bad { expected, .. } => Some(format!("It is not {expected}.")),
            OptionError::Invalid(invalid) => invalid.detail(),
            OptionError::Url(error) => error.detail(),
            OptionError::Template(error) => error.detail(),
            OptionError::Regex { error, .. } => Some(format!("{error}.")),
            OptionError::NoOptions {
                network, object, ..
            } => Some(format!("A {object} of {} has no options.", network.name())),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            OptionError::Unknown { network, option } => {
                let valid = format!("Valid options are {}.", list(network.option_names()));
                Some(match nearest(option, network.option_names()) {
                    Some(name) => format!("Did you mean \"{name}\"? {valid}"),
                    None => valid,
                })
            }
            OptionError::Missing { network, .. } => Some(format!(
                "Valid options are {}.",
                list(network.option_names())
            )),
            OptionError::Url(error) => error.hint(),
            OptionError::Template(error) => error.hint(),
            OptionError::NoTemplate => Some(
                "Give the URL of each action, as in sale_url 'https://t.example.com/postback?cid={click_id}&payout={amount}'.".to_owned(),
            ),
            OptionError::OnlyPassword { network } => Some(format!(
                "Give the password that {} asks for: OPTIONS (password '…').",
                network.name()
            )),
            OptionError::NotHttps { .. } => Some(
                "Use https, or set allow_http 'true' to send click ids unencrypted.".to_owned(),
            ),
            _ => None,
        }
    }
}
