//! LinkTrust's tab-delimited files: many edits at once, for its lead poster.
//!
//! ```text
//! Password  TransactionID             AP  MP  A  executeaffiliatepixel
//! Password  ClickID                   AP  MP  A  executeaffiliatepixel
//! Password  MerchantreferenceID  CID  AP  MP  A  executeaffiliatepixel
//! ```
//! Source: the manual "Transaction Modification API". What it leaves open: files are written in
//! UTF-8 with CRLF and without quoting, so that tabs, line ends and quotes in values are refused;
//! `REASON` is a last column if there is a reason at all. They are read with the columns in any
//! order, in any case, with LF or CRLF, with or without byte-order mark; a value that stands in
//! quotes as a whole, as spreadsheets write it, is taken out of them. Lines without any value are
//! passed over.

use crate::callback::edit::IDENTIFICATIONS;
use crate::callback::{Edit, Identification};
use crate::problem::{Class, Problem, Quoted, did_you_mean};

pub mod read;
pub mod write;

pub use read::{Line, Lines, read};
pub use write::Writer;

/// The columns, in the manual's spelling.
pub const COLUMNS: [&str; 9] = [
    "Password",
    "TransactionID",
    "ClickID",
    "MerchantreferenceID",
    "CID",
    "AP",
    "MP",
    "A",
    "executeaffiliatepixel",
];

/// The column that the manual's files do not have.
const REASON: &str = "REASON";

/// Which of the three column sets a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnSet {
    /// By transaction id.
    TransactionId,
    /// By click id.
    ClickId,
    /// By merchant reference id and campaign id.
    MerchantReference,
}

impl ColumnSet {
    /// The column set that an edit needs.
    pub fn of(edit: &Edit) -> ColumnSet {
        match edit.identification {
            Identification::TransactionId(_) => ColumnSet::TransactionId,
            Identification::ClickId(_) => ColumnSet::ClickId,
            Identification::MerchantReference { .. } => ColumnSet::MerchantReference,
        }
    }

    /// The column set of an identifying parameter's name.
    pub fn from_parameter(name: &str) -> Result<ColumnSet, Problem> {
        match name {
            "transaction_id" => Ok(ColumnSet::TransactionId),
            "click_id" => Ok(ColumnSet::ClickId),
            "merchant_reference_id" => Ok(ColumnSet::MerchantReference),
            _ => {
                let message = format!("unknown identification: {}", Quoted(name));
                let known = IDENTIFICATIONS.into_iter();
                Err(
                    Problem::new(Class::InvalidParameter, message).hint(did_you_mean(
                        "identifications",
                        name,
                        known,
                    )),
                )
            }
        }
    }

    /// The identifying parameter's name.
    pub fn parameter(self) -> &'static str {
        match self {
            ColumnSet::TransactionId => "transaction_id",
            ColumnSet::ClickId => "click_id",
            ColumnSet::MerchantReference => "merchant_reference_id",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            ColumnSet::TransactionId => &["TransactionID"],
            ColumnSet::ClickId => &["ClickID"],
            ColumnSet::MerchantReference => &["MerchantreferenceID", "CID"],
        }
    }
}

#[cfg(test)]
mod tests;
