//! Text that is no click id.

use std::fmt;

use super::Field;
use crate::problem::{Class, Problem, Quoted};

/// Text that is no click id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickIdError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: ClickIdProblem,
}

/// What is wrong with a click id. `at` counts bytes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickIdProblem {
    /// No text at all.
    Empty,
    /// More than 512 bytes, or more than 128 for LinkTrust.
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// A control character.
    ControlCharacter {
        /// Where it stands.
        at: usize,
    },
    /// White space before or after.
    SpaceAtTheEnds,
    /// White space or an invisible character within an opaque id.
    WhiteSpace {
        /// Where it stands.
        at: usize,
    },
    /// The manual's `[marker]` was copied too.
    Marker,
    /// Not of TradeTracker's form.
    NotTradeTracker(Field),
    /// Not of LinkTrust's form.
    NotLinkTrust {
        /// Where the first other character stands.
        at: usize,
    },
    /// The bytes are not UTF-8 (binary input only).
    NotUtf8,
}

impl fmt::Display for ClickIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid input syntax for type click_id: {}",
            Quoted(&self.text)
        )
    }
}

impl Problem for ClickIdError {
    fn class(&self) -> Class {
        Class::InvalidText
    }

    fn detail(&self) -> Option<String> {
        use ClickIdProblem::*;
        Some(match self.problem {
            Empty => "A click id has at least one character.".to_owned(),
            TooLong { length, most } => format!("It has {length} bytes; at most {most} are allowed."),
            ControlCharacter { at } => format!("There is a control character at byte {at}."),
            SpaceAtTheEnds => "There is white space before or after it.".to_owned(),
            WhiteSpace { at } => {
                format!("There is white space or an invisible character at byte {at}.")
            }
            Marker => "It holds \"[marker]\" or \"[/marker]\".".to_owned(),
            NotTradeTracker(Field::Count { found }) => {
                format!("A TradeTracker click id has five fields separated by \"::\"; this has {found}.")
            }
            NotTradeTracker(Field::Material) => {
                "The first field, the material id, is not a decimal number.".to_owned()
            }
            NotTradeTracker(Field::Affiliate) => {
                "The second field, the affiliate id, is not a decimal number.".to_owned()
            }
            NotTradeTracker(Field::Checksum) => {
                "The last field but one, the checksum, is neither empty nor 32 hexadecimal digits nor Magento's form.".to_owned()
            }
            NotTradeTracker(Field::UnixTime) => {
                "The last field, the time of the click, does not have 9 to 11 digits.".to_owned()
            }
            NotLinkTrust { at } => {
                format!("Byte {at} is not a letter, a digit, \"_\" or \"-\".")
            }
            NotUtf8 => "It is not valid UTF-8.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        use ClickIdProblem::*;
        Some(
            match self.problem {
                Empty => "Store NULL for a visitor who came without a click id.",
                TooLong { .. } => "Store the value of the landing page's parameter alone, not the whole URL.",
                ControlCharacter { .. } | SpaceAtTheEnds | WhiteSpace { .. } => {
                    "Store the value of the landing page's parameter, decoded once, and nothing else."
                }
                Marker => "Leave out \"[marker]\" and \"[/marker]\": the network's manual uses them to highlight the value between them.",
                NotTradeTracker(_) => {
                    "Expected material::affiliate::reference::checksum::unixtime, as in 0::12345::reference::::1405418672."
                }
                NotLinkTrust { .. } => {
                    "Expected an id such as 04_835477_fb93f424-788d-4c48-bfb1-98516f855839."
                }
                NotUtf8 => "Send the text in UTF-8.",
            }
            .to_owned(),
        )
    }
}

/// A type modifier or network name that `click_id` does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownForm(pub String);

impl fmt::Display for UnknownForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid type modifier for click_id: {}", Quoted(&self.0))
    }
}

impl Problem for UnknownForm {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        Some("Use click_id, click_id(tradetracker) or click_id(linktrust).".to_owned())
    }
}
