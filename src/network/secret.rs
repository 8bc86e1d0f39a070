//! Passwords, kept out of everything that is printed or stored.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;

use crate::problem::{Class, Problem};

/// What a redacted secret leaves behind.
const MASK: &str = "***";

/// The longest password, in bytes: encoded, it fits into the longest URL that the HTTP client takes.
pub const LONGEST: usize = 500;

/// A text that only the network may see. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret; there is no empty one.
    pub fn new(text: impl Into<String>) -> Option<Secret> {
        Some(text.into())
            .filter(|text| !text.is_empty())
            .map(Secret)
    }

    /// Refuses a new password that is too long. Those of earlier versions stay.
    pub fn check_new(text: &str) -> Result<(), Problem> {
        match text.len() {
            ..=LONGEST => Ok(()),
            length => Err(
                Problem::new(Class::InvalidParameter, "the password is too long").detail(format!(
                    "It has {length} bytes; at most {LONGEST} are allowed."
                )),
            ),
        }
    }

    /// The secret itself, for what is sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with `***` wherever it holds the secret: as it is, in another case, wrapped,
    /// percent-encoded (wholly or in part, `+` for a space), with XML's references, or encoded twice.
    ///
    /// ```
    /// use pgrx_ext::network::secret::Secret;
    /// let secret = Secret::new("s3cret&").unwrap();
    /// assert_eq!(secret.redact("Password=s3cret%26&A=no"), "Password=***&A=no");
    /// ```
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.masked(text, false)
    }

    /// The same of a text whose end is missing: the beginning of the secret at the end of the text goes,
    /// too.
    pub fn redact_cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.masked(text, true)
    }

    fn masked<'a>(&self, text: &'a str, is_cut: bool) -> Cow<'a, str> {
        let mut found = self.found(text, is_cut, folded);
        found.extend(self.found(text, is_cut, folded_without_blanks));
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable();
        let mut redacted = String::new();
        let mut kept = 0;
        for (start, end) in found {
            // What overlaps is one: "%" is found in "%25" as it is, and decoded.
            if start >= kept {
                redacted.push_str(&text[kept..text.floor_char_boundary(start)]);
                redacted.push_str(MASK);
            }
            kept = kept.max(text.ceil_char_boundary(end));
        }
        redacted.push_str(&text[kept..]);
        Cow::Owned(redacted)
    }

    /// Where the secret stands in the text, if bytes are compared so.
    fn found(&self, text: &str, is_cut: bool, fold: Fold) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let secret: Vec<u8> = self.0.bytes().filter_map(fold).collect();
        if secret.is_empty() {
            return found;
        }
        let finder = Finder::new(&secret);
        let mut readings = vec![Reading::of(text, fold)];
        for _ in 0..=ENCODINGS {
            if is_cut {
                let shorter = readings.iter().filter_map(Reading::without_half_encoding);
                readings.extend(shorter.collect::<Vec<_>>());
                let starts = readings
                    .iter()
                    .filter_map(|it| it.beginning_at_end(&secret));
                found.extend(starts.map(|start| (start, text.len())));
            }
            for reading in &readings {
                found.extend(reading.spans(&finder));
                found.extend(reading.hidden_spans(&secret));
            }
            readings = readings.iter().filter_map(Reading::decoded).collect();
        }
        found
    }
}

/// How often a text is decoded: an answer that repeats a URL within another one encodes it twice.
const ENCODINGS: usize = 3;

/// Bytes of the longest encoding within which a secret is looked for, `&quot;`: each length costs a
/// search.
const LONGEST_ENCODING: usize = 6;

/// How a byte is compared; `None`: it does not count.
type Fold = fn(u8) -> Option<u8>;

/// In upper case it is the same, and so is `+` for a space. Line ends do not count, since a text may be
/// wrapped anywhere, nor does NUL, which is not stored.
fn folded(byte: u8) -> Option<u8> {
    match byte {
        b'\r' | b'\n' | 0 => None,
        b'+' => Some(b' '),
        _ => Some(byte.to_ascii_lowercase()),
    }
}

/// For what is wrapped at a space, or indented.
fn folded_without_blanks(byte: u8) -> Option<u8> {
    match byte {
        0 => None,
        _ if byte.is_ascii_whitespace() => None,
        _ => Some(byte.to_ascii_lowercase()),
    }
}

/// A text as it is compared, in which so many encodings are undone.
struct Reading {
    fold: Fold,
    bytes: Vec<u8>,
    /// Where in the text each byte starts and ends.
    places: Vec<(usize, usize)>,
}

impl Reading {
    fn of(text: &str, fold: Fold) -> Reading {
        // What is left of a character that was cut.
        let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        let bytes = whole.bytes().enumerate();
        Reading::collect(bytes.map(|(at, byte)| (byte, (at, at + 1))), fold)
    }

    fn collect(bytes: impl Iterator<Item = (u8, (usize, usize))>, fold: Fold) -> Reading {
        let (bytes, places) = bytes
            .filter_map(|(byte, place)| Some((fold(byte)?, place)))
            .unzip();
        Reading {
            fold,
            bytes,
            places,
        }
    }

    /// Where in the text these bytes stand.
    fn span(&self, start: usize, end: usize) -> (usize, usize) {
        (self.places[start].0, self.places[end - 1].1)
    }

    /// Where the secret, which is folded, stands in the text.
    fn spans(&self, secret: &Finder) -> impl Iterator<Item = (usize, usize)> {
        let length = secret.needle().len();
        let found = secret.find_iter(&self.bytes);
        found.map(move |at| self.span(at, at + length))
    }

    /// Where the secret stands encoded, and starts within what seems to be an encoding: `25%26`
    /// in `%25%26`.
    fn hidden_spans(&self, secret: &[u8]) -> Vec<(usize, usize)> {
        let decoding: Vec<_> = self.decoding(0).collect();
        let fold = |byte| (self.fold)(byte).unwrap_or_default();
        let bytes: Vec<u8> = decoding.iter().map(|(byte, ..)| fold(*byte)).collect();
        let mut found = Vec::new();
        for within in 1..secret.len().min(LONGEST_ENCODING) {
            let (first, rest) = secret.split_at(within);
            let after = Finder::new(rest);
            for index in after.find_iter(&bytes).filter(|index| *index > 0) {
                let (_, at, end) = decoding[index - 1];
                if end - at > within && self.bytes[..end].ends_with(first) {
                    let (_, _, stop) = decoding[index + rest.len() - 1];
                    found.push(self.span(end - within, stop));
                }
            }
        }
        found
    }

    /// Where in the text the longest beginning of the secret starts that stands at the end.
    fn beginning_at_end(&self, secret: &[u8]) -> Option<usize> {
        let longest = (1..=secret.len().min(self.bytes.len())).rev();
        let mut longest = longest.filter(|length| self.bytes.ends_with(&secret[..*length]));
        Some(self.places[self.bytes.len() - longest.next()?].0)
    }

    /// The same without the encoding at the end that goes on where the text is cut, if there is one.
    fn without_half_encoding(&self) -> Option<Reading> {
        let is_start = |byte: &u8| matches!(byte, b'%' | b'&');
        let at = self.bytes.iter().rposition(is_start)?;
        let is_half = match &self.bytes[at..] {
            [b'%', digits @ ..] => digits.len() < 2,
            rest => rest[1..].iter().all(is_in_name),
        };
        is_half.then(|| Reading {
            fold: self.fold,
            bytes: self.bytes[..at].to_vec(),
            places: self.places[..at].to_vec(),
        })
    }

    /// The bytes from there with one more encoding undone, and where each starts and ends.
    fn decoding(&self, mut at: usize) -> impl Iterator<Item = (u8, usize, usize)> {
        std::iter::from_fn(move || {
            let start = at;
            let byte = *self.bytes.get(start)?;
            let (byte, length) = encoded(&self.bytes[start..]).unwrap_or((byte, 1));
            at += length;
            Some((byte, start, at))
        })
    }

    /// The same with one more encoding undone; `None` if there is none.
    fn decoded(&self) -> Option<Reading> {
        let bytes = self.decoding(0);
        let bytes = bytes.map(|(byte, at, end)| (byte, self.span(at, end)));
        let decoded = Reading::collect(bytes, self.fold);
        (decoded.bytes.len() < self.bytes.len()).then_some(decoded)
    }
}

/// The byte that a percent-encoding or XML reference stands for which `text` starts with, and its
/// length.
fn encoded(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'%', high, low, ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let byte = digit(*high)? * 16 + digit(*low)?;
            Some((byte as u8, 3))
        }
        [b'&', inner @ ..] => {
            // A reference of any length ends where its characters do, so that each is read once.
            let length = inner.iter().position(|byte| !is_in_name(byte))?;
            let name = std::str::from_utf8(&inner[..length]).ok()?;
            let byte = reference(name).filter(|_| inner[length] == b';')?;
            Some((byte, length + 2))
        }
        _ => None,
    }
}

/// Whether the name of an XML reference may have it.
fn is_in_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'#'
}

/// The ASCII character that an XML reference names.
fn reference(name: &str) -> Option<u8> {
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u8::from_str_radix(hexadecimal, 16).ok(),
            None => digits.parse().ok(),
        },
        None => match name {
            "amp" => Some(b'&'),
            "lt" => Some(b'<'),
            "gt" => Some(b'>'),
            "quot" => Some(b'"'),
            "apos" => Some(b'\''),
            _ => None,
        },
    };
    number.filter(u8::is_ascii)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::encode;
    use proptest::prelude::*;

    fn redact(secret: &str, text: &str) -> String {
        Secret::new(secret).unwrap().redact(text).into_owned()
    }

    #[test]
    fn every_spelling_is_redacted() {
        for (secret, text, redacted) in [
            ("s3cret&", "no s3cret, nothing", "no s3cret, nothing"),
            ("s3cret&", "a s3cret& b", "a *** b"),
            (
                "s3cret&",
                "s3cret%26s3cret&amp;s3cret&#38;s3cret&#x26;",
                "************",
            ),
            ("s3cret&", "%733cret%26", "***"),
            ("a b/ü", "x=a+b%2f%c3%bc&y=a%20b/ü", "x=***&y=***"),
            ("%", "5%25", "5***"),
            ("aa", "aaa", "***a"),
            ("é", "ééé", "*********"),
            (
                "s3-cret",
                "S3-CRET s3&#00000000045;cret s3%252Dcret",
                "*** *** ***",
            ),
            ("ü", "&amp;%25c3%25bc", "&amp;***"),
            // What precedes it seems to belong to it.
            ("a¡0", "%aa%C2%A10", "%a***"),
            ("25&", "%25%26", "%***"),
            // Wrapped, at a space too, and within an encoding.
            ("s3cret&", "a s3c\r\n  ret%2\n6 b", "a *** b"),
            ("a b", "a\nb a\tb", "*** ***"),
            ("s3cret", "S3%2D", "S3%2D"),
            ("s3cret", "s3\0cret", "***"),
            ("+b c+", "%2Bb+c%2b %2Bb%20c%2B", "*** ***"),
        ] {
            assert_eq!(redact(secret, text), redacted, "{text}");
        }
    }

    #[test]
    fn a_part_at_the_end_is_redacted_where_the_text_is_cut() {
        for (secret, text, redacted) in [
            ("s3cret&", "no s3cret", "no ***"),
            ("s3cret&", "no s3cret&", "no ***"),
            ("s3cret&", "no s", "no ***"),
            ("s3cret&", "no ", "no "),
            ("s3cret&", "S3CRET%2", "***"),
            ("s3cret&x", "s3%63ret&am", "***"),
            ("s3cret&x", "s3cret&#000000", "***"),
            ("s-cret", "s%252", "***"),
            ("s-cret", "s%25", "***"),
            ("s-cret", "s&amp;#0", "***"),
            ("s3cret", "s3\r\n c", "***"),
            ("aübel", "a\u{fffd}", "***"),
            ("aab", "aaa", "a***"),
        ] {
            let cut = Secret::new(secret).unwrap();
            assert_eq!(cut.redact_cut(text), redacted, "{text}");
        }
        assert_eq!(
            redact("s3cret", "no s3c"),
            "no s3c",
            "a whole text ends as it does"
        );
    }

    #[test]
    fn a_new_password_is_not_too_long() {
        assert_eq!(Secret::check_new(&"a".repeat(500)), Ok(()));
        assert_eq!(
            Secret::check_new(&"é".repeat(251)).unwrap_err().one_line(),
            "the password is too long: It has 502 bytes; at most 500 are allowed."
        );
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::new("s3cret").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(Secret::new(""), None);
    }

    proptest! {
        #[test]
        fn no_spelling_is_left(secret in "[^*]{3,20}[a-z]", before in "\\PC{0,20}", after in "\\PC{0,20}") {
            for spelling in [secret.as_str(), &encode(&secret)] {
                let redacted = redact(&secret, &format!("{before}{spelling}{after}"));
                prop_assert!(!redacted.contains(&secret));
                prop_assert!(redacted.contains(MASK));
            }
        }

        #[test]
        fn no_part_is_left_wherever_a_text_is_cut(
            secret in "[a-z0-9;#+][a-z0-9;#+ ü]{0,20}[a-z]",
            spelling in 0..6,
            cut in any::<prop::sample::Index>(),
        ) {
            let each = |spelled: fn(u8) -> String| secret.bytes().map(spelled).collect::<String>();
            let spelled = match spelling {
                0 => secret.clone(),
                1 => encode(&secret).into_owned(),
                2 => each(|byte| format!("%{byte:02x}")),
                3 => each(|byte| format!("%25{byte:02X}")),
                4 => each(|byte| format!("%{byte:02x}\r\n  ")),
                _ => secret.to_ascii_uppercase(),
            };
            let text = format!("<p>: {spelled}");
            let end = text.floor_char_boundary(cut.index(text.len() + 1));
            let secret = Secret::new(secret).unwrap();
            let redacted = secret.redact_cut(&text[..end]).into_owned();
            // Of the first character's encoding a part may stay.
            let rest = redacted.strip_prefix("<p>: ").unwrap_or_default();
            prop_assert!(rest.trim() == MASK || rest.len() < 5, "{redacted}");
        }

        #[test]
        fn any_text_is_redacted_without_panic(secret in "\\PC{1,5}", text in "\\PC*") {
            let secret = Secret::new(secret).unwrap();
            secret.redact(&text);
            secret.redact_cut(&text);
        }
    }
}
