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

    /// `text` with `***` wherever it holds the secret: as it is, in another case, percent-encoded
    /// (wholly or in part, `+` for a space), with XML's references, or encoded twice.
    ///
    /// ```
    /// use pgrx_ext::network::secret::Secret;
    /// let secret = Secret::new("s3cret&").unwrap();
    /// assert_eq!(secret.redact("Password=s3cret%26&A=no"), "Password=***&A=no");
    /// ```
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let secret: Vec<u8> = self.0.bytes().map(folded).collect();
        let finder = Finder::new(&secret);
        let mut reading = Reading::of(text);
        let mut found = Vec::new();
        for _ in 0..=ENCODINGS {
            found.extend(reading.spans(&finder));
            found.extend(reading.hidden_spans(&secret));
            match reading.decoded() {
                Some(decoded) => reading = decoded,
                None => break,
            }
        }
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
}

/// How often a text is decoded: an answer that repeats a URL within another one encodes it twice.
const ENCODINGS: usize = 3;

/// A byte as it is compared: in upper case it is the same, and so is `+` for a space.
fn folded(byte: u8) -> u8 {
    match byte {
        b'+' => b' ',
        _ => byte.to_ascii_lowercase(),
    }
}

/// A text in which so many encodings are undone.
struct Reading {
    bytes: Vec<u8>,
    /// Where in the text each byte starts, and where the text ends.
    starts: Vec<usize>,
}

impl Reading {
    fn of(text: &str) -> Reading {
        Reading {
            bytes: text.bytes().collect(),
            starts: (0..=text.len()).collect(),
        }
    }

    /// Where the secret, which is folded, stands in the text.
    fn spans(&self, secret: &Finder) -> Vec<(usize, usize)> {
        let bytes: Vec<u8> = self.bytes.iter().copied().map(folded).collect();
        let length = secret.needle().len();
        secret
            .find_iter(&bytes)
            .map(|at| (self.starts[at], self.starts[at + length]))
            .collect()
    }

    /// Where the secret stands encoded, and starts within what seems to be an encoding: `25%26`
    /// in `%25%26`.
    fn hidden_spans(&self, secret: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (_, at, end) in self.decoding(0).filter(|(_, at, end)| end - at > 1) {
            for start in at + 1..end {
                let mut decoding = self.decoding(start);
                let mut stop = start;
                let is_found = secret.iter().all(|expected| {
                    decoding.next().is_some_and(|(byte, _, end)| {
                        stop = end;
                        folded(byte) == *expected
                    })
                });
                if is_found {
                    found.push((self.starts[start], self.starts[stop]));
                }
            }
        }
        found
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
        let (bytes, mut starts): (Vec<u8>, Vec<usize>) = self
            .decoding(0)
            .map(|(byte, at, _)| (byte, self.starts[at]))
            .unzip();
        starts.extend(self.starts.last());
        (bytes.len() < self.bytes.len()).then_some(Reading { bytes, starts })
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
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
            let length = inner.iter().position(|byte| !is_name(byte))?;
            let name = std::str::from_utf8(&inner[..length]).ok()?;
            let byte = reference(name).filter(|_| inner[length] == b';')?;
            Some((byte, length + 2))
        }
        _ => None,
    }
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
    use std::time::{Duration, Instant};

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
        ] {
            assert_eq!(redact(secret, text), redacted, "{text}");
        }
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

    /// Each of these took minutes while a password was looked for at each byte anew.
    #[test]
    fn a_long_password_is_looked_for_in_a_moment() {
        let long = "a".repeat(20_000);
        for text in ["a", "%61", "&#97;", "&#000", "&", "%"] {
            let text = text.repeat((64 << 10) / text.len());
            let start = Instant::now();
            redact(&(long.clone() + "b"), &text);
            redact(&long, &text);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    }

    proptest! {
        #[test]
        fn no_spelling_is_left(secret in "[^*]{4,20}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
            for spelling in [secret.as_str(), &encode(&secret)] {
                let redacted = redact(&secret, &format!("{before}{spelling}{after}"));
                prop_assert!(!redacted.contains(&secret));
                prop_assert!(redacted.contains(MASK));
            }
        }

        #[test]
        fn any_text_is_redacted_without_panic(secret in "\\PC{1,5}", text in "\\PC*") {
            redact(&secret, &text);
        }
    }
}
