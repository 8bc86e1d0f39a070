//! Writing LinkTrust's tab-delimited files.

use std::fmt;

use csv::{QuoteStyle, Terminator, WriterBuilder};

use super::{ColumnSet, REASON};
use crate::callback::{Amount, Edit, Identification};
use crate::network::linktrust::{pixel, yes_or_no};
use crate::network::secret::Secret;
use crate::problem::{Class, Problem, Quoted};

/// Whether a file has a column for reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reasons {
    /// It has; the manual's files do not.
    Written,
    /// No edit has one.
    None,
}

/// A file under construction.
pub struct Writer<'a> {
    csv: csv::Writer<Vec<u8>>,
    password: &'a Secret,
    columns: ColumnSet,
    reasons: Reasons,
}

impl<'a> Writer<'a> {
    /// Starts a file with its header.
    pub fn new(
        columns: ColumnSet,
        reasons: Reasons,
        password: &'a Secret,
    ) -> Result<Self, Unwritable> {
        if let Some(character) = forbidden(password.reveal()) {
            return Err(Unwritable::Password { character });
        }
        let csv = WriterBuilder::new()
            .delimiter(b'\t')
            .quote_style(QuoteStyle::Never)
            .terminator(Terminator::CRLF)
            .from_writer(Vec::new());
        let mut writer = Writer {
            csv,
            password,
            columns,
            reasons,
        };
        let mut header = vec!["Password"];
        header.extend(columns.columns());
        header.extend(["AP", "MP", "A", "executeaffiliatepixel"]);
        if reasons == Reasons::Written {
            header.push(REASON);
        }
        writer.line(&header)?;
        Ok(writer)
    }

    /// Appends an edit.
    pub fn write(&mut self, edit: &Edit) -> Result<(), Unwritable> {
        if ColumnSet::of(edit) != self.columns {
            return Err(Unwritable::OtherColumns {
                file: self.columns,
                edit: ColumnSet::of(edit),
            });
        }
        if self.reasons == Reasons::None && !edit.reason.is_empty() {
            return Err(Unwritable::NoReasons);
        }
        let values = [
            (edit.identification.parameter(), edit.identification.text()),
            ("reason", edit.reason),
        ];
        for (parameter, text) in values {
            if let Some(character) = forbidden(text) {
                return Err(Unwritable::Value {
                    parameter,
                    text: text.to_owned(),
                    character,
                });
            }
        }
        let campaign_id;
        let amount = |amount: Option<Amount>| amount.map_or(String::new(), |sum| sum.to_string());
        let (affiliate, merchant) = (amount(edit.affiliate_payout), amount(edit.merchant_payout));
        let mut fields = vec![self.password.reveal(), edit.identification.text()];
        if let Identification::MerchantReference {
            campaign_id: id, ..
        } = &edit.identification
        {
            campaign_id = id.to_string();
            fields.push(&campaign_id);
        }
        let approved = edit.approved.map_or("", yes_or_no);
        fields.extend([&affiliate, &merchant, approved, pixel(edit)]);
        if self.reasons == Reasons::Written {
            fields.push(edit.reason);
        }
        self.line(&fields)
    }

    fn line(&mut self, fields: &[&str]) -> Result<(), Unwritable> {
        self.csv
            .write_record(fields)
            .map_err(|_| Unwritable::OutOfMemory)
    }

    /// The finished file.
    pub fn finish(self) -> Result<String, Unwritable> {
        let bytes = self.csv.into_inner().map_err(|_| Unwritable::OutOfMemory)?;
        String::from_utf8(bytes).map_err(|_| Unwritable::OutOfMemory)
    }
}

/// The first character that a file without quoting cannot hold.
fn forbidden(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '\t' | '\r' | '\n' | '"'))
}

/// What cannot be written to a file. It never holds the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritable {
    /// A value with a tab, line end or quote.
    Value {
        /// The parameter.
        parameter: &'static str,
        /// Its text.
        text: String,
        /// The character.
        character: char,
    },
    /// A password with a tab, line end or quote.
    Password {
        /// The character.
        character: char,
    },
    /// An edit that is identified otherwise than the file's.
    OtherColumns {
        /// The file's.
        file: ColumnSet,
        /// The edit's.
        edit: ColumnSet,
    },
    /// An edit with a reason in a file without them.
    NoReasons,
    /// The file could not be kept.
    OutOfMemory,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwritable::Value {
                parameter, text, ..
            } => {
                write!(
                    f,
                    "{parameter} cannot be in a tab-delimited file: {}",
                    Quoted(text)
                )
            }
            Unwritable::Password { .. } => {
                f.write_str("the password cannot be in a tab-delimited file")
            }
            Unwritable::OtherColumns { .. } => {
                f.write_str("the edits identify their transactions in different ways")
            }
            Unwritable::NoReasons => f.write_str("the file has no column for reasons"),
            Unwritable::OutOfMemory => f.write_str("the file could not be kept in memory"),
        }
    }
}

impl Problem for Unwritable {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        match self {
            Unwritable::Value { character, .. } | Unwritable::Password { character } => {
                let what = match character {
                    '\t' => "a tab",
                    '"' => "a quote",
                    _ => "a line end",
                };
                Some(format!("It has {what}, and such files know no quoting."))
            }
            Unwritable::OtherColumns { file, edit } => Some(format!(
                "The file is by {}, and an edit by {}.",
                file.parameter(),
                edit.parameter()
            )),
            Unwritable::NoReasons | Unwritable::OutOfMemory => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Unwritable::OtherColumns { .. } => Some(
                "Choose one: transaction_id, click_id or merchant_reference_id; a file has one column set.".to_owned(),
            ),
            _ => None,
        }
    }
}
