//! What a callback says: leads, sales and edits, typed and validated.
//!
//! A trigger or a call gives [`Parameters`], text by name. [`Lead::parse`], [`Sale::parse`] and
//! [`Edit::parse`] turn them into values that can only be right, so that building a URL from them cannot fail.
//! The trigger does so to find what is wrong while the row is at hand, the worker does it again
//! when it sends.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::LazyLock;

use iso_currency::{Currency, IntoEnumIterator};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::click_id::{ClickId, ClickIdError};
use crate::problem::{Class, Problem, Quoted, all_of, one_of};

pub mod edit;

pub use edit::{Edit, Identification};

use edit::boolean;

/// What happened, in the words of the networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Somebody became a customer: a registration, a request for a quote.
    Lead,
    /// Somebody bought something.
    Sale,
    /// A transaction that the network knows already was changed.
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

/// Text by parameter name, as a trigger's mapping, a call or the queue has it.
///
/// An empty text of a [`STANDARD`] parameter is the same as none. One of another name, which only
/// a URL template knows, is kept: it says that the name is known and its value is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// No parameters.
    pub fn new() -> Parameters<'a> {
        Parameters(Vec::with_capacity(10))
    }

    /// Sets a parameter that has not been set; an empty text sets no standard parameter.
    pub fn set(&mut self, name: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) {
        let (name, text) = (name.into(), text.into());
        if !text.is_empty() || !STANDARD.contains(&name.as_ref()) {
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

/// What leads and sales have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion<'a> {
    /// The merchant's own id of the conversion.
    pub transaction_id: &'a str,
    /// The click that brought the customer; there may be none if there is a voucher.
    pub click_id: Option<ClickId<'a>>,
    /// The voucher code that credits its affiliate, or `""`.
    pub voucher_code: &'a str,
    /// Seen by the merchant.
    pub description_merchant: &'a str,
    /// Seen by affiliates: no personal data belongs here.
    pub description_affiliate: &'a str,
    /// Takes the place of the server's product.
    pub product_id: Option<PositiveId>,
    /// Takes the place of the server's tracking group, unless it is `""`.
    pub tracking_group_id: &'a str,
}

/// A valid lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead<'a>(pub Conversion<'a>);

/// A valid sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale<'a> {
    /// What it has in common with a lead.
    pub conversion: Conversion<'a>,
    /// The order's value, without tax.
    pub amount: Amount,
    /// The currency of the amount.
    pub currency: Currency,
}

/// Whether anything could be credited: an organic customer has neither click id nor voucher.
pub fn is_organic(parameters: &Parameters) -> bool {
    parameters.get("click_id").is_empty() && parameters.get("voucher_code").is_empty()
}

/// What a lead or sale says, before it is checked: the texts of its parameters, `""` for none.
///
/// Only the click id is one already: the SQL type's values need no second look.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // Conversion and Sale say what they are.
pub struct Fields<'a> {
    pub transaction_id: &'a str,
    pub click_id: Option<ClickId<'a>>,
    pub voucher_code: &'a str,
    pub amount: &'a str,
    pub currency: &'a str,
    pub description_merchant: &'a str,
    pub description_affiliate: &'a str,
    pub product_id: &'a str,
    pub tracking_group_id: &'a str,
}

impl<'a> TryFrom<&'a Parameters<'_>> for Fields<'a> {
    type Error = Invalid;

    fn try_from(parameters: &'a Parameters<'_>) -> Result<Fields<'a>, Invalid> {
        Ok(Fields {
            transaction_id: parameters.get("transaction_id"),
            click_id: click_id(parameters.get("click_id"))?,
            voucher_code: parameters.get("voucher_code"),
            amount: parameters.get("amount"),
            currency: parameters.get("currency"),
            description_merchant: parameters.get("description_merchant"),
            description_affiliate: parameters.get("description_affiliate"),
            product_id: parameters.get("product_id"),
            tracking_group_id: parameters.get("tracking_group_id"),
        })
    }
}

impl<'a> From<Fields<'a>> for Parameters<'a> {
    fn from(fields: Fields<'a>) -> Parameters<'a> {
        let click_id = fields.click_id.map_or("".into(), ClickId::into_text);
        [
            ("transaction_id", Cow::Borrowed(fields.transaction_id)),
            ("click_id", click_id),
            ("voucher_code", fields.voucher_code.into()),
            ("amount", fields.amount.into()),
            ("currency", fields.currency.into()),
            ("description_merchant", fields.description_merchant.into()),
            ("description_affiliate", fields.description_affiliate.into()),
            ("product_id", fields.product_id.into()),
            ("tracking_group_id", fields.tracking_group_id.into()),
        ]
        .into_iter()
        .collect()
    }
}

impl<'a> Conversion<'a> {
    fn new(fields: Fields<'a>) -> Result<Conversion<'a>, Invalid> {
        if fields.click_id.is_none() && fields.voucher_code.is_empty() {
            return Err(Invalid::new("click_id", "", Reason::NothingToCredit));
        }
        let product_id = match fields.product_id {
            "" => None,
            text => Some(PositiveId::parse("product_id", text)?),
        };
        Ok(Conversion {
            transaction_id: printable("transaction_id", fields.transaction_id)?,
            click_id: fields.click_id,
            voucher_code: fields.voucher_code,
            description_merchant: fields.description_merchant,
            description_affiliate: fields.description_affiliate,
            product_id,
            tracking_group_id: fields.tracking_group_id,
        })
    }

    /// The click id as sent, `""` if there is none.
    pub fn click_id_text(&self) -> &str {
        self.click_id.as_ref().map_or("", ClickId::as_str)
    }
}

impl<'a> Lead<'a> {
    /// Validates a lead.
    pub fn new(fields: Fields<'a>) -> Result<Lead<'a>, Invalid> {
        Conversion::new(fields).map(Lead)
    }

    /// Validates a lead's parameters.
    pub fn parse(parameters: &'a Parameters<'_>) -> Result<Lead<'a>, Invalid> {
        Lead::new(parameters.try_into()?)
    }
}

impl<'a> Sale<'a> {
    /// Validates a sale.
    pub fn new(fields: Fields<'a>) -> Result<Sale<'a>, Invalid> {
        let (amount, code) = (fields.amount, fields.currency);
        Ok(Sale {
            conversion: Conversion::new(fields)?,
            amount: Amount::parse("amount", amount)?,
            currency: currency("currency", code)?,
        })
    }

    /// Validates a sale's parameters.
    pub fn parse(parameters: &'a Parameters<'_>) -> Result<Sale<'a>, Invalid> {
        Sale::new(parameters.try_into()?)
    }
}

/// The longest transaction id, in bytes.
pub const MAX_TRANSACTION_ID: usize = 512;

/// Checks an id that somebody else made up.
pub(crate) fn printable<'a>(name: &'static str, text: &'a str) -> Result<&'a str, Invalid> {
    let fail = |reason| Err(Invalid::new(name, text, reason));
    if text.is_empty() {
        return fail(Reason::Missing);
    }
    if text.trim_start().is_empty() {
        return fail(Reason::Blank);
    }
    if text.len() > MAX_TRANSACTION_ID {
        let length = text.len();
        return fail(Reason::TooLong { length });
    }
    // Nearly every id there is: no look at its characters is needed.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    match text.chars().position(char::is_control) {
        Some(at) => fail(Reason::ControlCharacter { at: at + 1 }),
        None => Ok(text),
    }
}

/// Reads a click id; an empty text is none.
fn click_id(text: &str) -> Result<Option<ClickId<'_>>, Invalid> {
    match text {
        "" => Ok(None),
        text => ClickId::parse(text)
            .map(Some)
            .map_err(|error| Invalid::new("click_id", text, Reason::ClickId(error))),
    }
}

/// Reads a code of ISO 4217, in any case.
pub(crate) fn currency(parameter: &'static str, text: &str) -> Result<Currency, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(parameter, text, Reason::Missing));
    }
    let code: Option<[u8; 3]> = text.as_bytes().try_into().ok();
    code.map(|code| code.map(|letter| letter.to_ascii_uppercase()))
        .and_then(|code| CURRENCIES.get(&code).copied())
        .ok_or_else(|| Invalid::new(parameter, text, Reason::UnknownCurrency))
}

/// The codes of ISO 4217, which [`Currency::from_code`] compares one by one.
static CURRENCIES: LazyLock<BTreeMap<[u8; 3], Currency>> = LazyLock::new(|| {
    Currency::iter()
        .filter_map(|currency| Some((currency.code().as_bytes().try_into().ok()?, currency)))
        .collect()
});

/// Checks a standard parameter by itself and writes it as URL templates have it: amounts with two
/// decimals, currencies in upper case, booleans as `yes` and `no`. Others are what they are.
pub fn in_one_form<'a>(name: &str, text: &'a str) -> Result<Cow<'a, str>, Invalid> {
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
            None => return Err(Invalid::new(name, text, Reason::NotABoolean)),
        },
        "click_id" => {
            let click_id = ClickId::parse(text)
                .map_err(|error| Invalid::new(name, text, Reason::ClickId(error)))?;
            click_id.as_str().to_owned().into()
        }
        "transaction_id" | "merchant_reference_id" => printable(name, text)?.into(),
        _ => text.into(),
    })
}

/// With 24 digits before the point, three after it still fit the 28 digits of a [`Decimal`].
const TOO_LARGE: f64 = 1e24;

/// A sum of money with two decimals: finite, not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    hundredths: u128,
}

impl Amount {
    /// Reads what `numeric`, `float8` and friends print, and rounds it to two decimals, half away
    /// from zero.
    ///
    /// ```
    /// use pgrx_ext::callback::Amount;
    /// assert_eq!(Amount::parse("amount", "49.9").unwrap().to_string(), "49.90");
    /// assert_eq!(Amount::parse("amount", "0.125").unwrap().to_string(), "0.13");
    /// ```
    pub fn parse(parameter: &'static str, text: &str) -> Result<Amount, Invalid> {
        let fail = |reason| Err(Invalid::new(parameter, text, reason));
        if text.is_empty() {
            return fail(Reason::Missing);
        }
        if let Some(hundredths) = plain_hundredths(text) {
            return Ok(Amount { hundredths });
        }
        Amount::read(text).or_else(fail)
    }

    fn read(text: &str) -> Result<Amount, Reason> {
        let unsigned = text.trim_start_matches(['+', '-']);
        if ["nan", "infinity", "inf"]
            .iter()
            .any(|word| unsigned.eq_ignore_ascii_case(word))
        {
            return Err(Reason::NotFinite);
        }
        let approximate: f64 = text.parse().map_err(|_| Reason::NotANumber)?;
        if approximate < 0.0 {
            return Err(Reason::Negative);
        }
        if approximate >= TOO_LARGE {
            return Err(Reason::OutOfRange);
        }
        if approximate < 0.001 {
            return Ok(Amount { hundredths: 0 });
        }
        let exact = if text.contains(['e', 'E']) {
            Decimal::from_scientific(text)
        } else {
            // The third decimal alone decides how the second is rounded; with more of them, the
            // parser would round first.
            let end = text
                .find('.')
                .map_or(text.len(), |point| text.len().min(point + 4));
            Decimal::from_str(&text[..end])
        };
        let exact = exact.map_err(|_| Reason::OutOfRange)?;
        let mut rounded = exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        rounded.rescale(2);
        match u128::try_from(rounded.mantissa()) {
            Ok(hundredths) if rounded.scale() == 2 => Ok(Amount { hundredths }),
            _ => Err(Reason::OutOfRange),
        }
    }
}

/// The hundredths of up to 15 digits before the point and any after it, as nearly every amount is
/// written. `None` says nothing: the whole grammar is [`Amount::read`]'s.
fn plain_hundredths(text: &str) -> Option<u128> {
    let (whole, decimals) = match text.bytes().position(|byte| byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, "0"),
    };
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if whole.len() > 15 || !is_plain(whole) || !is_plain(decimals) {
        return None;
    }
    let decimal = |place| match decimals.as_bytes().get(place) {
        Some(digit) => u64::from(digit - b'0'),
        None => 0,
    };
    // The third decimal alone decides how the second is rounded.
    let rounded_up = u64::from(decimal(2) >= 5);
    let whole: u64 = whole.parse().ok()?;
    Some(u128::from(
        whole * 100 + decimal(0) * 10 + decimal(1) + rounded_up,
    ))
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = itoa::Buffer::new();
        f.write_str(buffer.format(self.hundredths / 100))?;
        let decimals = (self.hundredths % 100) as u8;
        f.write_char('.')?;
        f.write_char(char::from(b'0' + decimals / 10))?;
        f.write_char(char::from(b'0' + decimals % 10))
    }
}

/// A campaign's or product's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositiveId(i64);

impl PositiveId {
    /// Checks a number.
    pub fn new(parameter: &'static str, number: i64) -> Result<PositiveId, Invalid> {
        if number > 0 {
            Ok(PositiveId(number))
        } else {
            Err(Invalid::new(
                parameter,
                &number.to_string(),
                Reason::NotPositive,
            ))
        }
    }

    /// Reads a number from text: digits, no sign.
    pub fn parse(parameter: &'static str, text: &str) -> Result<PositiveId, Invalid> {
        if text.is_empty() {
            return Err(Invalid::new(parameter, text, Reason::Missing));
        }
        let number = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().unwrap_or(0),
            false => 0,
        };
        match number {
            0 => Err(Invalid::new(parameter, text, Reason::NotPositive)),
            number => Ok(PositiveId(number)),
        }
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for PositiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(itoa::Buffer::new().format(self.0))
    }
}

/// A parameter whose text cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Which parameter.
    pub parameter: &'static str,
    /// Its text.
    pub text: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is required and was not given, or is NULL or empty.
    Missing,
    /// Nothing but white space.
    Blank,
    /// A control character; `at` counts characters from 1.
    ControlCharacter {
        /// Where it stands.
        at: usize,
    },
    /// More bytes than an index entry can hold with certainty.
    TooLong {
        /// Bytes given.
        length: usize,
    },
    /// Not a decimal number with a dot.
    NotANumber,
    /// NaN or infinite.
    NotFinite,
    /// Below zero.
    Negative,
    /// A million times a million million million, or more digits than 28.
    OutOfRange,
    /// No code of ISO 4217.
    UnknownCurrency,
    /// Not an integer above zero.
    NotPositive,
    /// Neither a click id nor a voucher code.
    NothingToCredit,
    /// Not a click id.
    ClickId(ClickIdError),
    /// Not one of PostgreSQL's words for booleans.
    NotABoolean,
    /// Nothing says which transaction an edit is about.
    NoIdentification,
    /// Several parameters do.
    SeveralIdentifications {
        /// The further ones.
        others: Vec<&'static str>,
    },
    /// A merchant's id without the campaign in which it is unique.
    ReferenceWithoutCampaign,
    /// A campaign without a merchant's id.
    CampaignWithoutReference,
    /// An edit that changes nothing.
    NothingToChange,
}

impl Invalid {
    /// Says that `parameter` cannot be `text`.
    pub fn new(parameter: &'static str, text: &str, reason: Reason) -> Invalid {
        Invalid {
            parameter,
            text: text.to_owned(),
            reason,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Invalid {
            parameter,
            text,
            reason,
        } = self;
        match reason {
            Reason::Missing | Reason::ReferenceWithoutCampaign => {
                write!(f, "{parameter} is required")
            }
            Reason::NoIdentification => {
                write!(f, "{} is required", one_of(&edit::IDENTIFICATIONS))
            }
            Reason::SeveralIdentifications { others } => match others.as_slice() {
                [other] => write!(f, "{parameter} and {other} are both given"),
                _ => write!(f, "{} are all given", all_of(&edit::IDENTIFICATIONS)),
            },
            Reason::NothingToChange => write!(f, "{} is required", one_of(&edit::CHANGES)),
            Reason::NothingToCredit => f.write_str("click_id or voucher_code is required"),
            _ => write!(f, "invalid {parameter}: {}", Quoted(text)),
        }
    }
}

impl Problem for Invalid {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::Missing => format!("{} is NULL, empty or not given.", self.parameter),
            Reason::Blank => "It is nothing but white space.".to_owned(),
            Reason::ControlCharacter { at } => {
                format!("Character {at} is a control character.")
            }
            Reason::TooLong { length } => {
                format!("It has {length} bytes; at most {MAX_TRANSACTION_ID} are allowed.")
            }
            Reason::NotANumber => "It is not a decimal number.".to_owned(),
            Reason::NotFinite => "It is not finite.".to_owned(),
            Reason::Negative => "It is negative.".to_owned(),
            Reason::OutOfRange => "It is 1e24 or more, or has more than 28 digits.".to_owned(),
            Reason::UnknownCurrency => "It is not a currency code of ISO 4217.".to_owned(),
            Reason::NotPositive => {
                format!("It is not an integer from 1 to {}.", i64::MAX)
            }
            Reason::NothingToCredit => {
                "Without either, there is no affiliate to credit.".to_owned()
            }
            Reason::ClickId(error) => return error.detail(),
            Reason::NotABoolean => "It is neither true nor false.".to_owned(),
            Reason::NoIdentification => "Nothing says which transaction is meant.".to_owned(),
            Reason::SeveralIdentifications { .. } => format!(
                "Only one of {} can say which transaction is meant.",
                all_of(&edit::IDENTIFICATIONS)
            ),
            Reason::ReferenceWithoutCampaign => {
                "A merchant_reference_id is unique within a campaign only.".to_owned()
            }
            Reason::CampaignWithoutReference => {
                "It belongs to a merchant_reference_id, and there is none.".to_owned()
            }
            Reason::NothingToChange => "Nothing would change.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::NotANumber | Reason::NotFinite | Reason::Negative | Reason::OutOfRange => {
                "Give an amount of zero or more, with a dot before the decimals and no thousands separator, as in 49.90.".to_owned()
            }
            Reason::UnknownCurrency => "Give three letters, as in EUR.".to_owned(),
            Reason::NothingToCredit => {
                "Give the click id that came with the visitor, or an exclusive voucher code.".to_owned()
            }
            Reason::ClickId(error) => return error.hint(),
            Reason::NotABoolean => "Give yes or no.".to_owned(),
            Reason::NoIdentification => {
                "Give the network's transaction id, the click id, or the merchant's reference id with its campaign id.".to_owned()
            }
            Reason::ReferenceWithoutCampaign => {
                "Give campaign_id, or set it as an option of the server.".to_owned()
            }
            Reason::Missing
            | Reason::Blank
            | Reason::TooLong { .. }
            | Reason::ControlCharacter { .. }
            | Reason::NotPositive
            | Reason::SeveralIdentifications { .. }
            | Reason::CampaignWithoutReference
            | Reason::NothingToChange => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLICK_ID: &str = "0::12345::reference::::1405418672";

    fn amount(text: &str) -> Result<String, Reason> {
        Amount::parse("amount", text)
            .map(|amount| amount.to_string())
            .map_err(|e| e.reason)
    }

    #[test]
    fn amounts_have_two_decimals_rounded_half_away_from_zero() {
        for (text, sent) in [
            ("49.9", "49.90"),
            ("0", "0.00"),
            ("-0", "0.00"),
            ("5", "5.00"),
            (".5", "0.50"),
            ("0.125", "0.13"),
            ("0.135", "0.14"),
            ("2.675", "2.68"),
            ("0.0049999999999999999999999999999999999999", "0.00"),
            ("1234567890123456.785", "1234567890123456.79"),
            ("4.99e1", "49.90"),
            ("1e+16", "10000000000000000.00"),
            ("1e-05", "0.00"),
            ("1e-300", "0.00"),
            ("0.1000000000000000055511151231257827", "0.10"),
        ] {
            assert_eq!(amount(text), Ok(sent.to_owned()), "{text}");
        }
    }

    #[test]
    fn amounts_that_no_network_understands_are_refused() {
        for (text, reason) in [
            ("", Reason::Missing),
            ("NaN", Reason::NotFinite),
            ("Infinity", Reason::NotFinite),
            ("-Infinity", Reason::NotFinite),
            ("-0.01", Reason::Negative),
            ("-0.0001", Reason::Negative),
            ("1e24", Reason::OutOfRange),
            ("-5", Reason::Negative),
            ("1e300", Reason::OutOfRange),
            (&format!("1{}", "0".repeat(300)), Reason::OutOfRange),
            ("49,90", Reason::NotANumber),
            ("€49.90", Reason::NotANumber),
            ("49.90 EUR", Reason::NotANumber),
            ("{amount}", Reason::NotANumber),
            ("1.2.3", Reason::NotANumber),
            ("1e", Reason::NotANumber),
            ("--1", Reason::NotANumber),
            ("e", Reason::NotANumber),
            (".", Reason::NotANumber),
        ] {
            assert_eq!(amount(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn currencies_are_iso_4217_in_any_case() {
        for (text, code) in [("EUR", "EUR"), ("eur", "EUR"), ("Gbp", "GBP")] {
            assert_eq!(currency("currency", text).unwrap().code(), code);
        }
        for text in ["EURO", "€", "EU", "ABC", "E R", "{currency}", "978", "éé"] {
            assert_eq!(
                currency("currency", text).unwrap_err().reason,
                Reason::UnknownCurrency,
                "{text}"
            );
        }
    }

    #[test]
    fn transaction_ids_are_required_and_printable() {
        let lead = |id: &str| {
            let parameters: Parameters = [("transaction_id", id), ("click_id", CLICK_ID)]
                .into_iter()
                .collect();
            Lead::parse(&parameters)
                .map(|_| ())
                .map_err(|error| error.reason)
        };
        assert_eq!(lead("987"), Ok(()));
        assert_eq!(lead("Bestellung 9/ü"), Ok(()));
        assert_eq!(lead(""), Err(Reason::Missing));
        assert_eq!(lead("  "), Err(Reason::Blank));
        assert_eq!(lead(&"x".repeat(513)), Err(Reason::TooLong { length: 513 }));
        assert_eq!(lead("a\r\nb"), Err(Reason::ControlCharacter { at: 2 }));
    }

    #[test]
    fn fields_and_parameters_say_the_same() {
        let said: Parameters = [
            ("transaction_id", "t"),
            ("click_id", CLICK_ID),
            ("voucher_code", "v"),
            ("amount", "1"),
            ("currency", "EUR"),
            ("description_merchant", "m"),
            ("description_affiliate", "a"),
            ("product_id", "2"),
            ("tracking_group_id", "g"),
        ]
        .into_iter()
        .collect();
        assert_eq!(Parameters::from(Fields::try_from(&said).unwrap()), said);
    }

    #[test]
    fn a_voucher_credits_without_a_click_and_nothing_credits_nobody() {
        let voucher: Parameters = [("transaction_id", "1"), ("voucher_code", "SUMMER")]
            .into_iter()
            .collect();
        let lead = Lead::parse(&voucher).unwrap();
        assert_eq!(lead.0.click_id_text(), "");
        let neither: Parameters = [("transaction_id", "1")].into_iter().collect();
        assert_eq!(
            Lead::parse(&neither).unwrap_err().reason,
            Reason::NothingToCredit
        );
    }

    #[test]
    fn product_ids_are_positive() {
        for text in ["0", "-1", "+1", "1.0", "x", "9223372036854775808", " 1"] {
            assert_eq!(
                PositiveId::parse("product_id", text).unwrap_err().reason,
                Reason::NotPositive
            );
        }
        assert_eq!(
            PositiveId::parse("product_id", "9223372036854775807")
                .unwrap()
                .get(),
            i64::MAX
        );
        assert!(PositiveId::new("campaign_id", 0).is_err());
    }

    proptest! {
        #[test]
        fn cents_are_printed_as_they_are(cents in 0..i64::MAX) {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            prop_assert_eq!(amount(&text), Ok(text));
        }

        #[test]
        fn the_short_way_to_an_amount_ends_where_the_long_one_does(
            text in "[0-9]{1,15}(\\.[0-9]{1,24})?"
        ) {
            prop_assert!(plain_hundredths(&text).is_some());
            prop_assert_eq!(Amount::parse("amount", &text).ok(), Amount::read(&text).ok());
        }

        #[test]
        fn the_short_way_to_an_id_ends_where_the_long_one_does(
            text in "[ !a\t\u{7f}\u{85}\u{a0}é]{0,6}"
        ) {
            let problem = match text.chars().position(char::is_control) {
                _ if text.is_empty() => Some(Reason::Missing),
                _ if text.trim().is_empty() => Some(Reason::Blank),
                Some(at) => Some(Reason::ControlCharacter { at: at + 1 }),
                None => None,
            };
            let found = printable("transaction_id", &text).err();
            prop_assert_eq!(found.map(|error| error.reason), problem);
        }

        #[test]
        fn amounts_never_panic_and_are_plain_decimals(text in "[0-9eE.+-]{0,40}|\\PC{0,20}") {
            if let Ok(sent) = amount(&text) {
                let (whole, cents) = sent.split_once('.').unwrap();
                prop_assert!(cents.len() == 2 && !whole.is_empty());
                prop_assert!(whole.bytes().chain(cents.bytes()).all(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
