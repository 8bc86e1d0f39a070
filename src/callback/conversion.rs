//! Leads and sales.

use std::borrow::Cow;

use iso_currency::Currency;

use super::value::{Amount, PositiveId, currency, printable};
use super::{Parameters, click_id};
use crate::click_id::ClickId;
use crate::problem::{Class, Problem};

/// The content that leads and sales have in common.
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
    /// Overrides the server's product.
    pub product_id: Option<PositiveId>,
    /// Overrides the server's tracking group, unless it is `""`.
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

/// Whether there is no affiliate to credit: neither a click id nor a voucher code.
pub fn is_organic(parameters: &Parameters) -> bool {
    parameters.get("click_id").is_empty() && parameters.get("voucher_code").is_empty()
}

/// A lead or sale with neither click id nor voucher code.
pub(crate) fn nothing_to_credit() -> Problem {
    Problem::new(
        Class::InvalidParameter,
        "click_id or voucher_code is required",
    )
    .detail("Without either, there is no affiliate to credit.")
    .hint("Give the click id that came with the visitor, or an exclusive voucher code.")
}

/// Whether a voucher code is blank: checkout forms send white space for none.
pub(super) fn is_no_voucher(text: &str) -> bool {
    text.trim_start().is_empty()
}

/// The parameters of a lead or sale before they are checked, `""` for none.
///
/// The click id alone is checked: values of the SQL type are valid.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // See Conversion and Sale.
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
    type Error = Problem;

    fn try_from(parameters: &'a Parameters<'_>) -> Result<Fields<'a>, Problem> {
        parameters.check_complete()?;
        Ok(Fields {
            transaction_id: parameters.get("transaction_id"),
            click_id: match parameters.get("click_id") {
                "" => None,
                text => Some(click_id(text)?),
            },
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
    fn new(fields: Fields<'a>) -> Result<Conversion<'a>, Problem> {
        let voucher_code = match is_no_voucher(fields.voucher_code) {
            true => "",
            false => fields.voucher_code,
        };
        if fields.click_id.is_none() && voucher_code.is_empty() {
            return Err(nothing_to_credit());
        }
        let product_id = match fields.product_id {
            "" => None,
            text => Some(PositiveId::parse("product_id", text)?),
        };
        Ok(Conversion {
            transaction_id: printable("transaction_id", fields.transaction_id)?,
            click_id: fields.click_id,
            voucher_code,
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
    pub fn new(fields: Fields<'a>) -> Result<Lead<'a>, Problem> {
        Conversion::new(fields).map(Lead)
    }

    /// Validates a lead's parameters.
    pub fn parse(parameters: &'a Parameters<'_>) -> Result<Lead<'a>, Problem> {
        Lead::new(parameters.try_into()?)
    }
}

impl<'a> Sale<'a> {
    /// Validates a sale.
    pub fn new(fields: Fields<'a>) -> Result<Sale<'a>, Problem> {
        let (amount, code) = (fields.amount, fields.currency);
        Ok(Sale {
            conversion: Conversion::new(fields)?,
            amount: Amount::parse("amount", amount)?,
            currency: currency("currency", code)?,
        })
    }

    /// Validates a sale's parameters.
    pub fn parse(parameters: &'a Parameters<'_>) -> Result<Sale<'a>, Problem> {
        Sale::new(parameters.try_into()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLICK_ID: &str = "0::12345::reference::::1405418672";

    #[test]
    fn transaction_ids_are_required_and_printable() {
        let lead = |id: &str| {
            let parameters: Parameters = [("transaction_id", id), ("click_id", CLICK_ID)]
                .into_iter()
                .collect();
            let problem = Lead::parse(&parameters).err();
            problem.map_or(String::new(), |problem| problem.detail.unwrap())
        };
        for (id, detail) in [
            ("987", ""),
            ("Bestellung 9/ü", ""),
            ("", "transaction_id is NULL, empty or not given."),
            ("  ", "It is nothing but white space."),
            (
                &"x".repeat(513),
                "It has 513 bytes; at most 512 are allowed.",
            ),
            ("a\r\nb", "Character 2 is a control character."),
        ] {
            assert_eq!(lead(id), detail, "{id}");
        }
    }

    #[test]
    fn fields_become_the_parameters_that_they_were_read_from() {
        let parameters: Parameters = [
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
        assert_eq!(
            Parameters::from(Fields::try_from(&parameters).unwrap()),
            parameters
        );
    }

    #[test]
    fn a_voucher_credits_without_a_click_and_nothing_credits_nobody() {
        let voucher: Parameters = [("transaction_id", "1"), ("voucher_code", "SUMMER")]
            .into_iter()
            .collect();
        let lead = Lead::parse(&voucher).unwrap();
        assert_eq!(lead.0.click_id_text(), "");
        for voucher in ["", " ", "\t\u{a0}"] {
            let neither: Parameters = [("transaction_id", "1"), ("voucher_code", voucher)]
                .into_iter()
                .collect();
            assert!(is_organic(&neither));
            let fields = Fields {
                transaction_id: "1",
                voucher_code: voucher,
                ..Fields::default()
            };
            for lead in [Lead::parse(&neither), Lead::new(fields)] {
                assert_eq!(lead.unwrap_err(), nothing_to_credit());
            }
        }
    }

    #[test]
    fn what_its_trigger_could_not_read_is_not_sent() {
        let parameters: Parameters = [
            ("transaction_id", "1"),
            ("click_id", CLICK_ID),
            (crate::callback::UNREAD, "voucher_code={voucher}"),
        ]
        .into_iter()
        .collect();
        for problem in [
            Lead::parse(&parameters).unwrap_err(),
            Sale::parse(&parameters).unwrap_err(),
            crate::callback::Edit::parse(&parameters, None).unwrap_err(),
        ] {
            assert_eq!(
                problem.message,
                "trigger arguments that could not be read: \"voucher_code={voucher}\""
            );
        }
    }
}
