//! LinkTrust: edits of transactions, by `transaction.edit`.
//!
//! Source: the network's manual "Transaction Modification API". Parameters are spelled and
//! ordered as in its sample URLs; what does not change is left out, and `REASON`, which the manual
//! shows in answers only, comes last and only if there is one.
//!
//! ```text
//! Password  Transactionid | ClickID | Merchantreferenceid CID  A  AP  MP  executeaffiliatepixel  REASON
//! ```
//! The password is no part of what [`Account::edit_url`] builds: it is added by
//! [`Account::url_as_sent`] when the request is sent.

use super::Names;
use super::options::{OptionError, Options};
use super::secret::Secret;
use crate::callback::{Action, Edit, Identification, PositiveId};
use crate::delivery::{self, Verdict};
use crate::url::{BaseUrl, UrlBuilder, encode};

pub mod answer;
pub mod bulk_file;

use answer::Answer;

/// The options of a server that are LinkTrust's own.
pub const OPTIONS: &[&str] = &["url", "campaign_id"];

/// The page below the tracking URL that edits go to.
const PAGE: &str = "transaction.edit";

const EDIT: Names = Names {
    known: &[
        "transaction_id",
        "click_id",
        "merchant_reference_id",
        "campaign_id",
        "approved",
        "affiliate_payout",
        "merchant_payout",
        "execute_affiliate_pixel",
        "reason",
    ],
    required: &[],
    open: false,
};

/// The parameters of an action.
pub fn names(action: Action) -> Option<Names> {
    match action {
        Action::Edit => Some(EDIT),
        Action::Lead | Action::Sale => None,
    }
}

/// Where a merchant's transactions are edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The tracking URL, `…/transaction.edit`.
    pub url: BaseUrl,
    /// `CID` of merchant reference ids that come without one.
    pub campaign_id: Option<PositiveId>,
}

impl Account {
    /// An account; `https://t.example.com` and `https://t.example.com/transaction.edit` mean the
    /// same.
    pub fn new(url: BaseUrl, campaign_id: Option<PositiveId>) -> Account {
        Account {
            url: url.page(PAGE),
            campaign_id,
        }
    }

    /// Reads LinkTrust's own options.
    pub fn parse(options: &mut Options) -> Result<Account, OptionError> {
        let url = options.required_base_url("url")?;
        let campaign_id = options.optional("campaign_id", PositiveId::parse)?;
        Ok(Account::new(url, campaign_id))
    }

    /// The URL that makes an edit, without the password.
    pub fn edit_url(&self, edit: &Edit) -> String {
        let mut url = UrlBuilder::new(&self.url);
        match &edit.identification {
            Identification::TransactionId(id) => url.parameter("Transactionid", id),
            Identification::ClickId(id) => url.parameter("ClickID", id.as_str()),
            Identification::MerchantReference { id, campaign_id } => url
                .parameter("Merchantreferenceid", id)
                .number("CID", campaign_id),
        };
        url.parameter_if_any("A", edit.approved.map_or("", yes_or_no))
            .number_if_any("AP", edit.affiliate_payout)
            .number_if_any("MP", edit.merchant_payout)
            .parameter_if_any("executeaffiliatepixel", pixel(edit))
            .parameter_if_any("REASON", edit.reason);
        url.build()
    }

    /// What [`Account::edit_url`] built, with the password before all else.
    ///
    /// ```
    /// use pgrx_ext::network::{linktrust::Account, secret::Secret};
    /// let url = "https://t.example.com/transaction.edit?Transactionid=T-1&A=no";
    /// assert_eq!(
    ///     Account::url_as_sent(url, &Secret::new("s3cret&").unwrap()),
    ///     "https://t.example.com/transaction.edit?Password=s3cret%26&Transactionid=T-1&A=no"
    /// );
    /// ```
    pub fn url_as_sent(edit_url: &str, password: &Secret) -> String {
        let (page, query) = edit_url.split_once('?').unwrap_or((edit_url, ""));
        format!("{page}?Password={}&{query}", encode(password.reveal()))
    }
}

/// `A`: lower case, as in the manual's samples.
fn yes_or_no(approved: bool) -> &'static str {
    if approved { "yes" } else { "no" }
}

/// `executeaffiliatepixel`: the manual knows `Yes` only.
fn pixel(edit: &Edit) -> &'static str {
    if edit.execute_affiliate_pixel {
        "Yes"
    } else {
        ""
    }
}

/// What an answer means: the body decides before the status.
///
/// Only `Succeeded` True is delivered; `sent` is what it is compared to, if that is known.
pub fn judge(reply: &delivery::Answer, sent: Option<&Edit>) -> Verdict {
    let status = format!("HTTP {}", reply.status);
    let answer = match Answer::parse(&reply.body) {
        Ok(answer) => answer,
        Err(_) => return judge_unreadable(reply),
    };
    let mut message = match answer.succeeded {
        true => format!("{status}: succeeded"),
        false if answer.message.is_empty() => format!("{status}: not succeeded"),
        false => format!("{status}: {}", shown(&answer.message)),
    };
    for difference in sent.map_or_else(Vec::new, |sent| answer.supplied.differences(sent)) {
        message.push_str("; ");
        message.push_str(&difference);
    }
    if answer.succeeded {
        Verdict::Delivered { message }
    } else if answer.error_type.eq_ignore_ascii_case("permanent") {
        Verdict::Failed { message }
    } else {
        Verdict::Retry {
            message,
            after: reply.retry_after,
        }
    }
}

/// By status; but nothing is delivered that the body does not say.
fn judge_unreadable(reply: &delivery::Answer) -> Verdict {
    match super::judge_by_status(reply) {
        Verdict::Delivered { message } => Verdict::Retry {
            message: format!("{message}, but the body is no answer of LinkTrust"),
            after: reply.retry_after,
        },
        verdict => verdict,
    }
}

/// A foreign text in a message: on one line, and not longer than is of use.
fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Parameters;
    use crate::callback::edit::tests::any_edit;
    use crate::network::{Network, Server};
    use proptest::prelude::*;
    use std::time::Duration;

    const CHANGES: [(&str, &str); 4] = [
        ("approved", "false"),
        ("affiliate_payout", "0"),
        ("merchant_payout", "0.004"),
        ("execute_affiliate_pixel", "t"),
    ];

    fn server(options: &[(&str, &str)]) -> Result<Server, OptionError> {
        Server::parse("lt", Network::LinkTrust, options.iter().copied())
    }

    fn url(options: &[(&str, &str)], parameters: &[(&str, &str)]) -> String {
        let said: Parameters = parameters.iter().copied().collect();
        server(options).unwrap().url(Action::Edit, &said).unwrap()
    }

    #[test]
    fn the_manuals_edits() {
        let base = [("url", "https://track.example.com")];
        let edit = |identification: &[(&'static str, &'static str)]| {
            url(&base, &[identification, &CHANGES].concat())
        };
        let by_id = edit(&[("transaction_id", "T-1")]);
        assert_eq!(
            by_id,
            "https://track.example.com/transaction.edit?Transactionid=T-1&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
        );
        assert_eq!(
            Account::url_as_sent(&by_id, &Secret::new("s3cret&").unwrap()),
            "https://track.example.com/transaction.edit?Password=s3cret%26&Transactionid=T-1&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
        );
        assert_eq!(
            edit(&[("click_id", "04_835477_fb93f424-788d-4c48-bfb1-98516f855839")]),
            "https://track.example.com/transaction.edit?ClickID=04_835477_fb93f424-788d-4c48-bfb1-98516f855839&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
        );
        assert_eq!(
            edit(&[("merchant_reference_id", "9/1"), ("campaign_id", "466744")]),
            "https://track.example.com/transaction.edit?Merchantreferenceid=9%2F1&CID=466744&A=no&AP=0.00&MP=0.00&executeaffiliatepixel=Yes"
        );
    }

    #[test]
    fn only_what_changes_is_sent_and_the_reason_comes_last() {
        let options = [("url", "https://t.example.com/"), ("campaign_id", "466744")];
        let parameters = [
            ("reason", "sent back & refunded"),
            ("approved", "YES"),
            ("merchant_reference_id", "9"),
            ("execute_affiliate_pixel", "no"),
        ];
        assert_eq!(
            url(&options, &parameters),
            "https://t.example.com/transaction.edit?Merchantreferenceid=9&CID=466744&A=yes&REASON=sent%20back%20%26%20refunded"
        );
    }

    #[test]
    fn the_tracking_url_may_name_the_page() {
        for (base, page) in [
            (
                "https://t.example.com",
                "https://t.example.com/transaction.edit",
            ),
            (
                "https://t.example.com/",
                "https://t.example.com/transaction.edit",
            ),
            (
                "https://t.example.com/transaction.edit",
                "https://t.example.com/transaction.edit",
            ),
            (
                "https://t.example.com/a",
                "https://t.example.com/a/transaction.edit",
            ),
            (
                "https://t.example.com/a/",
                "https://t.example.com/a/transaction.edit",
            ),
        ] {
            let edit = [("transaction_id", "1"), ("approved", "1")];
            assert_eq!(
                url(&[("url", base)], &edit),
                format!("{page}?Transactionid=1&A=yes")
            );
        }
    }

    #[test]
    fn options_are_checked() {
        let message = |options: &[(&str, &str)]| server(options).unwrap_err().to_string();
        assert_eq!(message(&[]), "option \"url\" is required");
        assert_eq!(
            message(&[("url", "http://t.example.com")]),
            "option \"url\" is not an https URL"
        );
        assert_eq!(
            message(&[("url", "https://t.example.com"), ("campaign_id", "x")]),
            "invalid value for option \"campaign_id\": \"x\""
        );
        assert_eq!(
            message(&[("url", "https://t.example.com"), ("password", "p")]),
            "invalid option \"password\""
        );
    }

    fn reply(status: u16, body: &str) -> delivery::Answer {
        delivery::Answer {
            status,
            location: None,
            retry_after: Some(Duration::from_secs(7)),
            body: body.to_owned(),
        }
    }

    #[test]
    fn the_body_decides_before_the_status() {
        let success = include_str!("../../tests/data/linktrust_success.xml");
        let failure = include_str!("../../tests/data/linktrust_failure.xml");
        let passing = failure.replace("permanent", "temporary");
        let untyped = failure.replace("<Type>permanent</Type>", "");
        let credentials = "Permanent Failure: Invalid authentication credentials.";
        for (status, body, name, message) in [
            (200, success, "delivered", "HTTP 200: succeeded".to_owned()),
            (500, success, "delivered", "HTTP 500: succeeded".to_owned()),
            (200, failure, "failed", format!("HTTP 200: {credentials}")),
            (503, failure, "failed", format!("HTTP 503: {credentials}")),
            (200, &passing, "retry", format!("HTTP 200: {credentials}")),
            (403, &untyped, "retry", format!("HTTP 403: {credentials}")),
            (
                200,
                "<html>",
                "retry",
                "HTTP 200, but the body is no answer of LinkTrust".into(),
            ),
            (
                302,
                "",
                "retry",
                "HTTP 302, but the body is no answer of LinkTrust".into(),
            ),
            (503, "", "retry", "HTTP 503".into()),
            (404, "", "failed", "HTTP 404".into()),
        ] {
            let verdict = judge(&reply(status, body), None);
            assert_eq!(
                (verdict.name(), verdict.message()),
                (name, message.as_str())
            );
        }
    }

    #[test]
    fn a_success_that_understood_something_else_says_so() {
        let said: Parameters = [("transaction_id", "1"), ("approved", "yes")]
            .into_iter()
            .collect();
        let sent = Edit::parse(&said, None).unwrap();
        let success = include_str!("../../tests/data/linktrust_success.xml");
        let success = success.replace("<AP>0.00</AP>\n<MP>0.00</MP>\n", "");
        assert_eq!(
            judge(&reply(200, &success), Some(&sent)).message(),
            "HTTP 200: succeeded; A is \"no\", sent was \"yes\""
        );
    }

    proptest! {
        #[test]
        fn nothing_is_delivered_that_does_not_say_so(body in "\\PC*", status in 100..600u16) {
            let delivered = matches!(judge(&reply(status, &body), None), Verdict::Delivered { .. });
            prop_assert!(!delivered || body.to_ascii_lowercase().contains("succeeded>"));
        }

        #[test]
        fn the_receiver_reads_what_was_said(said in any_edit()) {
            let server = server(&[("url", "https://t.example.com")]).unwrap();
            let url = server.url(Action::Edit, &said).unwrap();
            let read = |name| crate::url::query_parameter(&url, name).unwrap().unwrap_or_default();
            let edit = Edit::parse(&said, None).unwrap();
            let name = match edit.identification {
                Identification::TransactionId(_) => "Transactionid",
                Identification::ClickId(_) => "ClickID",
                Identification::MerchantReference { .. } => "Merchantreferenceid",
            };
            prop_assert_eq!(read(name), edit.identification.text());
            prop_assert_eq!(read("CID"), said.get("campaign_id"));
            prop_assert_eq!(read("AP"), said.get("affiliate_payout"));
            prop_assert_eq!(read("MP"), said.get("merchant_payout"));
            prop_assert_eq!(read("REASON"), said.get("reason"));
        }
    }
}
