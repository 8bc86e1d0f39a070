//! The content of callbacks: leads, sales and edits, typed and validated.
//!
//! A trigger or a call gives [`Parameters`], text by name. [`Lead::parse`], [`Sale::parse`] and
//! [`Edit::parse`] turn them into values that can only be right, so that building a URL from them
//! cannot fail. The trigger parses to find what is wrong while the row is at hand, the worker
//! parses again when it sends.

use std::borrow::Cow;

use crate::click_id::{ClickId, Form};
use crate::problem::{Class, Problem, Quoted};

mod conversion;
pub mod edit;
mod value;

pub use conversion::{Conversion, Fields, Lead, Sale, is_organic};
pub use edit::{Edit, Identification};
pub use value::{Amount, MAX_TRANSACTION_ID, PositiveId};

use conversion::is_no_voucher;
pub(crate) use conversion::nothing_to_credit;
use edit::{boolean, not_a_boolean};
pub(crate) use value::{currency, printable};

/// What happened, in the words of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// A visitor became a customer: a registration, a request for a quote.
    Lead,
    /// A customer bought something.
    Sale,
    /// A conversion that the network knows already was changed.
    Edit,
}

impl Action {
    /// Every action, in the order of the SQL type's labels.
    pub const ALL: [Action; 3] = [Action::Lead, Action::Sale, Action::Edit];

    /// The label of the SQL type `s2s.action`.
    pub fn name(self) -> &'static str {
        match self {
            Action::Lead => "lead",
            Action::Sale => "sale",
            Action::Edit => "edit",
        }
    }

    /// The action of a label.
    pub fn from_name(name: &str) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The action that a function reports.
    pub fn from_function(name: &str) -> Option<Action> {
        Action::ALL
            .into_iter()
            .find(|action| action.function() == name)
    }

    /// The trigger function, and function, that reports this action.
    pub fn function(self) -> &'static str {
        match self {
            Action::Lead => "report_lead",
            Action::Sale => "report_sale",
            Action::Edit => "edit_transaction",
        }
    }
}

/// The parameters that mean something by themselves: an empty text is the same as none.
pub const STANDARD: &[&str] = &[
    "transaction_id",
    "click_id",
    "voucher_code",
    "amount",
    "currency",
    "description_merchant",
    "description_affiliate",
    "product_id",
    "tracking_group_id",
    "merchant_reference_id",
    "campaign_id",
    "approved",
    "affiliate_payout",
    "merchant_payout",
    "execute_affiliate_pixel",
    "reason",
];

/// The name under which [`Parameters`] keep what is missing in them: arguments of a trigger that
/// could not be read, as they are written. The callback is not sent until a person removes it.
pub const UNREAD: &str = "{unread}";

/// Text by parameter name, as a trigger's mapping, a call or the queue has it.
///
/// An empty text of a [`STANDARD`] parameter is the same as none. Parameters of other names, which
/// only URL templates have, may be empty: that is a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Without any.
    pub fn new() -> Parameters<'a> {
        Parameters(Vec::with_capacity(10))
    }

    /// Sets a parameter that has not been set; an empty text sets no standard parameter, nor does
    /// white space set a voucher code.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) {
        let (name, text) = (name.into(), text.into());
        let is_none = match name.as_ref() {
            "voucher_code" => is_no_voucher(&text),
            name => text.is_empty() && STANDARD.contains(&name),
        };
        if !is_none {
            self.0.push((name, text));
        }
    }

    /// The parameter's text, `""` if it has none.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, text)| text)
    }

    /// Refuses parameters some of which their trigger could not read.
    pub fn check_complete(&self) -> Result<(), Problem> {
        let arguments = match self.get(UNREAD) {
            "" => return Ok(()),
            arguments => Quoted(arguments),
        };
        let message = format!("trigger arguments that could not be read: {arguments}");
        Err(Problem::new(Class::InvalidParameter, message)
            .detail("What they say of the row is missing.")
            .hint(format!("Set what is missing in s2s.queue.parameters, remove \"{UNREAD}\" there, and call s2s.retry.")))
    }

    /// The same with each text cut to `most` bytes, or a little less.
    pub fn cut(&self, most: usize) -> Parameters<'_> {
        let cut = |text: &'_ str| text.floor_char_boundary(most);
        Parameters(
            self.0
                .iter()
                .map(|(name, text)| (name.as_ref().into(), text[..cut(text)].into()))
                .collect(),
        )
    }

    /// The same with another text of a parameter.
    pub fn replaced(&self, name: &str, text: &str) -> Parameters<'_> {
        let texts = self.iter().map(|(known, kept)| match known == name {
            true => (known, Cow::Owned(text.to_owned())),
            false => (known, Cow::Borrowed(kept)),
        });
        texts.collect()
    }

    /// Names and texts in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_ref(), text.as_ref()))
    }
}

impl<'a, N: Into<Cow<'a, str>>, T: Into<Cow<'a, str>>> FromIterator<(N, T)> for Parameters<'a> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Parameters<'a> {
        let mut parameters = Parameters::new();
        for (name, text) in pairs {
            parameters.set(name, text);
        }
        parameters
    }
}

/// A required parameter that is NULL, empty or not given.
pub fn missing(parameter: &str) -> Problem {
    Problem::new(Class::InvalidParameter, format!("{parameter} is required"))
        .detail(format!("{parameter} is NULL, empty or not given."))
}

/// Reads the parameter `click_id`.
fn click_id(text: &str) -> Result<ClickId<'_>, Problem> {
    ClickId::parse(text).map_err(|problem| bad_click_id(text, problem))
}

/// The problem of a parameter `click_id` that is none.
fn bad_click_id(text: &str, problem: Problem) -> Problem {
    Problem {
        detail: problem.detail,
        hint: problem.hint,
        ..Problem::invalid("click_id", text)
    }
}

/// The parameters with the click id, if there is one, as a network whose ids have a form wants it;
/// refuses one of another form.
pub fn with_own_click_id<'a>(
    parameters: &'a Parameters<'a>,
    form: Form,
) -> Result<Cow<'a, Parameters<'a>>, Problem> {
    let text = parameters.get("click_id");
    if text.is_empty() {
        return Ok(Cow::Borrowed(parameters));
    }
    let id = ClickId::parse_own(text, form).map_err(|problem| bad_click_id(text, problem))?;
    Ok(match id.as_str() == text {
        true => Cow::Borrowed(parameters),
        false => Cow::Owned(parameters.replaced("click_id", id.as_str())),
    })
}

/// Checks a standard parameter by itself and writes it as URL templates have it: amounts with two
/// decimals, currencies in upper case, booleans as `yes` and `no`. Others are what they are.
pub fn canonical<'a>(name: &str, text: &'a str) -> Result<Cow<'a, str>, Problem> {
    let Some(name) = STANDARD.iter().find(|known| **known == name).copied() else {
        return Ok(Cow::Borrowed(text));
    };
    Ok(match name {
        "amount" | "affiliate_payout" | "merchant_payout" => {
            Amount::parse(name, text)?.to_string().into()
        }
        "currency" => currency(name, text)?.code().into(),
        "approved" | "execute_affiliate_pixel" => match boolean(text) {
            Some(true) => "yes".into(),
            Some(false) => "no".into(),
            None => return Err(not_a_boolean(name, text)),
        },
        "click_id" => click_id(text)?.as_str().to_owned().into(),
        "transaction_id" | "merchant_reference_id" => printable(name, text)?.into(),
        _ => text.into(),
    })
}
