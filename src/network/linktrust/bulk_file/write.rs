//! Writing LinkTrust's tab-delimited files.

use super::{ColumnSet, REASON};
use crate::callback::{Amount, Edit, Identification};
use crate::network::linktrust::{pixel, yes_or_no};
use crate::network::secret::Secret;
use crate::problem::{Class, Problem, Quoted};

/// What ends a line.
const LINE_END: &str = "\r\n";

/// Bytes of the largest file: it is built in memory. That is about a million edits.
pub const LARGEST: usize = 64 << 20;

/// A file under construction.
pub struct Writer<'a> {
    file: String,
    password: &'a Secret,
    columns: ColumnSet,
    has_reasons: bool,
}

impl<'a> Writer<'a> {
    /// Starts a file with its header.
    pub fn new(columns: ColumnSet, password: &'a Secret) -> Result<Self, Problem> {
        if let Some(character) = forbidden(password.reveal()) {
            let message = "the password cannot be in a tab-delimited file";
            return Err(unwritable(message, character));
        }
        let mut writer = Writer {
            file: String::new(),
            password,
            columns,
            has_reasons: false,
        };
        let mut header = vec!["Password"];
        header.extend(columns.columns());
        header.extend(["AP", "MP", "A", "executeaffiliatepixel"]);
        writer.line(&header)?;
        Ok(writer)
    }

    /// Appends an edit. The first that has a reason adds the column for it.
    pub fn write(&mut self, edit: &Edit) -> Result<(), Problem> {
        if ColumnSet::of(edit) != self.columns {
            let message = "the edits identify their transactions in different ways";
            return Err(Problem::new(Class::InvalidParameter, message)
                .detail(format!(
                    "The file is by {}, and an edit by {}.",
                    self.columns.parameter(),
                    ColumnSet::of(edit).parameter()
                ))
                .hint("Choose one: transaction_id, click_id or merchant_reference_id; a file has one column set."));
        }
        let values = [
            (edit.identification.parameter(), edit.identification.text()),
            ("reason", edit.reason),
        ];
        for (parameter, text) in values {
            if let Some(character) = forbidden(text) {
                let text = Quoted(text);
                let message = format!("{parameter} cannot be in a tab-delimited file: {text}");
                return Err(unwritable(message, character));
            }
        }
        if !edit.reason.is_empty() && !self.has_reasons {
            self.add_reasons()?;
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
        if self.has_reasons {
            fields.push(edit.reason);
        }
        self.line(&fields)
    }

    /// Adds the column to every line so far. No value has a line end.
    fn add_reasons(&mut self) -> Result<(), Problem> {
        let lines = self.file.matches(LINE_END).count();
        self.check_room(lines + REASON.len())?;
        let mut longer = String::with_capacity(self.file.len() + lines + REASON.len());
        for (number, line) in self.file.split_terminator(LINE_END).enumerate() {
            let reason = if number == 0 { REASON } else { "" };
            longer.extend([line, "\t", reason, LINE_END]);
        }
        self.file = longer;
        self.has_reasons = true;
        Ok(())
    }

    /// Refuses so many bytes more than there are.
    fn check_room(&self, more: usize) -> Result<(), Problem> {
        if self.file.len() + more <= LARGEST {
            return Ok(());
        }
        let message = format!("the file would be larger than {} MB", LARGEST >> 20);
        Err(Problem::new(Class::LimitExceeded, message)
            .detail("It is built in memory.")
            .hint("Write a file for each identification (transaction_id, click_id, merchant_reference_id), or drop edits that are not wanted with s2s.cancel(id)."))
    }

    fn line(&mut self, fields: &[&str]) -> Result<(), Problem> {
        let length = fields.iter().map(|field| field.len() + 1).sum::<usize>();
        self.check_room(length + LINE_END.len())?;
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.file.push('\t');
            }
            self.file.push_str(field);
        }
        self.file.push_str(LINE_END);
        Ok(())
    }

    /// The finished file.
    pub fn finish(self) -> String {
        self.file
    }
}

/// The first character that a file without quoting cannot hold.
fn forbidden(text: &str) -> Option<char> {
    text.chars().find(|c| matches!(c, '\t' | '\r' | '\n' | '"'))
}

/// The problem of a text with such a character.
fn unwritable(message: impl Into<String>, character: char) -> Problem {
    let what = match character {
        '\t' => "a tab",
        '"' => "a quote",
        _ => "a line end",
    };
    Problem::new(Class::InvalidParameter, message)
        .detail(format!("It has {what}, and such files know no quoting."))
}
