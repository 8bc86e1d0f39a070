//! LinkTrust's answer to an edit: a small XML document, read tolerantly.
//!
//! ```text
//! LinkTrust > ApiResponse > Succeeded                      True or False
//!                         > Error > Type, Message          permanent, or anything else
//!                         > SuppliedValues > TransactionId, ClickId, MerchantReferenceId,
//!                                            CID, AP, MP, A, REASON
//! ```
//! Source: the manual "Transaction Modification API", whose sample of a failure is not
//! well-formed (`<CID><CID>`). So an end tag closes the nearest element of its name with all that
//! is in it, an end tag of nothing is passed over, and what was read before a syntax error counts.
//! `Succeeded` counts only when its own end tag was read. Case of names does not matter.
//!
//! No DTD, no entities but XML's five and numeric ones, at most [`MOST_BYTES`] and
//! [`MOST_DEPTH`].

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::callback::{Amount, Edit, Identification};
use crate::delivery::reply::MOST_READ;
use crate::problem::{Class, Problem, Quoted};

/// Longer texts are no answers; the manual's have 500 bytes. It is less than what is read of a
/// body, so that a body that was cut is too long.
pub const MOST_BYTES: usize = 32 * 1024;

const _: () = assert!(MOST_BYTES < MOST_READ);

/// Deeper texts are no answers; the manual's have four levels, and one more for each end tag that
/// was forgotten.
pub const MOST_DEPTH: usize = 32;

/// An answer of LinkTrust, as far as it could be read. What is missing is `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionAnswer {
    /// Whether the conversion was changed.
    pub succeeded: bool,
    /// `permanent`, or another kind of error.
    pub error_type: String,
    /// The error's message.
    pub message: String,
    /// What LinkTrust understood.
    pub supplied: Supplied,
}

/// The values that an answer repeats. What is missing is `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supplied {
    /// `TransactionId`
    pub transaction_id: String,
    /// `ClickId`
    pub click_id: String,
    /// `MerchantReferenceId`
    pub merchant_reference_id: String,
    /// `CID`
    pub campaign_id: String,
    /// `AP`
    pub affiliate_payout: String,
    /// `MP`
    pub merchant_payout: String,
    /// `A`
    pub approved: String,
    /// `REASON`
    pub reason: String,
}

/// The problem of a text that is no answer.
fn unreadable(detail: impl Into<String>) -> Problem {
    Problem::new(Class::InvalidParameter, "not an answer of LinkTrust").detail(detail)
}

/// Which part of an answer an element is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Response,
    Error,
    Supplied,
}

impl Part {
    fn named(name: &str) -> Option<Part> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("ApiResponse") {
            Some(Part::Response)
        } else if is("Error") {
            Some(Part::Error)
        } else if is("SuppliedValues") {
            Some(Part::Supplied)
        } else {
            None
        }
    }
}

/// An element whose end tag was not read yet.
struct Open {
    name: String,
    text: String,
}

/// An answer under construction.
#[derive(Default)]
struct Draft {
    answer: TransactionAnswer,
    succeeded: Option<bool>,
    contradicts_itself: bool,
}

impl Draft {
    fn take(&mut self, part: Part, name: &str, text: &str) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let text = text.trim();
        let supplied = &mut self.answer.supplied;
        let field = match part {
            Part::Response if is("Succeeded") => return self.take_succeeded(text),
            Part::Error if is("Type") => &mut self.answer.error_type,
            Part::Error if is("Message") => &mut self.answer.message,
            Part::Supplied if is("TransactionId") => &mut supplied.transaction_id,
            Part::Supplied if is("ClickId") => &mut supplied.click_id,
            Part::Supplied if is("MerchantReferenceId") => &mut supplied.merchant_reference_id,
            Part::Supplied if is("CID") => &mut supplied.campaign_id,
            Part::Supplied if is("AP") => &mut supplied.affiliate_payout,
            Part::Supplied if is("MP") => &mut supplied.merchant_payout,
            Part::Supplied if is("A") => &mut supplied.approved,
            Part::Supplied if is("REASON") => &mut supplied.reason,
            _ => return,
        };
        if field.is_empty() {
            text.clone_into(field);
        }
    }

    fn take_succeeded(&mut self, text: &str) {
        let value = match text {
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        self.contradicts_itself |=
            value.is_none() || self.succeeded.is_some_and(|before| Some(before) != value);
        self.succeeded = value;
    }
}

impl TransactionAnswer {
    /// Reads an answer's body.
    ///
    /// ```
    /// use pgrx_ext::network::linktrust::answer::TransactionAnswer;
    /// let body = "<LinkTrust><ApiResponse><Succeeded>True</Succeeded></ApiResponse></LinkTrust>";
    /// assert!(TransactionAnswer::parse(body).unwrap().succeeded);
    /// ```
    pub fn parse(body: &str) -> Result<TransactionAnswer, Problem> {
        if body.len() > MOST_BYTES {
            return Err(unreadable(format!("It has more than {MOST_BYTES} bytes.")));
        }
        let mut reader = Reader::from_str(body);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        let mut draft = Draft::default();
        let mut open: Vec<Open> = Vec::with_capacity(8);
        loop {
            let event = reader.read_event();
            let text = match &event {
                Ok(Event::Start(start)) => {
                    if open.len() == MOST_DEPTH {
                        return Err(unreadable(format!("It has more than {MOST_DEPTH} levels.")));
                    }
                    let name = start.local_name().into_inner().to_owned();
                    let text = String::new();
                    open.push(Open { name, text });
                    continue;
                }
                Ok(Event::End(end)) => {
                    close(&mut open, end.local_name().into_inner(), &mut draft);
                    continue;
                }
                Ok(Event::Text(text)) => text.as_ref(),
                Ok(Event::CData(text)) => text.as_ref(),
                Ok(Event::GeneralRef(reference)) => {
                    if let Some(element) = open.last_mut() {
                        append_reference(&mut element.text, reference);
                    }
                    continue;
                }
                Ok(Event::DocType(_)) => {
                    return Err(unreadable("It declares a document type."));
                }
                Ok(Event::Eof) | Err(_) => break,
                Ok(_) => continue,
            };
            if let Some(element) = open.last_mut() {
                element.text.push_str(text);
            }
        }
        match draft.succeeded {
            Some(succeeded) if !draft.contradicts_itself => Ok(TransactionAnswer {
                succeeded,
                ..draft.answer
            }),
            // None, neither True nor False, or both.
            _ => Err(unreadable(
                "It has no element \"Succeeded\" that is True or False.",
            )),
        }
    }
}

/// Closes the nearest element of that name, with all that is in it.
fn close(open: &mut Vec<Open>, name: &str, draft: &mut Draft) {
    let Some(at) = open
        .iter()
        .rposition(|element| element.name.eq_ignore_ascii_case(name))
    else {
        return;
    };
    let part = open[..at]
        .iter()
        .rev()
        .find_map(|element| Part::named(&element.name));
    if let Some(part) = part {
        draft.take(part, name, &open[at].text);
    }
    open.truncate(at);
}

/// Appends what a reference stands for; one that is not XML's own stays as it is.
fn append_reference(text: &mut String, reference: &BytesRef) {
    let name: &str = reference;
    match (
        quick_xml::escape::resolve_xml_entity(name),
        reference.resolve_char_ref(),
    ) {
        (Some(character), _) => text.push_str(character),
        (None, Ok(Some(character))) => text.push(character),
        _ => {
            text.push('&');
            text.push_str(name);
            text.push(';');
        }
    }
}

impl Supplied {
    /// The values that LinkTrust understood otherwise than they were sent, a phrase each.
    ///
    /// Empty values are passed over: the manual's sample of a success repeats no identification.
    pub fn differences(&self, sent: &Edit) -> Vec<String> {
        let (transaction_id, click_id, reference, campaign) = match &sent.identification {
            Identification::TransactionId(id) => (*id, "", "", String::new()),
            Identification::ClickId(id) => ("", id.as_str(), "", String::new()),
            Identification::MerchantReference { id, campaign_id } => {
                ("", "", *id, campaign_id.to_string())
            }
        };
        let amount = |amount: Option<Amount>| amount.map(|amount| amount.to_string());
        let approved = match sent.approved {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let pairs = [
            (
                "TransactionId",
                &self.transaction_id,
                transaction_id.to_owned(),
            ),
            ("ClickId", &self.click_id, click_id.to_owned()),
            (
                "MerchantReferenceId",
                &self.merchant_reference_id,
                reference.to_owned(),
            ),
            ("CID", &self.campaign_id, campaign),
            (
                "AP",
                &self.affiliate_payout,
                amount(sent.affiliate_payout).unwrap_or_default(),
            ),
            (
                "MP",
                &self.merchant_payout,
                amount(sent.merchant_payout).unwrap_or_default(),
            ),
            ("A", &self.approved, approved.to_owned()),
            ("REASON", &self.reason, sent.reason.to_owned()),
        ];
        pairs
            .into_iter()
            .filter(|(name, theirs, ours)| !theirs.is_empty() && !same(name, theirs, ours))
            .map(|(name, theirs, ours)| match ours.as_str() {
                "" => format!("{name} is {}, which was not sent", Quoted(theirs)),
                ours => format!("{name} is {}, sent was {}", Quoted(theirs), Quoted(ours)),
            })
            .collect()
    }
}

fn same(name: &str, theirs: &str, ours: &str) -> bool {
    match name {
        "AP" | "MP" => Amount::parse("amount", theirs).is_ok_and(|read| read.to_string() == ours),
        "A" => theirs.eq_ignore_ascii_case(ours),
        _ => theirs == ours.trim(),
    }
}

#[cfg(test)]
mod tests;
