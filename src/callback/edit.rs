//! An edit of a conversion that the network knows already, typed and validated.
//!
//! | parameter | |
//! |---|---|
//! | `transaction_id` | identifies the conversion: the network's id of it |
//! | `click_id` | identifies it: the click that led to it |
//! | `merchant_reference_id`, `campaign_id` | identify it together: the merchant's own id, within a campaign |
//! | `approved` | change: a boolean |
//! | `affiliate_payout`, `merchant_payout` | changes: amounts |
//! | `execute_affiliate_pixel` | change: the affiliate's pixel is called again; a boolean |
//! | `reason` | a text for people |
//!
//! An edit has exactly one identification and at least one change. Source: LinkTrust's manual
//! "Transaction Modification API".

use super::{Amount, Parameters, PositiveId, click_id, printable};
use crate::click_id::ClickId;
use crate::problem::{Class, Problem, all_of, one_of};

/// The parameters that identify a conversion; an edit has exactly one of them.
pub const IDENTIFICATIONS: [&str; 3] = ["transaction_id", "click_id", "merchant_reference_id"];

/// The parameters that change a conversion; an edit has at least one of them.
pub const CHANGES: [&str; 4] = [
    "approved",
    "affiliate_payout",
    "merchant_payout",
    "execute_affiliate_pixel",
];

/// A valid edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// The conversion that is edited.
    pub identification: Identification<'a>,
    /// Approves or rejects the conversion.
    pub approved: Option<bool>,
    /// The amount that the affiliate gets.
    pub affiliate_payout: Option<Amount>,
    /// The amount that the merchant pays.
    pub merchant_payout: Option<Amount>,
    /// Calls the affiliate's pixel again.
    pub execute_affiliate_pixel: bool,
    /// The reason, `""` for none.
    pub reason: &'a str,
}

/// What identifies the conversion that an edit is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identification<'a> {
    /// The network's own id.
    TransactionId(&'a str),
    /// The click.
    ClickId(ClickId<'a>),
    /// The merchant's id, which is unique within a campaign.
    MerchantReference {
        /// The merchant's id.
        id: &'a str,
        /// The network's number of the campaign.
        campaign_id: PositiveId,
    },
}

impl Identification<'_> {
    /// The identifying text, without the campaign: what the queue's column `transaction_id` holds.
    pub fn text(&self) -> &str {
        match self {
            Identification::TransactionId(id) | Identification::MerchantReference { id, .. } => id,
            Identification::ClickId(id) => id.as_str(),
        }
    }

    /// The parameter that holds the text.
    pub fn parameter(&self) -> &'static str {
        match self {
            Identification::TransactionId(_) => IDENTIFICATIONS[0],
            Identification::ClickId(_) => IDENTIFICATIONS[1],
            Identification::MerchantReference { .. } => IDENTIFICATIONS[2],
        }
    }
}

/// Whether no parameter identifies a conversion. A row without a click has none that an edit by
/// click id could be about.
pub fn is_unidentified(parameters: &Parameters) -> bool {
    IDENTIFICATIONS
        .iter()
        .all(|name| parameters.get(name).is_empty())
}

impl<'a> Edit<'a> {
    /// Validates an edit. `default_campaign` completes a merchant's id that has no campaign.
    ///
    /// ```
    /// use pgrx_ext::callback::{Edit, Parameters};
    /// let parameters: Parameters = [("transaction_id", "T-1"), ("approved", "off")].into_iter().collect();
    /// let edit = Edit::parse(&parameters, None).unwrap();
    /// assert_eq!(edit.identification.text(), "T-1");
    /// assert_eq!(edit.approved, Some(false));
    /// ```
    pub fn parse(
        parameters: &'a Parameters<'_>,
        default_campaign: Option<PositiveId>,
    ) -> Result<Edit<'a>, Problem> {
        parameters.check_complete()?;
        let amount = |name| match parameters.get(name) {
            "" => Ok(None),
            text => Amount::parse(name, text).map(Some),
        };
        let edit = Edit {
            identification: Edit::identification(parameters, default_campaign)?,
            approved: flag(parameters, CHANGES[0])?,
            affiliate_payout: amount(CHANGES[1])?,
            merchant_payout: amount(CHANGES[2])?,
            execute_affiliate_pixel: flag(parameters, CHANGES[3])?.unwrap_or(false),
            reason: parameters.get("reason"),
        };
        if edit.changes_nothing() {
            let message = format!("{} is required", one_of(&CHANGES));
            return Err(
                Problem::new(Class::InvalidParameter, message).detail("Nothing would change.")
            );
        }
        Ok(edit)
    }

    /// Reads what identifies the conversion.
    pub fn identification(
        parameters: &'a Parameters<'_>,
        default_campaign: Option<PositiveId>,
    ) -> Result<Identification<'a>, Problem> {
        let given: Vec<_> = IDENTIFICATIONS
            .into_iter()
            .filter(|name| !parameters.get(name).is_empty())
            .collect();
        let name = match given.as_slice() {
            [] => return Err(no_identification()),
            [name] => *name,
            several => {
                let message = match several {
                    [one, other] => format!("{one} and {other} are both given"),
                    _ => format!("{} are all given", all_of(&IDENTIFICATIONS)),
                };
                return Err(
                    Problem::new(Class::InvalidParameter, message).detail(format!(
                        "Only one of {} can say which transaction is meant.",
                        all_of(&IDENTIFICATIONS)
                    )),
                );
            }
        };
        let text = parameters.get(name);
        let campaign_id = match parameters.get("campaign_id") {
            "" => default_campaign,
            campaign => Some(PositiveId::parse("campaign_id", campaign)?),
        };
        if name != IDENTIFICATIONS[2] && !parameters.get("campaign_id").is_empty() {
            let campaign = parameters.get("campaign_id");
            return Err(Problem::invalid("campaign_id", campaign)
                .detail("It belongs to a merchant_reference_id, and there is none."));
        }
        match (name, campaign_id) {
            ("transaction_id", _) => Ok(Identification::TransactionId(printable(name, text)?)),
            ("click_id", _) => Ok(Identification::ClickId(click_id(text)?)),
            (_, Some(campaign_id)) => Ok(Identification::MerchantReference {
                id: printable(name, text)?,
                campaign_id,
            }),
            (_, None) => Err(
                Problem::new(Class::InvalidParameter, "campaign_id is required")
                    .detail("A merchant_reference_id is unique within a campaign only.")
                    .hint("Give campaign_id, or set it as an option of the server."),
            ),
        }
    }

    fn changes_nothing(&self) -> bool {
        self.approved.is_none()
            && self.affiliate_payout.is_none()
            && self.merchant_payout.is_none()
            && !self.execute_affiliate_pixel
    }
}

fn flag(parameters: &Parameters, name: &'static str) -> Result<Option<bool>, Problem> {
    match parameters.get(name) {
        "" => Ok(None),
        text => boolean(text)
            .map(Some)
            .ok_or_else(|| not_a_boolean(name, text)),
    }
}

pub(super) fn not_a_boolean(name: &str, text: &str) -> Problem {
    Problem::invalid(name, text)
        .detail("It is neither true nor false.")
        .hint("Give yes or no.")
}

/// An edit without any identification.
pub(crate) fn no_identification() -> Problem {
    let message = format!("{} is required", one_of(&IDENTIFICATIONS));
    Problem::new(Class::InvalidParameter, message)
        .detail("Nothing says which transaction is meant.")
        .hint("Give the network's transaction id, the click id, or the merchant's reference id with its campaign id.")
}

/// PostgreSQL's words for booleans, in any case.
pub fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parameters_of<'a>(parameters: &[(&'a str, &'a str)]) -> Parameters<'a> {
        parameters.iter().copied().collect()
    }

    /// The parameters of any valid edit that has no campaign of its server's.
    pub(crate) fn any_edit() -> impl Strategy<Value = Parameters<'static>> {
        let id = "[!#-~é][ !#-~é]{0,20}";
        let click = "[0-9]{2}_[0-9]{6}_fb93f424-788d-4c48-bfb1-98516f855839|[A-Za-z0-9-]{1,20}";
        let identification = prop_oneof![
            id.prop_map(|id| vec![("transaction_id", id)]),
            click.prop_map(|id| vec![("click_id", id)]),
            (id, 1..i64::MAX).prop_map(|(id, campaign)| vec![
                ("merchant_reference_id", id),
                ("campaign_id", campaign.to_string()),
            ]),
        ];
        let amount = || proptest::option::of((0..1_000_000_000i64).prop_map(cents));
        let flag = || proptest::option::of(any::<bool>());
        let changes = (flag(), amount(), amount(), flag()).prop_filter(
            "it changes something",
            |(approved, ap, mp, pixel)| {
                approved.is_some() || ap.is_some() || mp.is_some() || *pixel == Some(true)
            },
        );
        (identification, changes, "[ !#-~é]{0,20}").prop_map(|(mut all, changes, reason)| {
            let (approved, ap, mp, pixel) = changes;
            let flag = |flag: Option<bool>| flag.map_or(String::new(), |flag| flag.to_string());
            all.push(("approved", flag(approved)));
            all.push(("affiliate_payout", ap.unwrap_or_default()));
            all.push(("merchant_payout", mp.unwrap_or_default()));
            all.push(("execute_affiliate_pixel", flag(pixel)));
            all.push(("reason", reason));
            all.into_iter().collect()
        })
    }

    fn cents(cents: i64) -> String {
        format!("{}.{:02}", cents / 100, cents % 100)
    }

    #[test]
    fn each_identification_is_read() {
        let approved = ("approved", "yes");
        for (identification, parameter, text) in [
            (&[("transaction_id", "T-1")][..], "transaction_id", "T-1"),
            (&[("click_id", "04_8_x")], "click_id", "04_8_x"),
            (
                &[("merchant_reference_id", "9"), ("campaign_id", "466744")],
                "merchant_reference_id",
                "9",
            ),
        ] {
            let parameters = parameters_of(&[identification, &[approved]].concat());
            let edit = Edit::parse(&parameters, None).unwrap();
            assert_eq!(edit.identification.parameter(), parameter);
            assert_eq!(edit.identification.text(), text);
        }
        let default = PositiveId::new("campaign_id", 7).unwrap();
        let parameters = parameters_of(&[("merchant_reference_id", "9"), approved]);
        assert!(matches!(
            Edit::parse(&parameters, Some(default)).unwrap().identification,
            Identification::MerchantReference { id: "9", campaign_id } if campaign_id == default
        ));
    }

    #[test]
    fn mistakes_are_named() {
        let t = ("transaction_id", "T-1");
        let no = ("approved", "no");
        for (parameters, message) in [
            (
                &[no][..],
                "transaction_id, click_id or merchant_reference_id is required: Nothing says which transaction is meant.",
            ),
            (
                &[t, ("click_id", "x"), no],
                "transaction_id and click_id are both given: Only one of transaction_id, click_id and merchant_reference_id can say which transaction is meant.",
            ),
            (
                &[t, ("click_id", "x"), ("merchant_reference_id", "9"), no],
                "transaction_id, click_id and merchant_reference_id are all given: Only one of transaction_id, click_id and merchant_reference_id can say which transaction is meant.",
            ),
            (
                &[("merchant_reference_id", "9"), no],
                "campaign_id is required: A merchant_reference_id is unique within a campaign only.",
            ),
            (
                &[t, ("campaign_id", "5"), no],
                "invalid campaign_id: \"5\": It belongs to a merchant_reference_id, and there is none.",
            ),
            (
                &[("merchant_reference_id", "9"), ("campaign_id", "x"), no],
                "invalid campaign_id: \"x\": It is not an integer from 1 to 9223372036854775807.",
            ),
            (
                &[t],
                "approved, affiliate_payout, merchant_payout or execute_affiliate_pixel is required: Nothing would change.",
            ),
            (
                &[t, ("execute_affiliate_pixel", "no"), ("reason", "why")],
                "approved, affiliate_payout, merchant_payout or execute_affiliate_pixel is required: Nothing would change.",
            ),
            (
                &[t, ("approved", "maybe")],
                "invalid approved: \"maybe\": It is neither true nor false.",
            ),
            (
                &[t, ("affiliate_payout", "-1")],
                "invalid affiliate_payout: \"-1\": It is negative.",
            ),
            (
                &[t, ("merchant_payout", "NaN")],
                "invalid merchant_payout: \"NaN\": It is not finite.",
            ),
            (
                &[("transaction_id", " "), no],
                "invalid transaction_id: \" \": It is nothing but white space.",
            ),
            (
                &[("merchant_reference_id", "a\tb"), ("campaign_id", "5"), no],
                "invalid merchant_reference_id: \"a\\u{9}b\": Character 2 is a control character.",
            ),
        ] {
            let parameters = parameters_of(parameters);
            assert_eq!(
                Edit::parse(&parameters, None).unwrap_err().one_line(),
                message
            );
        }
    }

    #[test]
    fn booleans_are_postgresqls_words() {
        for (text, value) in [
            ("TRUE", Some(true)),
            ("t", Some(true)),
            ("Yes", Some(true)),
            ("on", Some(true)),
            ("1", Some(true)),
            ("false", Some(false)),
            ("F", Some(false)),
            ("no", Some(false)),
            ("OFF", Some(false)),
            ("0", Some(false)),
            ("maybe", None),
            ("2", None),
            (" yes", None),
        ] {
            assert_eq!(boolean(text), value, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_edit_is_valid(parameters in any_edit()) {
            prop_assert!(Edit::parse(&parameters, None).is_ok());
        }
    }
}
