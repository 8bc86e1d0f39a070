//! Percent-encoding, queries, and base URLs that were checked once.
//!
//! Encoding is that of RFC 3986: every byte of the UTF-8 text but `A-Z a-z 0-9 - . _ ~` becomes
//! `%` and two upper-case hexadecimal digits. `+` means itself, in both directions.

use std::borrow::Cow;
use std::fmt::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ureq::http::Uri;

use crate::problem::{Class, Problem, Quoted};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Whether a byte stands for itself; the rest is in [`RESERVED`].
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Percent-encodes a value for a URL's query or path.
///
/// ```
/// assert_eq!(pgrx_ext::url::encode("SUMMER 10%"), "SUMMER%2010%25");
/// ```
pub fn encode(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, RESERVED).into()
}

/// Decodes percent-encoded text, once.
///
/// Refuses what [`encode`] cannot have made out of text: broken escapes, bytes that are not
/// UTF-8, and NUL, which PostgreSQL's `text` cannot hold.
///
/// ```
/// assert_eq!(pgrx_ext::url::decode("new%20player").unwrap(), "new player");
/// assert!(pgrx_ext::url::decode("10%").is_err());
/// ```
pub fn decode(text: &str) -> Result<Cow<'_, str>, DecodeError> {
    let bytes = text.as_bytes();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%') {
        let digits = bytes.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() < 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(DecodeError::BadEscape { at: at + 1 });
        }
        if digits == b"00" {
            return Err(DecodeError::Nul { at: at + 1 });
        }
    }
    percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| DecodeError::BadUtf8)
}

/// Why percent-encoded text cannot be decoded. `at` counts bytes from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// `%` without two hexadecimal digits after it.
    BadEscape {
        /// Where the `%` stands.
        at: usize,
    },
    /// `%00`.
    Nul {
        /// Where the `%` stands.
        at: usize,
    },
    /// The decoded bytes are not UTF-8.
    BadUtf8,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid percent-encoding")
    }
}

impl Problem for DecodeError {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match self {
            DecodeError::BadEscape { at } => {
                format!("The \"%\" at byte {at} is not followed by two hexadecimal digits.")
            }
            DecodeError::Nul { at } => {
                format!("\"%00\" at byte {at} is a NUL character, which text cannot hold.")
            }
            DecodeError::BadUtf8 => "The decoded bytes are not valid UTF-8.".to_owned(),
        })
    }
}

/// The decoded value of a query parameter of `url`; `None` if it is absent.
///
/// The first parameter of that name counts. Names are compared decoded; the fragment is no part
/// of the query.
pub fn query_parameter<'a>(url: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, DecodeError> {
    let without_fragment = url.split_once('#').map_or(url, |(before, _)| before);
    let Some((_, query)) = without_fragment.split_once('?') else {
        return Ok(None);
    };
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name || decode(key).is_ok_and(|key| key == name) {
            return decode(value).map(Some);
        }
    }
    Ok(None)
}

/// A URL under construction: a checked base and encoded parameters.
#[derive(Debug)]
pub struct UrlBuilder {
    url: String,
    separator: char,
}

// `parameter` and `number` are inlined at every use, where the length of the name is known, and
// take the builder by reference: that saves a third of the time of building a URL.
impl UrlBuilder {
    /// Starts a query on `base`.
    pub fn new(base: &BaseUrl) -> UrlBuilder {
        let mut url = String::with_capacity(320);
        url.push_str(base.as_str());
        UrlBuilder {
            url,
            separator: '?',
        }
    }

    /// Appends `name=value`, the value encoded. Names are ours and need no encoding.
    #[inline(always)]
    pub fn parameter(&mut self, name: &str, value: &str) -> &mut UrlBuilder {
        self.name(name);
        match value.bytes().all(is_unreserved) {
            true => self.url.push_str(value),
            false => self.encoded(value),
        }
        self
    }

    /// Appends `name=value` unless the value is empty.
    pub fn parameter_if_any(&mut self, name: &str, value: &str) -> &mut UrlBuilder {
        match value {
            "" => self,
            value => self.parameter(name, value),
        }
    }

    /// Appends `name=value`, the value in digits with or without a point: nothing to encode.
    #[inline(always)]
    pub fn number(&mut self, name: &str, value: impl fmt::Display) -> &mut UrlBuilder {
        self.name(name);
        // Writing to a String does not fail.
        let _ = write!(self.url, "{value}");
        self
    }

    /// Appends `name=value`, the value as [`UrlBuilder::number`] has it, if there is one.
    pub fn number_if_any(
        &mut self,
        name: &str,
        value: Option<impl fmt::Display>,
    ) -> &mut UrlBuilder {
        match value {
            Some(value) => self.number(name, value),
            None => self,
        }
    }

    #[inline(always)]
    fn name(&mut self, name: &str) {
        self.url.push(self.separator);
        self.separator = '&';
        self.url.push_str(name);
        self.url.push('=');
    }

    #[inline(never)]
    fn encoded(&mut self, value: &str) {
        self.url.extend(utf8_percent_encode(value, RESERVED));
    }

    /// The finished URL.
    pub fn build(self) -> String {
        self.url
    }
}

/// An absolute http or https URL to which a query can be appended: no user information, no
/// query, no fragment. A missing path becomes `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Cow<'static, str>);

impl BaseUrl {
    /// A base URL known to be right when the crate is compiled.
    pub const fn from_static(url: &'static str) -> BaseUrl {
        BaseUrl(Cow::Borrowed(url))
    }

    /// Checks the text of a parameter or option and keeps it as it is, but for the path `/`.
    pub fn parse(name: &'static str, text: &str) -> Result<BaseUrl, BaseUrlError> {
        let fail = |problem| BaseUrlError {
            name,
            url: text.to_owned(),
            problem,
        };
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(fail(BaseUrlProblem::BadByte { at: at + 1 }));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(fail(BaseUrlProblem::NotAbsolute));
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err(fail(BaseUrlProblem::Scheme));
        }
        if rest.contains('#') {
            return Err(fail(BaseUrlProblem::Fragment));
        }
        if rest.contains('?') {
            return Err(fail(BaseUrlProblem::Query));
        }
        let authority = rest
            .split_once('/')
            .map_or(rest, |(authority, _)| authority);
        if authority.contains('@') {
            return Err(fail(BaseUrlProblem::UserInfo));
        }
        let uri: Uri = text.parse().map_err(|_| fail(BaseUrlProblem::Malformed))?;
        let host = uri.host().unwrap_or_default();
        let port_is_right = match authority.strip_prefix(host) {
            Some("") => true,
            Some(_) => uri.port_u16().is_some_and(|port| port > 0),
            None => false,
        };
        if host.is_empty() || !port_is_right {
            return Err(fail(BaseUrlProblem::Malformed));
        }
        if decode(uri.path()).is_err() {
            return Err(fail(BaseUrlProblem::Malformed));
        }
        let slash = if rest.contains('/') { "" } else { "/" };
        Ok(BaseUrl(Cow::Owned(format!("{text}{slash}"))))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a page below this one; this one if it is that page.
    pub fn page(self, name: &str) -> BaseUrl {
        let url = self.as_str();
        let is_page = url.rsplit('/').next() == Some(name);
        let slash = if url.ends_with('/') { "" } else { "/" };
        match is_page {
            true => self,
            false => BaseUrl(Cow::Owned(format!("{url}{slash}{name}"))),
        }
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0
            .as_bytes()
            .get(..6)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"https:"))
    }
}

/// A base URL that cannot be used. Its text never holds the user information of the URL.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrlError {
    /// The parameter or option.
    pub name: &'static str,
    url: String,
    /// What is wrong with it.
    pub problem: BaseUrlProblem,
}

/// What is wrong with a base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseUrlProblem {
    /// No `scheme://`.
    NotAbsolute,
    /// A scheme other than http and https.
    Scheme,
    /// `user:password@`.
    UserInfo,
    /// `#…`
    Fragment,
    /// `?…`
    Query,
    /// White space, a control character or a byte beyond ASCII; `at` counts from 1.
    BadByte {
        /// Where it stands.
        at: usize,
    },
    /// No or a bad host, port or path.
    Malformed,
}

impl BaseUrlError {
    /// The URL as a message may show it: what stands before an `@` may be a password.
    pub fn shown(&self) -> Cow<'_, str> {
        without_user(&self.url)
    }
}

/// A URL without what stands before an `@`.
pub fn without_user(url: &str) -> Cow<'_, str> {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            Cow::Owned(format!("{}://…{}", &url[..scheme], &url[at..]))
        }
        (None, Some(at)) => Cow::Owned(format!("…{}", &url[at..])),
        _ => Cow::Borrowed(url),
    }
}

impl fmt::Debug for BaseUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BaseUrlError({}, {:?}, {:?})",
            self.name,
            self.shown(),
            self.problem
        )
    }
}

impl fmt::Display for BaseUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {}: {}", self.name, Quoted(&self.shown()))
    }
}

impl Problem for BaseUrlError {
    fn class(&self) -> Class {
        Class::InvalidParameter
    }

    fn detail(&self) -> Option<String> {
        Some(match self.problem {
            BaseUrlProblem::NotAbsolute => "It is not absolute.".to_owned(),
            BaseUrlProblem::Scheme => "Its scheme is neither https nor http.".to_owned(),
            BaseUrlProblem::UserInfo => "It has user information before the host.".to_owned(),
            BaseUrlProblem::Fragment => "It has a fragment (\"#\").".to_owned(),
            BaseUrlProblem::Query => "It has a query (\"?\").".to_owned(),
            BaseUrlProblem::BadByte { at } => {
                format!("Byte {at} is white space, a control character or not ASCII.")
            }
            BaseUrlProblem::Malformed => "Its host, port or path is malformed.".to_owned(),
        })
    }

    fn hint(&self) -> Option<String> {
        Some("Give scheme, host and path, as in \"https://ts.tradetracker.net/\".".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unreserved_characters_stay_and_all_others_are_encoded() {
        assert_eq!(encode("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(
            encode("a b+c&d=e/f?g#h:i\"€\n"),
            "a%20b%2Bc%26d%3De%2Ff%3Fg%23h%3Ai%22%E2%82%AC%0A"
        );
    }

    #[test]
    fn bad_escapes_are_refused_with_their_place() {
        for (text, problem) in [
            ("%", DecodeError::BadEscape { at: 1 }),
            ("ab%4", DecodeError::BadEscape { at: 3 }),
            ("%zz", DecodeError::BadEscape { at: 1 }),
            ("%é", DecodeError::BadEscape { at: 1 }),
            ("x%00", DecodeError::Nul { at: 2 }),
            ("%ff", DecodeError::BadUtf8),
            ("%C3%28", DecodeError::BadUtf8),
        ] {
            assert_eq!(decode(text), Err(problem), "{text}");
        }
        assert_eq!(decode("a+b%2b").unwrap(), "a+b+");
    }

    #[test]
    fn query_parameters_are_found_and_decoded() {
        let url =
            "http://yourwebsite.com/landing/page?a&someparameter=0%3A%3A1&x=2#someparameter=9";
        assert_eq!(
            query_parameter(url, "someparameter").unwrap().unwrap(),
            "0::1"
        );
        assert_eq!(query_parameter(url, "a").unwrap().unwrap(), "");
        assert_eq!(query_parameter(url, "nothing").unwrap(), None);
        assert_eq!(query_parameter("https://x.example/p", "a").unwrap(), None);
        assert_eq!(
            query_parameter("?tt%5Bid%5D=5", "tt[id]").unwrap().unwrap(),
            "5"
        );
        assert!(query_parameter("?a=%", "a").is_err());
    }

    #[test]
    fn base_urls_are_absolute_http_without_query() {
        for (text, kept) in [
            (
                "https://ts.tradetracker.net/",
                "https://ts.tradetracker.net/",
            ),
            (
                "https://ts.tradetracker.net",
                "https://ts.tradetracker.net/",
            ),
            ("http://127.0.0.1:8080/s", "http://127.0.0.1:8080/s"),
            ("HTTPS://[::1]:8443/s", "HTTPS://[::1]:8443/s"),
        ] {
            assert_eq!(BaseUrl::parse("base_url", text).unwrap().as_str(), kept);
        }
        use BaseUrlProblem::*;
        for (text, problem) in [
            ("", NotAbsolute),
            ("ts.tradetracker.net", NotAbsolute),
            ("//ts.tradetracker.net/", NotAbsolute),
            ("ftp://ts.tradetracker.net/", Scheme),
            ("file:///etc/passwd", Scheme),
            ("https://user:pw@ts.tradetracker.net/", UserInfo),
            ("https://ts.tradetracker.net/#x", Fragment),
            ("https://ts.tradetracker.net/?x=1", Query),
            ("https://ts.tradetracker.net/a b", BadByte { at: 30 }),
            ("https://ts.tradetracker.net/\r\n", BadByte { at: 29 }),
            ("https://exämple.com/", BadByte { at: 11 }),
            ("https:///path", Malformed),
            ("https://", Malformed),
            ("https://host:99999/", Malformed),
            ("https://host:/", Malformed),
            ("https://host:0/", Malformed),
            ("https://[::1/", Malformed),
            ("https://host/%zz", Malformed),
        ] {
            assert_eq!(
                BaseUrl::parse("base_url", text).unwrap_err().problem,
                problem,
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let error = BaseUrl::parse("base_url", "https://user:s3cret@ts.example/").unwrap_err();
        assert!(!format!("{error} {error:?} {}", error.one_line()).contains("s3cret"));
    }

    proptest! {
        #[test]
        fn any_text_survives_encode_and_decode(text in "[^\0]*") {
            let encoded = encode(&text);
            prop_assert_eq!(decode(&encoded).unwrap(), text.as_str());
        }

        #[test]
        fn any_parameter_value_survives_the_receivers_decode(a in "[^\0]*", b in "[^\0]*") {
            let mut url = UrlBuilder::new(&BaseUrl::from_static("https://x.example/"));
            url.parameter("a", &a).parameter("b", &b);
            let url = url.build();
            prop_assert_eq!(query_parameter(&url, "a").unwrap().unwrap(), a);
            prop_assert_eq!(query_parameter(&url, "b").unwrap().unwrap(), b);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()));
        }

        #[test]
        fn base_urls_never_panic(text in "\\PC*") {
            if let Ok(base) = BaseUrl::parse("base_url", &text) {
                prop_assert!(base.as_str().starts_with(&text));
            }
        }
    }
}
