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

use std::fmt;

use csv::{QuoteStyle, ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use serde::Deserialize;

use super::{pixel, yes_or_no};
use crate::callback::{Amount, Edit, Identification, Parameters};
use crate::network::secret::Secret;
use crate::problem::{Class, Problem, Quoted, did_you_mean};

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
    pub fn from_parameter(name: &str) -> Option<ColumnSet> {
        match name {
            "transaction_id" => Some(ColumnSet::TransactionId),
            "click_id" => Some(ColumnSet::ClickId),
            "merchant_reference_id" => Some(ColumnSet::MerchantReference),
            _ => None,
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

/// A line of a file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number; the file's first line is 1.
    pub number: u64,
    /// The parameters of its edit, not validated yet, or why there are none.
    pub edit: Result<Parameters<'static>, BadLine>,
}

/// Reads a file, a line at a time. The column `Password` is not looked at.
///
/// ```
/// use pgrx_ext::network::linktrust::bulk_file::read;
/// let mut lines = read("transactionid\ta\r\nT-1\tno\r\n").unwrap();
/// let line = lines.next().unwrap();
/// assert_eq!(line.number, 2);
/// assert_eq!(line.edit.unwrap().get("transaction_id"), "T-1");
/// ```
pub fn read(file: &str) -> Result<Lines<'_>, BadHeader> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let mut csv = ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .flexible(true)
        .has_headers(false)
        .from_reader(file.as_bytes());
    let mut header = StringRecord::new();
    while header.iter().all(|name| name.trim().is_empty()) {
        match csv.read_record(&mut header) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(BadHeader::Missing),
        }
    }
    Ok(Lines {
        file,
        csv,
        header: columns(&header)?,
        record: StringRecord::new(),
    })
}

/// The header's names as [`Row`] has them.
fn columns(header: &StringRecord) -> Result<StringRecord, BadHeader> {
    let mut names = StringRecord::new();
    for given in header {
        let name = unquoted(given).trim().to_ascii_lowercase();
        let is_known = COLUMNS
            .iter()
            .chain([&REASON])
            .any(|known| known.eq_ignore_ascii_case(&name));
        if !is_known && !name.is_empty() {
            return Err(BadHeader::Unknown(given.to_owned()));
        }
        if !name.is_empty() && names.iter().any(|before| before == name) {
            return Err(BadHeader::Twice(given.to_owned()));
        }
        names.push_field(&name);
    }
    let identifies = |name| matches!(name, "transactionid" | "clickid" | "merchantreferenceid");
    match names.iter().any(identifies) {
        true => Ok(names),
        false => Err(BadHeader::NoIdentification),
    }
}

/// A line's values; what the file has no column for is `""`.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Row<'a> {
    transactionid: &'a str,
    clickid: &'a str,
    merchantreferenceid: &'a str,
    cid: &'a str,
    ap: &'a str,
    mp: &'a str,
    a: &'a str,
    executeaffiliatepixel: &'a str,
    reason: &'a str,
}

impl Row<'_> {
    fn parameters(&self) -> Parameters<'static> {
        [
            ("transaction_id", self.transactionid),
            ("click_id", self.clickid),
            ("merchant_reference_id", self.merchantreferenceid),
            ("campaign_id", self.cid),
            ("affiliate_payout", self.ap),
            ("merchant_payout", self.mp),
            ("approved", self.a),
            ("execute_affiliate_pixel", self.executeaffiliatepixel),
            ("reason", self.reason),
        ]
        .into_iter()
        .map(|(name, text)| (name, unquoted(text)))
        .collect()
    }
}

/// A value without the quotes around it, doubled ones made single.
fn unquoted(text: &str) -> String {
    match text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        Some(inner) => inner.replace("\"\"", "\""),
        None => text.to_owned(),
    }
}

/// The lines of a file after its header.
pub struct Lines<'a> {
    file: &'a str,
    csv: csv::Reader<&'a [u8]>,
    header: StringRecord,
    record: StringRecord,
}

impl Lines<'_> {
    /// The number of the line that was read last.
    ///
    /// A record's position is that of the line ends before it, so those are counted in.
    fn number(&self) -> u64 {
        let Some(position) = self.record.position() else {
            return 0;
        };
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let skipped = self.file.as_bytes().get(start..).unwrap_or_default();
        let line_ends = skipped
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .filter(|byte| **byte == b'\n')
            .count();
        position.line() + line_ends as u64
    }

    fn edit(&self) -> Result<Parameters<'static>, BadLine> {
        let (fields, columns) = (self.record.len(), self.header.len());
        if fields != columns {
            return Err(BadLine { fields, columns });
        }
        self.record
            .deserialize(Some(&self.header))
            .map(|row: Row| row.parameters())
            .map_err(|_| BadLine { fields, columns })
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            match self.csv.read_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) | Err(_) => return None,
            }
            if !self.record.iter().all(str::is_empty) {
                return Some(Line {
                    number: self.number(),
                    edit: self.edit(),
                });
            }
        }
    }
}

/// A line with more or fewer fields than the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The line's fields.
    pub fields: usize,
    /// The header's.
    pub columns: usize,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadLine { fields, columns } = self;
        write!(f, "the line has {fields} fields, the header {columns}")
    }
}

impl Problem for BadLine {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }
}

/// A first line that does not say what the others hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadHeader {
    /// The file is empty.
    Missing,
    /// A column that such files do not have.
    Unknown(String),
    /// A column that is there twice.
    Twice(String),
    /// No column that identifies a transaction.
    NoIdentification,
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadHeader::Missing => f.write_str("the file has no header"),
            BadHeader::Unknown(name) => write!(f, "unknown column: {}", Quoted(name)),
            BadHeader::Twice(name) => write!(f, "column {} is there twice", Quoted(name)),
            BadHeader::NoIdentification => f.write_str(
                "the header has no column TransactionID, ClickID or MerchantreferenceID",
            ),
        }
    }
}

impl Problem for BadHeader {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        match self {
            BadHeader::Unknown(name) if name.contains([',', ';']) => {
                Some("Columns are separated by tabs.".to_owned())
            }
            BadHeader::Unknown(name) => Some(did_you_mean(
                "columns",
                name,
                COLUMNS.iter().copied().chain([REASON]),
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::edit::tests::any_edit;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Secret::new("s3cret&").unwrap()
    }

    fn loaded(file: &str) -> Vec<(u64, Result<String, String>)> {
        read(file)
            .unwrap()
            .map(|line| {
                let edit = line.edit.map(|said| {
                    let pairs: Vec<_> = said.iter().map(|(n, t)| format!("{n}={t}")).collect();
                    pairs.join(" ")
                });
                (line.number, edit.map_err(|problem| problem.to_string()))
            })
            .collect()
    }

    #[test]
    fn a_file_is_written_in_each_of_the_manuals_column_sets() {
        let changes = [
            ("approved", "no"),
            ("affiliate_payout", "0"),
            ("execute_affiliate_pixel", "yes"),
        ];
        for (identification, file) in [
            (
                &[("transaction_id", "T-1")][..],
                "Password\tTransactionID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\tT-1\t0.00\t\tno\tYes\r\n",
            ),
            (
                &[("click_id", "04_1_x")],
                "Password\tClickID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\t04_1_x\t0.00\t\tno\tYes\r\n",
            ),
            (
                &[("merchant_reference_id", "9"), ("campaign_id", "466744")],
                "Password\tMerchantreferenceID\tCID\tAP\tMP\tA\texecuteaffiliatepixel\r\ns3cret&\t9\t466744\t0.00\t\tno\tYes\r\n",
            ),
        ] {
            let said: Parameters = identification.iter().chain(&changes).copied().collect();
            let edit = Edit::parse(&said, None).unwrap();
            let secret = secret();
            let mut writer = Writer::new(ColumnSet::of(&edit), Reasons::None, &secret).unwrap();
            writer.write(&edit).unwrap();
            assert_eq!(writer.finish().unwrap(), file);
        }
    }

    #[test]
    fn what_a_file_cannot_hold_is_refused() {
        let secret = secret();
        let write = |parameters: &[(&str, &str)], reasons| {
            let said: Parameters = parameters.iter().copied().collect();
            let edit = Edit::parse(&said, None).unwrap();
            let mut writer = Writer::new(ColumnSet::TransactionId, reasons, &secret).unwrap();
            writer.write(&edit).map_err(|problem| problem.one_line())
        };
        let approved = ("approved", "1");
        for (parameters, reasons, message) in [
            (
                [("transaction_id", "a\"b"), ("reason", ""), approved],
                Reasons::None,
                "transaction_id cannot be in a tab-delimited file: \"a\"b\": It has a quote, and such files know no quoting.",
            ),
            (
                [("transaction_id", "T"), ("reason", "a\tb"), approved],
                Reasons::Written,
                "reason cannot be in a tab-delimited file: \"a\\u{9}b\": It has a tab, and such files know no quoting.",
            ),
            (
                [("transaction_id", "T"), ("reason", "a\nb"), approved],
                Reasons::Written,
                "reason cannot be in a tab-delimited file: \"a\\u{a}b\": It has a line end, and such files know no quoting.",
            ),
            (
                [("transaction_id", "T"), ("reason", "why"), approved],
                Reasons::None,
                "the file has no column for reasons",
            ),
            (
                [("click_id", "x"), ("reason", ""), approved],
                Reasons::None,
                "the edits identify their transactions in different ways: The file is by transaction_id, and an edit by click_id.",
            ),
        ] {
            assert_eq!(write(&parameters, reasons), Err(message.to_owned()));
        }
        let password = Secret::new("a\tb").unwrap();
        let problem = Writer::new(ColumnSet::ClickId, Reasons::None, &password)
            .err()
            .unwrap();
        assert!(!format!("{problem:?} {}", problem.one_line()).contains("a\tb"));
    }

    #[test]
    fn headers_come_in_any_order_and_case() {
        let expected = vec![(
            2,
            Ok("transaction_id=T-1 affiliate_payout=1 approved=no".to_owned()),
        )];
        for file in [
            "TransactionID\tAP\tA\nT-1\t1\tno\n",
            "a\tTRANSACTIONID\tPassword\tap\r\nno\tT-1\tsecret\t1\r\n",
            "\u{feff}A\tMP\tTransactionID\t AP \r\nno\t\tT-1\t1",
            "\"A\"\t\"AP\"\tTransactionID\n\"no\"\t\"1\"\t\"T-1\"\n\t\t\n\n",
            "A\tAP\tTransactionID\t\nno\t1\tT-1\t\n",
        ] {
            assert_eq!(loaded(file), expected, "{file:?}");
        }
    }

    #[test]
    fn bad_lines_are_reported_by_number_and_the_others_are_read() {
        for end in ["\n", "\r\n"] {
            let file = [
                "ClickID\tA",
                "a\tno",
                "",
                "",
                "b",
                "c\t\"x\ty",
                "\t",
                "d\t\"yes",
                "e\tyes",
            ]
            .join(end);
            assert_eq!(
                loaded(&file),
                [
                    (2, Ok("click_id=a approved=no".to_owned())),
                    (5, Err("the line has 1 fields, the header 2".to_owned())),
                    (6, Err("the line has 3 fields, the header 2".to_owned())),
                    (8, Ok("click_id=d approved=\"yes".to_owned())),
                    (9, Ok("click_id=e approved=yes".to_owned())),
                ]
            );
        }
    }

    #[test]
    fn bad_headers_are_refused() {
        let message = |file| {
            let problem = read(file).err().unwrap();
            format!("{problem} {}", problem.hint().unwrap_or_default())
        };
        assert_eq!(message(""), "the file has no header ");
        assert_eq!(message("\n\r\n\t\n"), "the file has no header ");
        assert_eq!(
            message("TransactionID\tAPP\n"),
            "unknown column: \"APP\" Did you mean \"AP\"?"
        );
        assert_eq!(
            message("TransactionID,AP\n"),
            "unknown column: \"TransactionID,AP\" Columns are separated by tabs."
        );
        assert_eq!(
            message("ClickID\tclickid\n"),
            "column \"clickid\" is there twice "
        );
        assert_eq!(
            message("AP\tMP\n"),
            "the header has no column TransactionID, ClickID or MerchantreferenceID "
        );
    }

    proptest! {
        #[test]
        fn any_edit_survives_a_file(said in any_edit(), others in 0..3usize) {
            let edit = Edit::parse(&said, None).unwrap();
            let secret = secret();
            let mut writer = Writer::new(ColumnSet::of(&edit), Reasons::Written, &secret).unwrap();
            for _ in 0..=others {
                writer.write(&edit).unwrap();
            }
            let file = writer.finish().unwrap();
            let lines: Vec<_> = read(&file).unwrap().collect();
            prop_assert_eq!(lines.len(), others + 1);
            for (at, line) in lines.into_iter().enumerate() {
                prop_assert_eq!(line.number, at as u64 + 2);
                let loaded = line.edit.unwrap();
                prop_assert_eq!(&Edit::parse(&loaded, None).unwrap(), &edit);
            }
        }

        #[test]
        fn any_file_is_read_without_panic(file in "(ClickID|A|\t|\n|\r|\"|é|\u{feff}|x){0,40}|\\PC*") {
            if let Ok(lines) = read(&file) {
                let last = file.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
                for line in lines {
                    prop_assert!(line.number <= last);
                }
            }
        }
    }
}
