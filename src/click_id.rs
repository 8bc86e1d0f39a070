//! The grammar of click ids.
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
//! parameter undecoded is the commonest mistake, and is as long as its decoded value; anything else is
//! kept as it came.

use std::borrow::Cow;

use crate::problem::{Class, Problem, is_invisible};
use crate::url;

mod tradetracker;

pub use tradetracker::TradeTrackerId;
use tradetracker::is_digits;

/// The longest click id, in bytes.
pub const MAX_LENGTH: usize = 512;

/// The longest text that a click id is decoded from: each byte may be an escape.
const MAX_ENCODED_LENGTH: usize = 3 * MAX_LENGTH;
/// How often a click id is decoded at most: each redirect on the way to the shop may encode it.
const MAX_ENCODINGS: usize = 4;

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
    pub fn from_name(name: &str) -> Result<Form, Problem> {
        Form::ALL
            .into_iter()
            .find(|form| form.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                Problem::invalid("type modifier for click_id", name)
                    .hint("Use click_id, click_id(tradetracker) or click_id(linktrust).")
            })
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
    pub fn parse(text: &'a str) -> Result<ClickId<'a>, Problem> {
        parse(text).map(ClickId)
    }

    /// Validates a click id of the network `form`.
    pub fn parse_as(text: &'a str, form: Form) -> Result<ClickId<'a>, Problem> {
        let id = ClickId::parse(text)?;
        match id.check_form(form) {
            Ok(()) => Ok(id),
            // The message quotes the text as it was given: it may have been decoded.
            Err(problem) => Err(problem.value(text)),
        }
    }

    /// The click id in a query parameter of a landing page's URL, if there is one.
    ///
    /// ```
    /// use pgrx_ext::click_id::ClickId;
    /// let id = ClickId::in_url("https://shop.example/?tt=c-1", "tt");
    /// assert_eq!(id.unwrap().as_str(), "c-1");
    /// assert_eq!(ClickId::in_url("https://shop.example/?tt=a%20b", "tt"), None);
    /// ```
    pub fn in_url(url: &str, parameter: &str) -> Option<ClickId<'static>> {
        let value = url::query_parameter(url, parameter).ok()??;
        let id = ClickId::parse(&value).ok()?;
        Some(ClickId(id.0.into_owned().into()))
    }

    /// Validates a click id that a server of the network `form` is to be sent. One of TradeTracker's
    /// is decoded as often as it was encoded.
    ///
    /// ```
    /// use pgrx_ext::click_id::{ClickId, Form};
    /// let twice = "0%253A%253A12345%253A%253Areference%253A%253A%253A%253A1405418672";
    /// let id = ClickId::parse_own(twice, Form::TradeTracker).unwrap();
    /// assert_eq!(id.as_str(), "0::12345::reference::::1405418672");
    /// ```
    pub fn parse_own(text: &'a str, form: Form) -> Result<ClickId<'a>, Problem> {
        let is_encoded = text.contains('%') && TradeTrackerId::split(text).is_err();
        if form == Form::TradeTracker && is_encoded {
            let mut decoded = text.to_owned();
            for _ in 0..MAX_ENCODINGS {
                let Some(once) = url::decode_if_valid(&decoded) else {
                    break;
                };
                decoded = once.into_owned();
                if TradeTrackerId::split(&decoded).is_ok() {
                    check_any(&decoded, text)?;
                    return Ok(ClickId(Cow::Owned(decoded)));
                }
            }
        }
        ClickId::parse_as(text, form)
    }

    /// The problem of bytes that are not UTF-8.
    pub fn not_utf8(bytes: &[u8]) -> Problem {
        invalid(&String::from_utf8_lossy(bytes))
            .detail("It is not valid UTF-8.")
            .hint("Send the text in UTF-8.")
    }

    /// Takes text that is known to be valid: a stored value of type `click_id`.
    pub fn from_stored(text: Cow<'a, str>) -> ClickId<'a> {
        ClickId(text)
    }

    /// Whether this click id has the form that a type modifier asks for.
    pub fn check_form(&self, form: Form) -> Result<(), Problem> {
        let text = self.as_str();
        match form {
            Form::TradeTracker => match TradeTrackerId::split(text) {
                Ok(_) => Ok(()),
                Err(field) => Err(invalid(text).detail(field.detail(text)).hint(
                    "Expected material::affiliate::reference::checksum::unixtime, as in 0::12345::reference::::1405418672.",
                )),
            },
            Form::LinkTrust => match text.bytes().position(|byte| !is_linktrust_byte(byte)) {
                Some(at) => Err(invalid(text)
                    .detail(format!("Byte {} is not a letter, a digit, \"_\" or \"-\".", at + 1))
                    .hint("Expected an id such as 04_835477_fb93f424-788d-4c48-bfb1-98516f855839.")),
                None if text.len() > MAX_LINKTRUST_LENGTH => {
                    Err(too_long(text, MAX_LINKTRUST_LENGTH))
                }
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

/// The network that handed out a click id, if its form leaves no doubt.
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

fn parse(text: &str) -> Result<Cow<'_, str>, Problem> {
    let is_tradetracker = TradeTrackerId::split(text).is_ok();
    let decoded = match !is_tradetracker && text.contains('%') && text.len() <= MAX_ENCODED_LENGTH {
        true => url::decode_if_valid(text),
        false => None,
    };
    if let Some(decoded) = &decoded
        && TradeTrackerId::split(decoded).is_ok()
    {
        check_any(decoded, text)?;
        return Ok(Cow::Owned(decoded.to_string()));
    }
    check_any(text, text)?;
    if is_tradetracker {
        return Ok(Cow::Borrowed(text));
    }
    if let Some(decoded) = decoded {
        check_marker(&decoded, text)?;
    }
    if is_plain(text) {
        return Ok(Cow::Borrowed(text));
    }
    match text
        .char_indices()
        .find(|(_, c)| c.is_whitespace() || is_invisible(*c))
    {
        Some((at, _)) => {
            let at = at + 1;
            let detail = format!("There is white space or an invisible character at byte {at}.");
            Err(invalid(text).detail(detail).hint(VALUE_ALONE))
        }
        None => Ok(Cow::Borrowed(text)),
    }
}

/// Checks what holds for the click ids of every network. Messages quote `given`, the text before it
/// was decoded.
fn check_any(text: &str, given: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(invalid(given)
            .detail("A click id has at least one character.")
            .hint("Store NULL for a visitor who came without a click id. In a query, IS NULL finds those; in coalesce(), cast the click id to text."));
    }
    if text.len() > MAX_LENGTH {
        return Err(too_long(text, MAX_LENGTH).value(given));
    }
    if is_plain(text) {
        return Ok(());
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let detail = format!("There is a control character at byte {}.", at + 1);
        return Err(invalid(given).detail(detail).hint(VALUE_ALONE));
    }
    if text.trim().len() < text.len() {
        return Err(invalid(given)
            .detail("There is white space before or after it.")
            .hint(VALUE_ALONE));
    }
    check_marker(text, given)
}

/// Visible ASCII without `[`: no white space, nothing invisible, no control character, no marker.
/// Nearly every click id is.
fn is_plain(text: &str) -> bool {
    // Without an early exit, the loop is vectorized.
    text.bytes().fold(true, |all, byte| {
        all & byte.is_ascii_graphic() & (byte != b'[')
    })
}

fn check_marker(text: &str, given: &str) -> Result<(), Problem> {
    match text.contains("[marker]") || text.contains("[/marker]") {
        true => Err(invalid(given)
            .detail("It holds \"[marker]\" or \"[/marker]\".")
            .hint("Leave out \"[marker]\" and \"[/marker]\": the network's manual uses them to highlight the value between them.")),
        false => Ok(()),
    }
}

const VALUE_ALONE: &str =
    "Store the value of the landing page's parameter, decoded once, and nothing else.";

fn invalid(text: &str) -> Problem {
    let message = "invalid input syntax for type click_id";
    Problem::new(Class::InvalidText, message).value(text)
}

fn too_long(text: &str, most: usize) -> Problem {
    let length = text.len();
    invalid(text)
        .detail(format!(
            "It has {length} bytes; at most {most} are allowed."
        ))
        .hint("Store the value of the landing page's parameter alone, not the whole URL.")
}

#[cfg(test)]
mod tests;
