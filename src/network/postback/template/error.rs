//! Texts that are no template, and templates that cannot be filled.

use std::fmt;

use crate::problem::{Class, Problem, Quoted, did_you_mean, list};
use crate::url::{BaseUrlError, encode, without_user};

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// Its scheme, host or port is wrong.
    Url(BaseUrlError),
    /// Something else is.
    Bad(BadTemplate),
}

/// A text that is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate {
    /// The parameter or option.
    pub name: &'static str,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub problem: TemplateProblem,
}

/// What is wrong with a template. `at` counts bytes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateProblem {
    /// A brace in scheme, host or port.
    InHost {
        /// Where it stands.
        at: usize,
    },
    /// A brace that belongs to no placeholder, or a name that is none.
    BadBrace {
        /// Where it stands.
        at: usize,
    },
    /// A placeholder as others write it.
    OtherSyntax {
        /// How it is written.
        written: &'static str,
        /// Where it stands.
        at: usize,
    },
    /// `#`
    Fragment {
        /// Where it stands.
        at: usize,
    },
    /// `&amp;`
    Ampersand {
        /// Where it stands.
        at: usize,
    },
    /// `¤`
    Currency {
        /// Where it stands.
        at: usize,
    },
    /// `%` without two hexadecimal digits.
    BadEscape {
        /// Where it stands.
        at: usize,
    },
    /// A character that has to be percent-encoded.
    BadCharacter {
        /// The character.
        character: char,
        /// Where it stands.
        at: usize,
    },
    /// Not a URL for another reason.
    Malformed,
}

impl TemplateError {
    /// The parameter or option.
    pub fn name(&self) -> &'static str {
        match self {
            TemplateError::Url(error) => error.name,
            TemplateError::Bad(bad) => bad.name,
        }
    }

    /// The text as a message may show it.
    pub fn shown(&self) -> String {
        match self {
            TemplateError::Url(error) => error.shown().into_owned(),
            TemplateError::Bad(bad) => without_user(&bad.text).into_owned(),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: {}", self.name(), Quoted(&self.shown()))
    }
}

impl Problem for TemplateError {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        use TemplateProblem::*;
        let problem = match self {
            TemplateError::Url(error) => return error.detail(),
            TemplateError::Bad(bad) => bad.problem,
        };
        Some(match problem {
            InHost { at } => {
                format!("The brace at byte {at} is in the scheme or host, which cannot vary.")
            }
            BadBrace { at } => format!("The brace at byte {at} does not belong to a placeholder."),
            OtherSyntax { written, at } => {
                format!("At byte {at} there is a placeholder of another syntax: {written}.")
            }
            Fragment { at } => {
                format!("The \"#\" at byte {at} starts a fragment, which is never sent.")
            }
            Ampersand { at } => format!("The \"&amp;\" at byte {at} is HTML for \"&\"."),
            Currency { at } => format!("The \"¤\" at byte {at} is what HTML makes of \"&curren\"."),
            BadEscape { at } => {
                format!("The \"%\" at byte {at} is not followed by two hexadecimal digits.")
            }
            BadCharacter { character: ' ', at } => format!("Byte {at} is a space."),
            BadCharacter { character, at } => {
                let shown = character.to_string();
                format!(
                    "{} at byte {at} cannot be in a URL as it is.",
                    Quoted(&shown)
                )
            }
            Malformed => "It is not a URL.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        use TemplateProblem::*;
        let problem = match self {
            TemplateError::Url(_) => return Some("Give scheme, host and path, as in \"https://t.example.com/postback?cid={click_id}\".".to_owned()),
            TemplateError::Bad(bad) => bad.problem,
        };
        match problem {
            BadBrace { .. } | OtherSyntax { .. } => {
                Some("Write {parameter} for a parameter's value, such as {click_id}.".to_owned())
            }
            Ampersand { .. } => Some("Write \"&\".".to_owned()),
            Currency { .. } => Some("Write \"&currency\" or what else it was.".to_owned()),
            BadCharacter { character, .. } => Some(format!(
                "Write \"{}\".",
                encode(character.encode_utf8(&mut [0; 4]))
            )),
            _ => None,
        }
    }
}

/// Why a template cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// A placeholder without a value.
    Missing {
        /// Its name.
        parameter: String,
        /// The names that have values.
        given: Vec<String>,
    },
    /// With its value, `.` or `..` is a part of the path.
    DotSegment {
        /// The parameter.
        parameter: String,
    },
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfilled::Missing { parameter, .. } => {
                write!(f, "parameter {} is missing", Quoted(parameter))
            }
            Unfilled::DotSegment { parameter } => {
                write!(f, "parameter {} cannot be in the path", Quoted(parameter))
            }
        }
    }
}

impl Problem for Unfilled {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Unfilled::Missing { given, .. } if given.is_empty() => "None are given.".to_owned(),
            Unfilled::Missing { given, .. } => {
                format!("Given are {}.", list(given.iter().map(String::as_str)))
            }
            Unfilled::DotSegment { .. } => {
                "With it, a part of the path is nothing but dots, a step elsewhere.".to_owned()
            }
        })
    }

    fn hint(&self) -> Option<String> {
        match self {
            Unfilled::Missing { parameter, given } => {
                crate::problem::nearest(parameter, given.iter().map(String::as_str))
                    .map(|name| did_you_mean("parameters", parameter, [name].into_iter()))
            }
            Unfilled::DotSegment { .. } => None,
        }
    }
}
