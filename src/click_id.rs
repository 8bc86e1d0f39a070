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

use crate::problem::is_invisible;
use crate::url;

mod error;
mod tradetracker;

pub use error::{ClickIdError, ClickIdProblem, UnknownForm};
use tradetracker::is_digits;
pub use tradetracker::{Field, TradeTrackerId};

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
    text.len() <= MAX_LINKTRUST_LENGTH
        && is_digits(first)
        && is_digits(second)
        && uuid.split('-').count() == groups.len()
        && uuid.split('-').zip(groups).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
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
            &LINKTRUST.replace("835477", &"9".repeat(100)),
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
