//! Reading LinkTrust's tab-delimited files, a line at a time.

use csv::{ReaderBuilder, StringRecord};
use serde::Deserialize;

use super::{COLUMNS, REASON};
use crate::callback::Parameters;
use crate::problem::{Class, Problem, Quoted, did_you_mean, list};

/// A line of a file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number; the file's first line is 1.
    pub number: u64,
    /// The parameters of its edit, not validated yet.
    pub edit: Result<Parameters<'static>, Problem>,
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
pub fn read(file: &str) -> Result<Lines<'_>, Problem> {
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
            Ok(false) | Err(_) => {
                return Err(bad_header("the file has no header").hint(columns_hint()));
            }
        }
    }
    Ok(Lines {
        file,
        csv,
        header: columns(&header)?,
        record: StringRecord::new(),
        counted: 0,
        line_ends: 0,
    })
}

/// The names of all columns that there can be.
fn known() -> impl Iterator<Item = &'static str> + Clone {
    COLUMNS.into_iter().chain([REASON])
}

/// Whether a line has the name of an identifying column, whatever separates its fields. A line
/// without may hold values, a password among them: messages must not quote it.
fn is_header(line: &StringRecord) -> bool {
    let is_identifying = |word: &str| {
        ["TransactionID", "ClickID", "MerchantreferenceID"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(unquoted(word.trim()).as_str()))
    };
    line.iter()
        .flat_map(|field| field.split([',', ';']))
        .any(is_identifying)
}

/// The problem of a first line that does not name the columns.
fn bad_header(message: impl Into<String>) -> Problem {
    Problem::new(Class::InvalidParameter, message)
}

fn columns_hint() -> String {
    format!(
        "The first line names the columns, separated by tabs: some of {}.",
        list(known())
    )
}

/// The header's names as [`Cells`] has them.
fn columns(header: &StringRecord) -> Result<StringRecord, Problem> {
    if !is_header(header) {
        let message = "the header has no column TransactionID, ClickID or MerchantreferenceID";
        return Err(bad_header(message).hint(columns_hint()));
    }
    let mut names = StringRecord::new();
    for given in header {
        let name = unquoted(given).trim().to_ascii_lowercase();
        let is_known = known().any(|known| known.eq_ignore_ascii_case(&name));
        if !is_known && !name.is_empty() {
            let hint = match given.contains([',', ';']) {
                true => "Columns are separated by tabs.".to_owned(),
                false => did_you_mean("columns", given, known()),
            };
            return Err(bad_header(format!("unknown column: {}", Quoted(given))).hint(hint));
        }
        if !name.is_empty() && names.iter().any(|before| before == name) {
            let message = format!("column {} is there twice", Quoted(given));
            return Err(bad_header(message));
        }
        names.push_field(&name);
    }
    Ok(names)
}

/// A line's values; what the file has no column for is `""`.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Cells<'a> {
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

impl Cells<'_> {
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
    /// Bytes in which line ends were counted, and how many there are: CRLF, LF or CR.
    counted: usize,
    line_ends: u64,
}

impl Lines<'_> {
    /// The number of the line that was read last. The reader's own counts LF alone, and has the
    /// position of the line ends before a record.
    fn number(&mut self) -> u64 {
        let bytes = self.file.as_bytes();
        let position = self.record.position().map_or(0, csv::Position::byte);
        let position = usize::try_from(position).unwrap_or(usize::MAX);
        while let Some(byte) = bytes.get(self.counted)
            && (self.counted < position || matches!(byte, b'\r' | b'\n'))
        {
            let ends_line = match byte {
                b'\r' => bytes.get(self.counted + 1) != Some(&b'\n'),
                byte => *byte == b'\n',
            };
            self.line_ends += u64::from(ends_line);
            self.counted += 1;
        }
        self.line_ends + 1
    }

    fn edit(&self) -> Result<Parameters<'static>, Problem> {
        let (fields, columns) = (self.record.len(), self.header.len());
        let row = match fields == columns {
            true => self.record.deserialize(Some(&self.header)).ok(),
            false => None,
        };
        row.map(|row: Cells| row.parameters()).ok_or_else(|| {
            let message = format!("the line has {fields} fields, the header {columns}");
            Problem::new(Class::InvalidParameter, message)
        })
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
