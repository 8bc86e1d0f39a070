//! Percent-encoding, queries, and base URLs that were checked once.
//!
//! Encoding is that of RFC 3986: every byte of the UTF-8 text but `A-Z a-z 0-9 - . _ ~` becomes
//! `%` and two upper-case hexadecimal digits. `+` means itself, in both directions.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use ::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

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
pub fn decode(text: &str) -> Result<Cow<'_, str>, Problem> {
    decode_if_valid(text).ok_or_else(|| {
        let detail = match bad_escape(text) {
            Some(at) if text[at..].starts_with("%00") => {
                let at = at + 1;
                format!("\"%00\" at byte {at} is a NUL character, which text cannot hold.")
            }
            Some(at) => {
                let at = at + 1;
                format!("The \"%\" at byte {at} is not followed by two hexadecimal digits.")
            }
            None => "The decoded bytes are not valid UTF-8.".to_owned(),
        };
        Problem::new(Class::InvalidParameter, "invalid percent-encoding")
            .detail(detail)
            .hint("Give text that was percent-encoded as UTF-8; a percent sign is \"%25\".")
    })
}

/// The same without a reason why not, and without allocating for one.
pub(crate) fn decode_if_valid(text: &str) -> Option<Cow<'_, str>> {
    match bad_escape(text) {
        Some(_) => None,
        None => percent_decode_str(text).decode_utf8().ok(),
    }
}

/// The place of the first `%` that starts no escape, or that of NUL.
fn bad_escape(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len())
        .filter(|at| bytes[*at] == b'%')
        .find(|at| match bytes.get(at + 1..at + 3) {
            Some(digits) => digits == b"00" || !digits.iter().all(u8::is_ascii_hexdigit),
            None => true,
        })
}

/// The decoded value of a query parameter of `url`; `None` if it is absent.
///
/// The first parameter of that name counts. Names are compared decoded; the fragment is no part
/// of the query.
pub fn query_parameter<'a>(url: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
    let without_fragment = url.split_once('#').map_or(url, |(before, _)| before);
    let Some((_, query)) = without_fragment.split_once('?') else {
        return Ok(None);
    };
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key == name || decode_if_valid(key).is_some_and(|key| key == name) {
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
    pub fn number(&mut self, name: &str, value: impl Display) -> &mut UrlBuilder {
        self.name(name);
        // Writing to a String does not fail.
        let _ = write!(self.url, "{value}");
        self
    }

    /// Appends `name=value`, the value as [`UrlBuilder::number`] has it, if there is one.
    pub fn number_if_any(&mut self, name: &str, value: Option<impl Display>) -> &mut UrlBuilder {
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

    /// Checks the text of `what`, a parameter or option, and keeps it as it is, but for the path
    /// `/`. The problem shows what [`without_secrets`] leaves of the URL.
    pub fn parse(what: &str, text: &str) -> Result<BaseUrl, Problem> {
        let fail = |detail: &str| {
            Err(Problem::invalid(what, &without_secrets(text))
                .detail(detail)
                .hint(
                    "Give scheme, host and path alone, as in \"https://track.example.com/path\".",
                ))
        };
        if text.contains(' ')
            && let Some(problem) = foreign_host(what, text)
        {
            return Err(problem);
        }
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            let at = at + 1;
            return fail(&format!(
                "Byte {at} is white space, a control character or not ASCII."
            ));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("It is not absolute.");
        };
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return fail("Its scheme is neither https nor http.");
        }
        if rest.contains('#') {
            return fail("It has a fragment (\"#\").");
        }
        if rest.contains('?') {
            return fail("It has a query (\"?\").");
        }
        let authority = rest
            .split_once('/')
            .map_or(rest, |(authority, _)| authority);
        if authority.contains('@') {
            return fail("It has user information before the host.");
        }
        let is_well_formed = text.parse().is_ok_and(|uri: Uri| {
            let host = uri.host().unwrap_or_default();
            let has_right_port = match authority.strip_prefix(host) {
                Some("") => true,
                Some(port) => port.strip_prefix(':').is_some_and(|digits| {
                    digits.bytes().all(|byte| byte.is_ascii_digit())
                        && digits.parse::<u16>().is_ok_and(|port| port > 0)
                }),
                None => false,
            };
            !host.is_empty() && has_right_port && decode_if_valid(uri.path()).is_some()
        });
        if !is_well_formed {
            return fail("Its host, port or path is malformed.");
        }
        let slash = if rest.contains('/') { "" } else { "/" };
        Ok(BaseUrl(Cow::Owned(format!("{text}{slash}"))))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Refuses a URL that is a manual's example, or a template where none can be.
    pub fn check_new(&self, what: &str) -> Result<(), Problem> {
        let url = self.as_str();
        if let Some(problem) = foreign_host(what, url) {
            return Err(problem);
        }
        match url.find(['{', '}']) {
            Some(at) => Err(Problem::invalid(what, url)
                .detail(format!("The brace at byte {} is no placeholder: the network's parameters are added to this URL.", at + 1))
                .hint("Give scheme, host and path alone.")),
            None => Ok(()),
        }
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

/// Scheme, host and path of a URL, for a message: passwords and keys stand in the query, the fragment and
/// before an `@`.
pub fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (start, query) = url.split_at(end);
    let host = start.split_once("://").map_or(start, |(_, host)| host);
    let start = match query.contains('@') && !host.contains('/') {
        // A password before the "@" may have a "?" in it.
        true => "…".into(),
        false => without_user(start),
    };
    match query.chars().next() {
        Some(mark) => format!("{start}{mark}…"),
        None => start.into_owned(),
    }
}

/// The problem of `what` if its host is in brackets and no IPv6 address: manuals write so where one's own
/// host belongs.
pub(crate) fn foreign_host(what: &str, url: &str) -> Option<Problem> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#', '{']).unwrap_or(rest.len());
    let (host, _) = rest[..end].strip_prefix('[')?.split_once(']')?;
    host.parse::<std::net::Ipv6Addr>().is_err().then(|| {
        let host = format!("[{host}]");
        Problem::invalid(what, &without_secrets(url))
            .detail(format!(
                "{} is what the network's manual writes for the host of your own account.",
                Quoted(&host)
            ))
            .hint("Write your host without brackets, as in \"https://track.example.com/path\".")
    })
}

fn without_user(url: &str) -> Cow<'_, str> {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            Cow::Owned(format!("{}://…{}", &url[..scheme], &url[at..]))
        }
        (None, Some(at)) => Cow::Owned(format!("…{}", &url[at..])),
        _ => Cow::Borrowed(url),
    }
}

#[cfg(test)]
mod tests;
