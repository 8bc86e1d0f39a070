//! Passwords, kept out of everything that is printed or stored.

use std::borrow::Cow;
use std::fmt;

/// What a redacted secret leaves behind.
const MASK: &str = "***";

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

    /// The secret itself, for what is sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with `***` wherever it holds the secret: as it is, percent-encoded (wholly or in
    /// part, in either case, `+` for a space) or with XML's references.
    ///
    /// ```
    /// use pgrx_ext::network::secret::Secret;
    /// let secret = Secret::new("s3cret&").unwrap();
    /// assert_eq!(secret.redact("Password=s3cret%26&A=no"), "Password=***&A=no");
    /// ```
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = String::new();
        let mut kept = 0;
        let mut at = 0;
        while at < text.len() {
            match self.end_of_match(text.as_bytes(), at) {
                Some(end) if text.is_char_boundary(at) && text.is_char_boundary(end) => {
                    redacted.push_str(&text[kept..at]);
                    redacted.push_str(MASK);
                    (kept, at) = (end, end);
                }
                _ => at += 1,
            }
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        redacted.push_str(&text[kept..]);
        Cow::Owned(redacted)
    }

    /// Where the longest spelling of the secret ends that starts at `start`.
    ///
    /// All spellings of each byte are followed at once, so that time is bounded by both lengths.
    fn end_of_match(&self, text: &[u8], start: usize) -> Option<usize> {
        let mut ends = vec![start];
        for byte in self.0.bytes() {
            let mut next = Vec::new();
            for end in ends {
                for length in spellings(&text[end..], byte) {
                    if !next.contains(&(end + length)) {
                        next.push(end + length);
                    }
                }
            }
            if next.is_empty() {
                return None;
            }
            ends = next;
        }
        ends.into_iter().max()
    }
}

/// The lengths of the spellings of `byte` that `text` starts with.
fn spellings(text: &[u8], byte: u8) -> impl Iterator<Item = usize> {
    let itself = text.first() == Some(&byte);
    let plus = byte == b' ' && text.first() == Some(&b'+');
    let encoded = text.first() == Some(&b'%')
        && text
            .get(1..3)
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
            == Some(byte);
    let reference = reference(text, byte);
    [
        (itself || plus).then_some(1),
        encoded.then_some(3),
        reference,
    ]
    .into_iter()
    .flatten()
}

/// The length of the XML reference to an ASCII `byte` that `text` starts with.
fn reference(text: &[u8], byte: u8) -> Option<usize> {
    let inner = text.strip_prefix(b"&")?;
    let length = inner.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&inner[..length]).ok()?;
    let number = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
            None => digits.parse().ok(),
        },
        None => match name {
            "amp" => Some(u32::from(b'&')),
            "lt" => Some(u32::from(b'<')),
            "gt" => Some(u32::from(b'>')),
            "quot" => Some(u32::from(b'"')),
            "apos" => Some(u32::from(b'\'')),
            _ => None,
        },
    };
    (byte.is_ascii() && number == Some(u32::from(byte))).then_some(length + 2)
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
        ] {
            assert_eq!(redact(secret, text), redacted, "{text}");
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let secret = Secret::new("s3cret").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(Secret::new(""), None);
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
