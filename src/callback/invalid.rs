//! What is wrong with a parameter.

use std::fmt;

use super::{MAX_TRANSACTION_ID, edit};
use crate::click_id::ClickIdError;
use crate::problem::{Class, Problem, Quoted, all_of, one_of};

/// A parameter whose text cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Which parameter.
    pub parameter: &'static str,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is required and was not given, or is NULL or empty.
    Missing,
    /// Nothing but white space.
    Blank,
    /// A control character; `at` counts characters from 1.
    ControlCharacter {
        /// Where it stands.
        at: usize,
    },
    /// More bytes than an index entry can hold with certainty.
    TooLong {
        /// Bytes given.
        length: usize,
    },
    /// Not a decimal number with a dot.
    NotANumber,
    /// NaN or infinite.
    NotFinite,
    /// Below zero.
    Negative,
    /// A million times a million million million, or more digits than 28.
    OutOfRange,
    /// No code of ISO 4217.
    UnknownCurrency,
    /// Not an integer above zero.
    NotPositive,
    /// Neither a click id nor a voucher code.
    NothingToCredit,
    /// Not a click id.
    ClickId(ClickIdError),
    /// Not one of PostgreSQL's words for booleans.
    NotABoolean,
    /// Nothing says which transaction an edit is about.
    NoIdentification,
    /// Several parameters do.
    SeveralIdentifications {
        /// The further ones.
        others: Vec<&'static str>,
    },
    /// A merchant's id without the campaign in which it is unique.
    ReferenceWithoutCampaign,
    /// A campaign without a merchant's id.
    CampaignWithoutReference,
    /// An edit that changes nothing.
    NothingToChange,
    /// Arguments of a trigger that could not be read when the row was written.
    Unread,
}

impl Invalid {
    /// Says that `parameter` cannot be `text`.
    pub fn new(parameter: &'static str, text: &str, reason: Reason) -> Invalid {
        Invalid {
            parameter,
            text: text.to_owned(),
            reason,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invalid {
            parameter,
            text,
            reason,
        } = self;
        match reason {
            Reason::Missing | Reason::ReferenceWithoutCampaign => {
                write!(f, "{parameter} is required")
            }
            Reason::NoIdentification => {
                write!(f, "{} is required", one_of(&edit::IDENTIFICATIONS))
            }
            Reason::SeveralIdentifications { others } => match others.as_slice() {
                [other] => write!(f, "{parameter} and {other} are both given"),
                _ => write!(f, "{} are all given", all_of(&edit::IDENTIFICATIONS)),
            },
            Reason::NothingToChange => write!(f, "{} is required", one_of(&edit::CHANGES)),
            Reason::Unread => write!(
                f,
                "trigger arguments that could not be read: {}",
                Quoted(text)
            ),
            Reason::NothingToCredit => f.write_str("click_id or voucher_code is required"),
            _ => write!(f, "invalid {parameter}: {}", Quoted(text)),
        }
    }
}

impl Problem for Invalid {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::Missing => format!("{} is NULL, empty or not given.", self.parameter),
            Reason::Blank => "It is nothing but white space.".to_owned(),
            Reason::ControlCharacter { at } => {
                format!("Character {at} is a control character.")
            }
            Reason::TooLong { length } => {
                format!("It has {length} bytes; at most {MAX_TRANSACTION_ID} are allowed.")
            }
            Reason::NotANumber => "It is not a decimal number.".to_owned(),
            Reason::NotFinite => "It is not finite.".to_owned(),
            Reason::Negative => "It is negative.".to_owned(),
            Reason::OutOfRange => "It is 1e24 or more, or has more than 28 digits.".to_owned(),
            Reason::UnknownCurrency => "It is not a currency code of ISO 4217.".to_owned(),
            Reason::NotPositive => {
                format!("It is not an integer from 1 to {}.", i64::MAX)
            }
            Reason::NothingToCredit => {
                "Without either, there is no affiliate to credit.".to_owned()
            }
            Reason::ClickId(error) => return error.detail(),
            Reason::NotABoolean => "It is neither true nor false.".to_owned(),
            Reason::NoIdentification => "Nothing says which transaction is meant.".to_owned(),
            Reason::SeveralIdentifications { .. } => format!(
                "Only one of {} can say which transaction is meant.",
                all_of(&edit::IDENTIFICATIONS)
            ),
            Reason::ReferenceWithoutCampaign => {
                "A merchant_reference_id is unique within a campaign only.".to_owned()
            }
            Reason::CampaignWithoutReference => {
                "It belongs to a merchant_reference_id, and there is none.".to_owned()
            }
            Reason::NothingToChange => "Nothing would change.".to_owned(),
            Reason::Unread => "What they say of the row is missing.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::NotANumber | Reason::NotFinite | Reason::Negative | Reason::OutOfRange => {
                "Give an amount of zero or more, with a dot before the decimals and no thousands separator, as in 49.90.".to_owned()
            }
            Reason::UnknownCurrency => "Give three letters, as in EUR.".to_owned(),
            Reason::NothingToCredit => {
                "Give the click id that came with the visitor, or an exclusive voucher code.".to_owned()
            }
            Reason::ClickId(error) => return error.hint(),
            Reason::NotABoolean => "Give yes or no.".to_owned(),
            Reason::NoIdentification => {
                "Give the network's transaction id, the click id, or the merchant's reference id with its campaign id.".to_owned()
            }
            Reason::Unread => format!(
                "Set what is missing in s2s.queue.parameters, remove \"{}\" there, and call s2s.retry.",
                self.parameter
            ),
            Reason::ReferenceWithoutCampaign => {
                "Give campaign_id, or set it as an option of the server.".to_owned()
            }
            Reason::Missing
            | Reason::Blank
            | Reason::TooLong { .. }
            | Reason::ControlCharacter { .. }
            | Reason::NotPositive
            | Reason::SeveralIdentifications { .. }
            | Reason::CampaignWithoutReference
            | Reason::NothingToChange => return None,
        })
    }
}
