//! The types of a parameter's value: an id, a sum of money, a currency, a number.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::LazyLock;

use iso_currency::{Currency, IntoEnumIterator};
use rust_decimal::{Decimal, RoundingStrategy};

use super::missing;
use crate::problem::Problem;

/// The longest transaction id, in bytes.
pub const MAX_TRANSACTION_ID: usize = 512;

/// Checks an id that the merchant or the network made up.
pub(crate) fn printable<'a>(name: &str, text: &'a str) -> Result<&'a str, Problem> {
    let fail = |detail: &str| Err(Problem::invalid(name, text).detail(detail));
    if text.is_empty() {
        return Err(missing(name));
    }
    if text.trim_start().is_empty() {
        return fail("It is nothing but white space.");
    }
    if text.len() > MAX_TRANSACTION_ID {
        let length = text.len();
        return fail(&format!(
            "It has {length} bytes; at most {MAX_TRANSACTION_ID} are allowed."
        ));
    }
    // Nearly all ids are visible ASCII and need no look at their characters.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text);
    }
    match text.chars().position(char::is_control) {
        Some(at) => fail(&format!("Character {} is a control character.", at + 1)),
        None => Ok(text),
    }
}

/// Reads a code of ISO 4217, in any case.
pub(crate) fn currency(parameter: &str, text: &str) -> Result<Currency, Problem> {
    if text.is_empty() {
        return Err(missing(parameter));
    }
    let code: Option<[u8; 3]> = text.as_bytes().try_into().ok();
    code.map(|code| code.map(|letter| letter.to_ascii_uppercase()))
        .and_then(|code| CURRENCIES.get(&code).copied())
        .ok_or("It is not a currency code of ISO 4217.")
        .and_then(|currency| match currency.is_special() {
            false => Ok(currency),
            true => Err(
                "ISO 4217 has this code for what is no currency: tests, metals, units of account.",
            ),
        })
        .map_err(|detail| {
            Problem::invalid(parameter, text)
                .detail(detail)
                .hint("Give the three letters of a currency, as in EUR.")
        })
}

/// The codes of ISO 4217, which [`Currency::from_code`] compares one by one.
static CURRENCIES: LazyLock<BTreeMap<[u8; 3], Currency>> = LazyLock::new(|| {
    Currency::iter()
        .filter_map(|currency| Some((currency.code().as_bytes().try_into().ok()?, currency)))
        .collect()
});

/// With 24 digits before the point, three after it still fit the 28 digits of a [`Decimal`].
const TOO_LARGE: f64 = 1e24;

const OUT_OF_RANGE: &str = "It is 1e24 or more, or has more than 28 digits.";

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
    pub fn parse(parameter: &str, text: &str) -> Result<Amount, Problem> {
        if text.is_empty() {
            return Err(missing(parameter));
        }
        if let Some(hundredths) = plain_hundredths(text) {
            return Ok(Amount { hundredths });
        }
        Amount::read(text).map_err(|detail| {
            Problem::invalid(parameter, text).detail(detail).hint("Give an amount of zero or more, with a dot before the decimals and no thousands separator, as in 49.90.")
        })
    }

    /// Reads any amount. The error is a DETAIL.
    fn read(text: &str) -> Result<Amount, &'static str> {
        let unsigned = text.trim_start_matches(['+', '-']);
        if ["nan", "infinity", "inf"]
            .iter()
            .any(|word| unsigned.eq_ignore_ascii_case(word))
        {
            return Err("It is not finite.");
        }
        let approximate: f64 = text.parse().map_err(|_| "It is not a decimal number.")?;
        if approximate < 0.0 {
            return Err("It is negative.");
        }
        if approximate >= TOO_LARGE {
            return Err(OUT_OF_RANGE);
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
        let exact = exact.map_err(|_| OUT_OF_RANGE)?;
        let mut rounded = exact.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        rounded.rescale(2);
        match u128::try_from(rounded.mantissa()) {
            Ok(hundredths) if rounded.scale() == 2 => Ok(Amount { hundredths }),
            _ => Err(OUT_OF_RANGE),
        }
    }
}

/// The hundredths of up to 15 digits before the point and any after it, as nearly every amount is
/// written; `None` for any other text, which [`Amount::read`] reads.
fn plain_hundredths(text: &str) -> Option<u128> {
    let (whole, decimals) = match text.bytes().position(|byte| byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, "0"),
    };
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if whole.len() > 15 || !is_plain(whole) || !is_plain(decimals) {
        return None;
    }
    let decimal = |index| match decimals.as_bytes().get(index) {
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
    pub fn new(parameter: &str, number: i64) -> Result<PositiveId, Problem> {
        if number > 0 {
            Ok(PositiveId(number))
        } else {
            Err(PositiveId::refuse(parameter, &number.to_string()))
        }
    }

    /// Reads a number from text: digits, no sign.
    pub fn parse(parameter: &str, text: &str) -> Result<PositiveId, Problem> {
        if text.is_empty() {
            return Err(missing(parameter));
        }
        let number = match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().unwrap_or(0),
            false => 0,
        };
        match number {
            0 => Err(PositiveId::refuse(parameter, text)),
            number => Ok(PositiveId(number)),
        }
    }

    fn refuse(parameter: &str, text: &str) -> Problem {
        let detail = format!("It is not an integer from 1 to {}.", i64::MAX);
        Problem::invalid(parameter, text).detail(detail)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The amount as sent, or what is wrong with it.
    fn amount(text: &str) -> Result<String, String> {
        Amount::parse("amount", text)
            .map(|amount| amount.to_string())
            .map_err(|problem| problem.detail.unwrap())
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
        for (text, detail) in [
            ("", "amount is NULL, empty or not given."),
            ("NaN", "It is not finite."),
            ("Infinity", "It is not finite."),
            ("-Infinity", "It is not finite."),
            ("-0.01", "It is negative."),
            ("-0.0001", "It is negative."),
            ("1e24", OUT_OF_RANGE),
            ("-5", "It is negative."),
            ("1e300", OUT_OF_RANGE),
            (&format!("1{}", "0".repeat(300)), OUT_OF_RANGE),
            ("49,90", "It is not a decimal number."),
            ("€49.90", "It is not a decimal number."),
            ("49.90 EUR", "It is not a decimal number."),
            ("{amount}", "It is not a decimal number."),
            ("1.2.3", "It is not a decimal number."),
            ("1e", "It is not a decimal number."),
            ("--1", "It is not a decimal number."),
            ("e", "It is not a decimal number."),
            (".", "It is not a decimal number."),
        ] {
            assert_eq!(amount(text), Err(detail.to_owned()), "{text}");
        }
    }

    #[test]
    fn currencies_are_iso_4217_in_any_case() {
        for (text, code) in [("EUR", "EUR"), ("eur", "EUR"), ("Gbp", "GBP")] {
            assert_eq!(currency("currency", text).unwrap().code(), code);
        }
        for text in ["EURO", "€", "EU", "ABC", "E R", "{currency}", "978", "éé"] {
            let problem = currency("currency", text).unwrap_err();
            assert_eq!(
                problem.detail.unwrap(),
                "It is not a currency code of ISO 4217.",
                "{text}"
            );
        }
        for text in ["XXX", "xts", "XAU", "XDR", "XBA", "XUA"] {
            let problem = currency("currency", text).unwrap_err();
            assert_eq!(
                problem.detail.unwrap(),
                "ISO 4217 has this code for what is no currency: tests, metals, units of account.",
                "{text}"
            );
        }
        for text in ["XAF", "XOF", "XPF", "XCD", "XCG"] {
            assert_eq!(currency("currency", text).unwrap().code(), text);
        }
    }

    #[test]
    fn product_ids_are_positive() {
        for text in ["0", "-1", "+1", "1.0", "x", "9223372036854775808", " 1"] {
            assert!(PositiveId::parse("product_id", text).is_err(), "{text}");
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
            let detail = match text.chars().position(char::is_control) {
                _ if text.is_empty() => "transaction_id is NULL, empty or not given.".to_owned(),
                _ if text.trim().is_empty() => "It is nothing but white space.".to_owned(),
                Some(at) => format!("Character {} is a control character.", at + 1),
                None => String::new(),
            };
            let problem = printable("transaction_id", &text).err();
            prop_assert_eq!(problem.map_or(String::new(), |it| it.detail.unwrap()), detail);
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
