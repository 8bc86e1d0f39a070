//! Click ids: the grammar of what a network hands out and wants back.
//!
//! ```text
//! tradetracker = material "::" affiliate "::" reference "::" checksum "::" unixtime
//!     material, affiliate = 1*18 digits
//!     reference           = any text, empty too, "::" too
//!     checksum            = "" | 32 hexadecimal digits | digits ":" digits ":" base64
//!     unixtime            = 9 to 11 digits
//! linktrust    = digits "_" digits "_" UUID
//! opaque       = visible characters without white space
//! ```
//!
//! Every click id has 1 to 512 bytes, no control characters, and no white space at its ends.
//! Two fields of a TradeTracker id are read from the left and two from the right; the rest is the
//! reference. A percent-encoded TradeTracker id is decoded once, since storing the landing page's
//! parameter undecoded is the commonest mistake; anything else is kept as it came.

use std::borrow::Cow;
use std::fmt;

use md5::{Digest, Md5};

use crate::problem::{Class, Problem, Quoted, is_invisible};
use crate::url;

/// The longest click id, in bytes.
pub const MAX_LENGTH: usize = 512;

/// The longest id that the form `linktrust` accepts, in bytes.
const MAX_LINKTRUST_LENGTH: usize = 128;

/// A network whose click ids have a form of their own: the type modifiers of `s2s.click_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Five fields separated by `::`.
    TradeTracker,
    /// Letters, digits, `_` and `-`, up to 128.
    LinkTrust,
}

impl Form {
    /// Every form, in the order of their numbers.
    pub const ALL: [Form; 2] = [Form::TradeTracker, Form::LinkTrust];

    /// The name of the network, as in `s2s.click_id(tradetracker)`.
    pub fn name(self) -> &'static str {
        match self {
            Form::TradeTracker => "tradetracker",
            Form::LinkTrust => "linktrust",
        }
    }

    /// The form of a name, in any case.
    pub fn from_name(name: &str) -> Result<Form, UnknownForm> {
        Form::ALL
            .into_iter()
            .find(|form| form.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownForm(name.to_owned()))
    }
}

/// A type modifier or network name that `click_id` does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownForm(pub String);

impl fmt::Display for UnknownForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid type modifier for click_id: {}", Quoted(&self.0))
    }
}

impl Problem for UnknownForm {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn hint(&self) -> Option<String> {
        Some("Use click_id, click_id(tradetracker) or click_id(linktrust).".to_owned())
    }
}

/// A valid click id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickId<'a>(Cow<'a, str>);

impl<'a> ClickId<'a> {
    /// Validates a click id of any network.
    ///
    /// ```
    /// use pgrx_ext::click_id::ClickId;
    /// let id = ClickId::parse("0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672").unwrap();
    /// assert_eq!(id.as_str(), "0::12345::reference::::1405418672");
    /// ```
    pub fn parse(text: &'a str) -> Result<ClickId<'a>, ClickIdError> {
        parse(text).map(ClickId).map_err(|problem| ClickIdError {
            text: text.to_owned(),
            problem,
        })
    }

    /// Validates a click id of the network `form`.
    pub fn parse_as(text: &'a str, form: Form) -> Result<ClickId<'a>, ClickIdError> {
        let id = ClickId::parse(text)?;
        match id.check_form(form) {
            Ok(()) => Ok(id),
            Err(problem) => Err(ClickIdError {
                text: text.to_owned(),
                problem,
            }),
        }
    }

    /// Takes text that is known to be valid: a stored value of type `click_id`.
    pub fn from_stored(text: Cow<'a, str>) -> ClickId<'a> {
        ClickId(text)
    }

    /// Whether this click id has the form that a type modifier asks for.
    pub fn check_form(&self, form: Form) -> Result<(), ClickIdProblem> {
        let text = self.as_str();
        match form {
            Form::TradeTracker => match TradeTrackerId::split(text) {
                Ok(_) => Ok(()),
                Err(field) => Err(ClickIdProblem::NotTradeTracker(field)),
            },
            Form::LinkTrust => match text.bytes().position(|byte| !is_linktrust_byte(byte)) {
                Some(at) => Err(ClickIdProblem::NotLinkTrust { at: at + 1 }),
                None if text.len() > MAX_LINKTRUST_LENGTH => Err(ClickIdProblem::TooLong {
                    length: text.len(),
                    most: MAX_LINKTRUST_LENGTH,
                }),
                None => Ok(()),
            },
        }
    }

    /// The click id's text: what is stored, compared and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text without the wrapper.
    pub fn into_text(self) -> Cow<'a, str> {
        self.0
    }
}

fn is_linktrust_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The network that certainly handed out this click id, by its form.
pub fn network_of(text: &str) -> Option<Form> {
    if TradeTrackerId::split(text).is_ok() {
        Some(Form::TradeTracker)
    } else if is_published_linktrust_form(text) {
        Some(Form::LinkTrust)
    } else {
        None
    }
}

/// Digits `_` digits `_` UUID: the only form that LinkTrust has published.
fn is_published_linktrust_form(text: &str) -> bool {
    let mut fields = text.splitn(3, '_');
    let (Some(first), Some(second), Some(uuid)) = (fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let groups = [8, 4, 4, 4, 12];
    is_digits(first)
        && is_digits(second)
        && uuid.split('-').count() == groups.len()
        && uuid.split('-').zip(groups).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// The fields of a TradeTracker click id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeTrackerId<'a> {
    /// The advertising material that was clicked.
    pub material_id: i64,
    /// The affiliate's site.
    pub affiliate_id: i64,
    /// The affiliate's own text, which may be empty and may hold `::`.
    pub reference: &'a str,
    /// Empty, an md5 in hexadecimal, or Magento's ciphertext.
    pub checksum: &'a str,
    /// When the click was made, in seconds since 1970.
    pub clicked_at: i64,
}

/// The first field of a would-be TradeTracker click id that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Fewer than five fields.
    Count {
        /// How many there are.
        found: usize,
    },
    /// Not decimal.
    Material,
    /// Not decimal.
    Affiliate,
    /// Neither empty nor an md5 nor Magento's form.
    Checksum,
    /// Not 9 to 11 digits.
    UnixTime,
}

impl<'a> TradeTrackerId<'a> {
    /// The fields of `text`, or `None` if it is not a TradeTracker click id.
    pub fn parse(text: &'a str) -> Option<TradeTrackerId<'a>> {
        let [material, affiliate, reference, checksum, unix_time] = Self::split(text).ok()?;
        Some(TradeTrackerId {
            material_id: material.parse().ok()?,
            affiliate_id: affiliate.parse().ok()?,
            reference,
            checksum,
            clicked_at: unix_time.parse().ok()?,
        })
    }

    /// The fields as they are written, or the first that is not as it should be.
    fn split(text: &'a str) -> Result<[&'a str; 5], Field> {
        let count = || Field::Count {
            found: text.split("::").count(),
        };
        let (material, rest) = split_first(text).ok_or_else(count)?;
        let (affiliate, rest) = split_first(rest).ok_or_else(count)?;
        let (rest, unix_time) = split_last(rest).ok_or_else(count)?;
        let (reference, checksum) = split_last(rest).ok_or_else(count)?;
        if !matches!(unix_time.len(), 9..=11) {
            return Err(Field::UnixTime);
        }
        if !is_checksum(checksum) {
            return Err(Field::Checksum);
        }
        for (text, field) in [
            (material, Field::Material),
            (affiliate, Field::Affiliate),
            (unix_time, Field::UnixTime),
        ] {
            if !is_decimal(text) {
                return Err(field);
            }
        }
        Ok([material, affiliate, reference, checksum, unix_time])
    }

    /// Whether the md5 fits the campaign; `None` if the checksum is not an md5.
    ///
    /// It is the md5 of `CHK_campaign::material::affiliate::reference`. No secret is in it, so it
    /// finds copying mistakes and proves nothing about who made it.
    pub fn checksum_ok(&self, campaign_id: i64) -> Option<bool> {
        if !is_md5(self.checksum) {
            return None;
        }
        let TradeTrackerId {
            material_id,
            affiliate_id,
            reference,
            ..
        } = self;
        let digest = Md5::digest(format!(
            "CHK_{campaign_id}::{material_id}::{affiliate_id}::{reference}"
        ));
        let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(expected.eq_ignore_ascii_case(self.checksum))
    }
}

/// Splits at the first `::`. For texts of this length it takes a third of `str::split_once`'s time,
/// and every row of every trigger comes by here several times.
fn split_first(text: &str) -> Option<(&str, &str)> {
    let at = text.as_bytes().windows(2).position(|pair| pair == b"::")?;
    Some((&text[..at], &text[at + 2..]))
}

/// Splits at the last `::`.
fn split_last(text: &str) -> Option<(&str, &str)> {
    let at = text.as_bytes().windows(2).rposition(|pair| pair == b"::")?;
    Some((&text[..at], &text[at + 2..]))
}

/// 1 to 18 digits, which always fit 64 bits.
fn is_decimal(text: &str) -> bool {
    is_digits(text) && text.len() <= 18
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_md5(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_checksum(text: &str) -> bool {
    text.is_empty() || is_md5(text) || is_magento_checksum(text)
}

/// Magento 2 shops put a ciphertext there: `0:3:` and base64.
fn is_magento_checksum(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some(key), Some(cipher), Some(base64)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = base64.trim_end_matches('=');
    is_digits(key)
        && is_digits(cipher)
        && !digits.is_empty()
        && base64.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

fn parse(text: &str) -> Result<Cow<'_, str>, ClickIdProblem> {
    check_any(text)?;
    if TradeTrackerId::split(text).is_ok() {
        return Ok(Cow::Borrowed(text));
    }
    if text.contains('%')
        && let Ok(decoded) = url::decode(text)
    {
        if TradeTrackerId::split(&decoded).is_ok() {
            check_any(&decoded)?;
            return Ok(Cow::Owned(decoded.into_owned()));
        }
        check_marker(&decoded)?;
    }
    if is_plain(text) {
        return Ok(Cow::Borrowed(text));
    }
    match text
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || is_invisible(*c))
    {
        Some((at, _)) => Err(ClickIdProblem::WhiteSpace { at: at + 1 }),
        None => Ok(Cow::Borrowed(text)),
    }
}

/// What holds for the click ids of every network.
fn check_any(text: &str) -> Result<(), ClickIdProblem> {
    if text.is_empty() {
        return Err(ClickIdProblem::Empty);
    }
    if text.len() > MAX_LENGTH {
        return Err(ClickIdProblem::TooLong {
            length: text.len(),
            most: MAX_LENGTH,
        });
    }
    if is_plain(text) {
        return Ok(());
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        return Err(ClickIdProblem::ControlCharacter { at: at + 1 });
    }
    if text.trim().len() < text.len() {
        return Err(ClickIdProblem::SpaceAtTheEnds);
    }
    check_marker(text)
}

/// Visible ASCII without `[`: no white space, nothing invisible, no control character, no marker.
/// Nearly every click id is.
fn is_plain(text: &str) -> bool {
    // Without a way out of the loop, it goes by several bytes at a time.
    text.bytes().fold(true, |all, byte| {
        all & byte.is_ascii_graphic() & (byte != b'[')
    })
}

fn check_marker(text: &str) -> Result<(), ClickIdProblem> {
    match text.contains("[marker]") || text.contains("[/marker]") {
        true => Err(ClickIdProblem::Marker),
        false => Ok(()),
    }
}

/// Text that is no click id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickIdError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub problem: ClickIdProblem,
}

/// What is wrong with a click id. `at` counts bytes from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickIdProblem {
    /// No text at all.
    Empty,
    /// More than 512 bytes, or more than 128 for LinkTrust.
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// A control character.
    ControlCharacter {
        /// Where it stands.
        at: usize,
    },
    /// White space before or after.
    SpaceAtTheEnds,
    /// White space or an invisible character within an opaque id.
    WhiteSpace {
        /// Where it stands.
        at: usize,
    },
    /// The manual's `[marker]` was copied too.
    Marker,
    /// Not of TradeTracker's form.
    NotTradeTracker(Field),
    /// Not of LinkTrust's form.
    NotLinkTrust {
        /// Where the first other character stands.
        at: usize,
    },
    /// The bytes are not UTF-8 (binary input only).
    NotUtf8,
}

impl fmt::Display for ClickIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid input syntax for type click_id: {}",
            Quoted(&self.text)
        )
    }
}

impl Problem for ClickIdError {
    fn class(&self) -> Class {
        Class::InvalidText
    }

    fn detail(&self) -> Option<String> {
        use ClickIdProblem::*;
        Some(match self.problem {
            Empty => "A click id has at least one character.".to_owned(),
            TooLong { length, most } => format!("It has {length} bytes; at most {most} are allowed."),
            ControlCharacter { at } => format!("There is a control character at byte {at}."),
            SpaceAtTheEnds => "There is white space before or after it.".to_owned(),
            WhiteSpace { at } => {
                format!("There is white space or an invisible character at byte {at}.")
            }
            Marker => "It holds \"[marker]\" or \"[/marker]\".".to_owned(),
            NotTradeTracker(Field::Count { found }) => {
                format!("A TradeTracker click id has five fields separated by \"::\"; this has {found}.")
            }
            NotTradeTracker(Field::Material) => {
                "The first field, the material id, is not a decimal number.".to_owned()
            }
            NotTradeTracker(Field::Affiliate) => {
                "The second field, the affiliate id, is not a decimal number.".to_owned()
            }
            NotTradeTracker(Field::Checksum) => {
                "The last field but one, the checksum, is neither empty nor 32 hexadecimal digits nor Magento's form.".to_owned()
            }
            NotTradeTracker(Field::UnixTime) => {
                "The last field, the time of the click, does not have 9 to 11 digits.".to_owned()
            }
            NotLinkTrust { at } => {
                format!("Byte {at} is not a letter, a digit, \"_\" or \"-\".")
            }
            NotUtf8 => "It is not valid UTF-8.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        use ClickIdProblem::*;
        Some(
            match self.problem {
                Empty => "Store NULL for a visitor who came without a click id.",
                TooLong { .. } => "Store the value of the landing page's parameter alone, not the whole URL.",
                ControlCharacter { .. } | SpaceAtTheEnds | WhiteSpace { .. } => {
                    "Store the value of the landing page's parameter, decoded once, and nothing else."
                }
                Marker => "Leave out \"[marker]\" and \"[/marker]\": the network's manual uses them to highlight the value between them.",
                NotTradeTracker(_) => {
                    "Expected material::affiliate::reference::checksum::unixtime, as in 0::12345::reference::::1405418672."
                }
                NotLinkTrust { .. } => {
                    "Expected an id such as 04_835477_fb93f424-788d-4c48-bfb1-98516f855839."
                }
                NotUtf8 => "Send the text in UTF-8.",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MANUAL: &str = "0::12345::reference::::1405418672";
    const LINKTRUST: &str = "04_835477_fb93f424-788d-4c48-bfb1-98516f855839";

    #[test]
    fn fields_are_read_from_both_ends() {
        let md5 = "c83b23df3e4be73b2aa751dbd2fc248e";
        let magento = "0:3:AbC+/dEf0123==";
        for (text, reference, checksum) in [
            (MANUAL.to_owned(), "reference", ""),
            ("12::54321::def::::1405419867".to_owned(), "def", ""),
            (format!("0::18897::::{md5}::1405418672"), "", md5),
            (
                format!("1234567::12345::https://a.example/x::y::{magento}::1405418672"),
                "https://a.example/x::y",
                magento,
            ),
            ("0::1::::::::140541867".to_owned(), "::", ""),
            ("0::1::two words::::14054186720".to_owned(), "two words", ""),
        ] {
            let id = TradeTrackerId::parse(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((id.reference, id.checksum), (reference, checksum), "{text}");
            assert_eq!(ClickId::parse(&text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn checksums_are_verified_against_the_campaign() {
        let text = "0::18897::::c83b23df3e4be73b2aa751dbd2fc248e::1405418672";
        let id = TradeTrackerId::parse(text).unwrap();
        assert_eq!(id.checksum_ok(14986), Some(true));
        assert_eq!(id.checksum_ok(14987), Some(false));
        assert_eq!(TradeTrackerId::parse(MANUAL).unwrap().checksum_ok(1), None);
    }

    #[test]
    fn percent_encoded_tradetracker_ids_are_decoded_once() {
        let encoded = url::encode(MANUAL).into_owned();
        assert_eq!(ClickId::parse(&encoded).unwrap().as_str(), MANUAL);
        let twice = url::encode(&encoded).into_owned();
        assert_eq!(ClickId::parse(&twice).unwrap().as_str(), twice);
        for kept in ["a%3A%3Ab", "50%", "%zz", "0::1::a%20b::::1405418672"] {
            assert_eq!(ClickId::parse(kept).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn a_decoded_id_obeys_the_same_rules() {
        let error = ClickId::parse("0%3A%3A1%3A%3Aa%0Ab%3A%3A%3A%3A1405418672").unwrap_err();
        assert!(matches!(
            error.problem,
            ClickIdProblem::ControlCharacter { .. }
        ));
    }

    #[test]
    fn networks_are_known_by_form() {
        assert_eq!(network_of(MANUAL), Some(Form::TradeTracker));
        assert_eq!(network_of(LINKTRUST), Some(Form::LinkTrust));
        for opaque in [
            "abc",
            "1_2_3",
            "EAIaIQobChMI!'()._-|,",
            "04_835477_fb93f424-788d-4c48-bfb1-98516f85583",
        ] {
            assert_eq!(network_of(opaque), None);
            assert!(ClickId::parse(opaque).is_ok());
        }
    }

    #[test]
    fn malformed_ids_are_refused_by_name() {
        use ClickIdProblem::*;
        for (text, problem) in [
            ("", Empty),
            (" ", SpaceAtTheEnds),
            ("a ", SpaceAtTheEnds),
            ("\u{a0}a", SpaceAtTheEnds),
            ("a b", WhiteSpace { at: 2 }),
            ("a\u{200b}b", WhiteSpace { at: 2 }),
            ("a\tb", ControlCharacter { at: 2 }),
            ("a\n", ControlCharacter { at: 2 }),
            ("a\u{7f}", ControlCharacter { at: 2 }),
            ("a\u{85}b", ControlCharacter { at: 2 }),
            ("[marker]0::12345::abc::::1405418672[/marker]", Marker),
            ("%5Bmarker%5Dabc%5B/marker%5D", Marker),
            (
                &"x".repeat(513),
                TooLong {
                    length: 513,
                    most: 512,
                },
            ),
        ] {
            assert_eq!(
                ClickId::parse(text).unwrap_err().problem,
                problem,
                "{text:?}"
            );
        }
        assert!(ClickId::parse(&"x".repeat(512)).is_ok());
    }

    #[test]
    fn modifiers_name_the_field_that_is_wrong() {
        use Field::*;
        for (text, field) in [
            ("abc", Count { found: 1 }),
            ("0::12345::reference::1405418672", Count { found: 4 }),
            ("x::12345::r::::1405418672", Material),
            ("::12345::r::::1405418672", Material),
            ("-1::12345::r::::1405418672", Material),
            ("1234567890123456789::12345::r::::1405418672", Material),
            ("0::::r::::1405418672", Affiliate),
            ("0::1.5::r::::1405418672", Affiliate),
            ("0::1::r::abc::1405418672", Checksum),
            ("0::1::r::0:3:====::1405418672", Checksum),
            ("0::1::r::::12345678", UnixTime),
            ("0::1::r::::123456789012", UnixTime),
            ("0::1::r::::14054186xx", UnixTime),
            ("0::1::r::::", UnixTime),
        ] {
            assert_eq!(
                ClickId::parse_as(text, Form::TradeTracker)
                    .unwrap_err()
                    .problem,
                ClickIdProblem::NotTradeTracker(field),
                "{text}"
            );
        }
        assert!(ClickId::parse_as(LINKTRUST, Form::LinkTrust).is_ok());
        assert!(ClickId::parse_as("T1", Form::LinkTrust).is_ok());
        assert_eq!(
            ClickId::parse_as(MANUAL, Form::LinkTrust)
                .unwrap_err()
                .problem,
            ClickIdProblem::NotLinkTrust { at: 2 }
        );
        assert!(ClickId::parse_as(&"a".repeat(129), Form::LinkTrust).is_err());
    }

    /// Any click id that a TradeTracker redirect could make.
    pub(crate) fn tradetracker_id() -> impl Strategy<Value = String> {
        (
            0..10_000_000u32,
            1..1_000_000u32,
            "[^\\pC]{0,40}",
            prop_oneof![
                Just(String::new()),
                "[0-9a-f]{32}",
                "0:3:[A-Za-z0-9+/]{8,40}={0,2}"
            ],
            100_000_000..99_999_999_999u64,
        )
            .prop_map(|(material, affiliate, reference, checksum, time)| {
                format!("{material}::{affiliate}::{reference}::{checksum}::{time}")
            })
    }

    proptest! {
        #[test]
        fn any_tradetracker_id_is_kept_and_survives_a_url(id in tradetracker_id()) {
            let parsed = ClickId::parse_as(&id, Form::TradeTracker).unwrap();
            prop_assert_eq!(parsed.as_str(), &id);
            let landing = format!("https://shop.example/?tt={}#top", url::encode(&id));
            let value = url::query_parameter(&landing, "tt").unwrap().unwrap();
            let read = ClickId::parse(&value).unwrap();
            prop_assert_eq!(read.as_str(), &id);
        }

        #[test]
        fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,600}") {
            if let Ok(id) = ClickId::parse(&text) {
                let once = id.as_str().to_owned();
                let again = ClickId::parse(&once).unwrap();
                prop_assert_eq!(again.as_str(), &once);
            }
        }

        #[test]
        fn a_plain_id_has_nothing_that_is_looked_for(
            text in "[!-~]{1,20}|[!a\\[\t\u{7f}\u{85}é\u{200b} ]{1,3}|a?\\[/?marker\\]"
        ) {
            let is_clean = text.chars().all(|c| {
                !c.is_control() && !c.is_whitespace() && !is_invisible(c)
            }) && check_marker(&text).is_ok();
            prop_assert!(is_clean || !is_plain(&text));
        }

        #[test]
        fn colons_everywhere_are_parsed_without_panic(text in "[0-9a:%3A ]{0,60}") {
            let _ = ClickId::parse(&text);
            let _ = network_of(&text);
        }
    }
}
