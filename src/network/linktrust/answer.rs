//! What LinkTrust answers to an edit: a small XML document, read tolerantly.
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

use std::fmt;

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

/// An answer, as far as it could be read. What is missing is `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether the transaction was changed.
    pub succeeded: bool,
    /// `permanent`, or another word for why it was not.
    pub error_type: String,
    /// Why it was not.
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

/// Why a text is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// More than [`MOST_BYTES`].
    TooLong,
    /// Deeper than [`MOST_DEPTH`].
    TooDeep,
    /// It declares a document type.
    DocumentType,
    /// `Succeeded` is neither True nor False, or both.
    NoVerdict,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an answer of LinkTrust")
    }
}

impl Problem for Unreadable {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            Unreadable::TooLong => format!("It has more than {MOST_BYTES} bytes."),
            Unreadable::TooDeep => format!("It has more than {MOST_DEPTH} levels."),
            Unreadable::DocumentType => "It declares a document type.".to_owned(),
            Unreadable::NoVerdict => {
                "It has no element \"Succeeded\" that is True or False.".to_owned()
            }
        })
    }
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
    answer: Answer,
    succeeded: Option<bool>,
    contradicts_itself: bool,
}

impl Draft {
    fn take(&mut self, part: Part, name: &str, text: &str) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let text = text.trim();
        let supplied = &mut self.answer.supplied;
        let place = match part {
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
        if place.is_empty() {
            text.clone_into(place);
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

impl Answer {
    /// Reads an answer's body.
    ///
    /// ```
    /// use pgrx_ext::network::linktrust::answer::Answer;
    /// let body = "<LinkTrust><ApiResponse><Succeeded>True</Succeeded></ApiResponse></LinkTrust>";
    /// assert!(Answer::parse(body).unwrap().succeeded);
    /// ```
    pub fn parse(body: &str) -> Result<Answer, Unreadable> {
        if body.len() > MOST_BYTES {
            return Err(Unreadable::TooLong);
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
                        return Err(Unreadable::TooDeep);
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
                Ok(Event::DocType(_)) => return Err(Unreadable::DocumentType),
                Ok(Event::Eof) | Err(_) => break,
                Ok(_) => continue,
            };
            if let Some(element) = open.last_mut() {
                element.text.push_str(text);
            }
        }
        match draft.succeeded {
            Some(succeeded) if !draft.contradicts_itself => Ok(Answer {
                succeeded,
                ..draft.answer
            }),
            _ => Err(Unreadable::NoVerdict),
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
    /// What LinkTrust understood otherwise than it was sent, a phrase each.
    ///
    /// An empty value says nothing: the manual's sample of a success repeats no identification.
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
mod tests {
    use super::*;
    use crate::callback::Parameters;
    use proptest::prelude::*;

    /// The manual's samples, byte for byte.
    const SUCCESS: &str = include_str!("../../../tests/data/linktrust_success.xml");
    const FAILURE: &str = include_str!("../../../tests/data/linktrust_failure.xml");

    fn wrapped(inner: &str) -> String {
        format!("<LinkTrust><ApiResponse>{inner}</ApiResponse></LinkTrust>")
    }

    #[test]
    fn the_manuals_success_is_read() {
        let answer = Answer::parse(SUCCESS).unwrap();
        assert!(answer.succeeded);
        assert_eq!(answer.error_type, "");
        assert_eq!(
            answer.supplied,
            Supplied {
                affiliate_payout: "0.00".into(),
                merchant_payout: "0.00".into(),
                approved: "no".into(),
                ..Supplied::default()
            }
        );
    }

    #[test]
    fn the_manuals_failure_is_read_although_it_is_not_well_formed() {
        assert_eq!(
            Answer::parse(FAILURE).unwrap(),
            Answer {
                succeeded: false,
                error_type: "permanent".into(),
                message: "Permanent Failure: Invalid authentication credentials.".into(),
                supplied: Supplied::default(),
            }
        );
    }

    #[test]
    fn damage_is_tolerated_where_the_verdict_is_clear() {
        for (body, succeeded) in [
            (wrapped("<Succeeded>True</Succeeded>"), true),
            (wrapped("<succeeded> TRUE\n</succeeded>"), true),
            (wrapped("<Succeeded><![CDATA[True]]></Succeeded>"), true),
            (wrapped("<Succeeded>&#84;rue</Succeeded>"), true),
            (
                wrapped("<Succeeded>False</Succeeded></Nothing><a b=c>"),
                false,
            ),
            (wrapped("<Succeeded><Succeeded>False</Succeeded>"), false),
            (
                "\u{feff}<ApiResponse><Succeeded>True</Succeeded><Supp".into(),
                true,
            ),
            (SUCCESS.replace('\n', "\r\n"), true),
            (
                SUCCESS.replace("<CID></CID>", "<CID>a & b &nbsp;</CID>"),
                true,
            ),
            (SUCCESS.replace("UTF-8", "UTF-16"), true),
        ] {
            let read = Answer::parse(&body).map(|answer| answer.succeeded);
            assert_eq!(read, Ok(succeeded), "{body}");
        }
    }

    #[test]
    fn whatever_is_no_answer_is_said_to_be_none() {
        use Unreadable::*;
        let deep = "<x>".repeat(MOST_DEPTH + 1);
        let bomb = format!(
            "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>{}",
            wrapped("<Succeeded>True</Succeeded>")
        );
        for (body, problem) in [
            ("", NoVerdict),
            ("OK", NoVerdict),
            ("<html><body>Succeeded: True</body></html>", NoVerdict),
            ("<Succeeded>True</Succeeded>", NoVerdict),
            (&wrapped("<Succeeded>True"), NoVerdict),
            (&wrapped("<Succeeded>&yes;</Succeeded>"), NoVerdict),
            (
                &wrapped("<Succeeded>True</Succeeded><Succeeded>False</Succeeded>"),
                NoVerdict,
            ),
            (
                &wrapped("<Succeeded></Succeeded><Succeeded>True</Succeeded>"),
                NoVerdict,
            ),
            (
                &wrapped("<SuppliedValues><Succeeded>True</Succeeded></SuppliedValues>"),
                NoVerdict,
            ),
            (&wrapped("<!-- <Succeeded>True</Succeeded> -->"), NoVerdict),
            (&bomb, DocumentType),
            (&deep, TooDeep),
            (&"x".repeat(10 << 20), TooLong),
        ] {
            let shown = &body[..body.len().min(200)];
            assert_eq!(Answer::parse(body), Err(problem), "{shown}");
        }
    }

    #[test]
    fn references_are_resolved_and_foreign_ones_stay() {
        let body = wrapped(
            "<Succeeded>False</Succeeded><Error><Message>a &lt;b&gt; &amp; &quot;c&apos; &#233;&#xe9; &nbsp;</Message></Error>",
        );
        let answer = Answer::parse(&body).unwrap();
        assert_eq!(answer.message, "a <b> & \"c' éé &nbsp;");
    }

    #[test]
    fn values_that_were_understood_otherwise_are_named() {
        let said: Parameters = [
            ("transaction_id", "T-1"),
            ("approved", "no"),
            ("affiliate_payout", "1.5"),
        ]
        .into_iter()
        .collect();
        let sent = Edit::parse(&said, None).unwrap();
        let mut supplied = Supplied {
            transaction_id: "T-1".into(),
            affiliate_payout: "1.50".into(),
            approved: "No".into(),
            ..Supplied::default()
        };
        assert_eq!(supplied.differences(&sent), Vec::<String>::new());
        supplied.affiliate_payout = "1.5000".into();
        assert_eq!(supplied.differences(&sent), Vec::<String>::new());
        supplied.affiliate_payout = "150".into();
        supplied.merchant_payout = "0.00".into();
        assert_eq!(
            supplied.differences(&sent),
            [
                "AP is \"150\", sent was \"1.50\"",
                "MP is \"0.00\", which was not sent"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_text_panics_or_succeeds_without_saying_so(
            text in "\\PC*|(<|>|/|&|;|#|!|\\[|\\]|-|True|False|Succeeded|ApiResponse|Error|DOCTYPE| |\"|\\?){0,60}"
        ) {
            if let Ok(answer) = Answer::parse(&text) {
                prop_assert!(!answer.succeeded || text.to_ascii_lowercase().contains("succeeded"));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Answer::parse(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn a_damaged_failure_never_succeeds(at in 0..FAILURE.len(), with in "\\PC{0,3}|</?[A-Z]{1,3}>", cut in 0..9usize) {
            let end = (at + cut).min(FAILURE.len());
            let body = format!("{}{with}{}", &FAILURE[..at], &FAILURE[end..]);
            prop_assert!(!Answer::parse(&body).is_ok_and(|answer| answer.succeeded));
        }

        #[test]
        fn a_truncated_success_succeeds_only_after_its_verdict(at in 0..SUCCESS.len()) {
            let whole = SUCCESS.find("</Succeeded>").unwrap() + "</Succeeded>".len();
            let read = Answer::parse(&SUCCESS[..at]).is_ok_and(|answer| answer.succeeded);
            prop_assert_eq!(read, at >= whole);
        }
    }
}
