//! LinkTrust: edits of conversions, by `transaction.edit`.
//!
//! Source: the network's manual "Transaction Modification API". Parameters are spelled and
//! ordered as in its sample URLs; what does not change is left out, and `REASON`, which the manual
//! shows in answers only, comes last and only if there is one.
//!
//! ```text
//! Password  Transactionid | ClickID | Merchantreferenceid CID  A  AP  MP  executeaffiliatepixel  REASON
//! ```
//! The password is no part of what [`EditPage::edit_url`] builds: it is added by
//! [`EditPage::url_as_sent`] when the request is sent.

use super::options::{Options, value_of};
use super::secret::Secret;
use super::{Account, Network, judge_by_status};
use crate::callback::{Action, Edit, Identification, Parameters, PositiveId};
use crate::click_id::Form;
use crate::delivery::{Answer, Verdict};
use crate::mapping::{self, Mapping, ParameterNames, missing_argument};
use crate::problem::Problem;
use crate::url::{BaseUrl, UrlBuilder, encode};

pub mod answer;
pub mod bulk_file;

use answer::TransactionAnswer;

/// The network.
pub static NETWORK: Network = Network {
    name: "linktrust",
    options: &["url", "campaign_id", "click_ids"],
    click_ids: Some(Form::LinkTrust),
    wants_password: true,
    actions: &[(Action::Edit, EDIT)],
    read_account: |options| Ok(Box::new(EditPage::read(options)?)),
};

/// The page below the tracking URL that edits go to.
const PAGE: &str = "transaction.edit";

const EDIT: ParameterNames = ParameterNames {
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
        mapping::ORGANIC,
    ],
    required: &[],
    open: false,
};

/// Where a merchant's conversions are edited.
#[derive(Debug)]
pub struct EditPage {
    /// The tracking URL, `…/transaction.edit`.
    pub url: BaseUrl,
    /// `CID` of merchant reference ids that come without one.
    pub campaign_id: Option<PositiveId>,
}

impl Account for EditPage {
    fn network(&self) -> &'static Network {
        &NETWORK
    }

    fn check_new(&self, _options: &Options) -> Result<(), Problem> {
        self.url.check_new(&value_of("url"))
    }

    fn check_constant(&self, name: &str, text: &str) -> Result<(), Problem> {
        match name {
            "campaign_id" => PositiveId::parse(name, text).map(drop),
            _ => Ok(()),
        }
    }

    fn check_mapping(&self, _action: Action, mapping: &Mapping) -> Result<(), Problem> {
        mapping.check_edit()?;
        let has_reference = mapping.provides("merchant_reference_id");
        match (has_reference, mapping.provides("campaign_id")) {
            (true, false) if self.campaign_id.is_none() => Err(missing_argument("campaign_id")),
            (false, true) => Err(missing_argument("merchant_reference_id")),
            _ => Ok(()),
        }
    }

    fn url(&self, action: Action, parameters: &Parameters) -> Result<String, Problem> {
        let edit = self.edit(action, parameters)?;
        Ok(self.edit_url(&edit))
    }

    fn check_parameters(&self, action: Action, parameters: &Parameters) -> Result<(), Problem> {
        self.edit(action, parameters).map(drop)
    }

    fn url_with_password(&self, url: &str, password: &Secret) -> String {
        EditPage::url_as_sent(url, password)
    }

    fn judge(&self, action: Action, sent: &Parameters, answer: &Answer) -> Verdict {
        judge(answer, self.edit(action, sent).ok().as_ref())
    }
}

impl EditPage {
    /// An account; `https://t.example.com` and `https://t.example.com/transaction.edit` mean the
    /// same.
    pub fn new(url: BaseUrl, campaign_id: Option<PositiveId>) -> EditPage {
        EditPage {
            url: url.page(PAGE),
            campaign_id,
        }
    }

    fn read(options: &Options) -> Result<EditPage, Problem> {
        let url = options.base_url("url")?;
        let url = url.ok_or_else(|| options.missing("url"))?;
        Ok(EditPage::new(url, options.id("campaign_id")?))
    }

    fn edit<'a>(
        &self,
        action: Action,
        parameters: &'a Parameters<'_>,
    ) -> Result<Edit<'a>, Problem> {
        match action {
            Action::Edit => Edit::parse(parameters, self.campaign_id),
            Action::Lead | Action::Sale => Err(NETWORK.no_such_action(action)),
        }
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

    /// What [`EditPage::edit_url`] built, with the password before all else.
    ///
    /// ```
    /// use pgrx_ext::network::{linktrust::EditPage, secret::Secret};
    /// let url = "https://t.example.com/transaction.edit?Transactionid=T-1&A=no";
    /// assert_eq!(
    ///     EditPage::url_as_sent(url, &Secret::new("s3cret&").unwrap()),
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
/// Only `Succeeded` True is delivered. The values that it repeats are compared to `sent`.
fn judge(answer: &Answer, sent: Option<&Edit>) -> Verdict {
    let Ok(read) = TransactionAnswer::parse(&answer.body) else {
        return judge_unreadable(answer);
    };
    let status = format!("HTTP {}", answer.status);
    let mut message = match read.succeeded {
        true => format!("{status}: succeeded"),
        false if read.message.is_empty() => format!("{status}: not succeeded"),
        false => format!("{status}: {}", shown(&read.message)),
    };
    for difference in sent.map_or_else(Vec::new, |sent| read.supplied.differences(sent)) {
        message.push_str("; ");
        message.push_str(&difference);
    }
    if read.succeeded {
        Verdict::Delivered { message }
    } else if read.error_type.eq_ignore_ascii_case("permanent") {
        Verdict::Failed { message }
    } else {
        Verdict::Retry {
            message,
            after: answer.retry_after,
        }
    }
}

/// By status, except that a body that cannot be read is no delivery.
fn judge_unreadable(answer: &Answer) -> Verdict {
    match judge_by_status(answer) {
        Verdict::Delivered { message } => Verdict::Retry {
            message: format!("{message}, but the body is no answer of LinkTrust"),
            after: answer.retry_after,
        },
        verdict => verdict,
    }
}

/// A text of LinkTrust's as messages quote it: on one line, and cut if it is long.
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
mod tests;
