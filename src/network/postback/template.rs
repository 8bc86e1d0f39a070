//! URL templates: `https://host/path?a={parameter}`.
//!
//! ```text
//! template    = "http" [ "s" ] "://" host [ ":" port ] *( text | placeholder )
//! placeholder = "{" name "}"          name = letter or "_", then letters, digits and "_"
//! ```
//! A placeholder stands for a parameter's value, percent-encoded as a part of a path or query. What
//! networks' own templates are written with (`{{x}}`, `[=x=]`, `%x%`, `#{x}`, `${x}`) and what
//! pages make of a copied URL (`&amp;`, `¤` for `&curren`) is refused by name, and so is all that
//! cannot be in a URL.

use ::http::Uri;

use crate::problem::{Class, Problem, Quoted, list, nearest};
use crate::url::{BaseUrl, encode, without_secrets};

/// A URL with placeholders, checked.
#[derive(Debug)]
pub struct Template {
    base: BaseUrl,
    spans: Vec<Span>,
}

#[derive(Debug)]
enum Span {
    Text(String),
    Parameter(String),
}

impl Template {
    /// Parses the text of `what`, a parameter or option. The problem shows what [`without_secrets`] leaves
    /// of it.
    ///
    /// ```
    /// use pgrx_ext::network::postback::template::Template;
    /// let template = Template::parse("template", "https://t.example/p?c={click_id}").unwrap();
    /// assert_eq!(template.fill(&[("click_id", "a b")]).unwrap(), "https://t.example/p?c=a%20b");
    /// ```
    pub fn parse(what: &str, text: &str) -> Result<Template, Problem> {
        let fail = |detail: String| Problem::invalid(what, &without_secrets(text)).detail(detail);
        if let Some(Leftover { detail, hint }) = leftover(text) {
            let problem = fail(detail);
            return Err(Problem { hint, ..problem });
        }
        let start = text.find("://").map_or(0, |at| at + 3);
        let end = text[start..]
            .find(['/', '?'])
            .map_or(text.len(), |at| start + at);
        let (authority, rest) = text.split_at(end);
        if let Some(at) = authority.find(['{', '}']) {
            let at = at + 1;
            return Err(fail(format!(
                "The brace at byte {at} is in the scheme or host, which cannot vary."
            )));
        }
        let base = BaseUrl::parse(what, authority).map_err(|problem| {
            problem.hint("Give scheme, host and path, as in \"https://t.example.com/postback?cid={click_id}\".")
        })?;
        let (spans, stand_in) = spans(rest).map_err(|at| {
            let at = end + at + 1;
            fail(format!(
                "The brace at byte {at} does not belong to a placeholder."
            ))
            .hint(PLACEHOLDER)
        })?;
        let example = format!("{authority}{stand_in}");
        if example.parse::<Uri>().is_err() {
            return Err(fail("It is not a URL.".to_owned()));
        }
        Ok(Template { base, spans })
    }

    /// The names of the placeholders, in order, each as often as it is there.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().filter_map(|span| match span {
            Span::Parameter(name) => Some(name.as_str()),
            Span::Text(_) => None,
        })
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.base.is_https()
    }

    /// The URL with the values `given`, text by name.
    pub fn fill<N: AsRef<str>, T: AsRef<str>>(&self, given: &[(N, T)]) -> Result<String, Problem> {
        self.fill_with(given, &[])
    }

    /// The same; parameters of `optional` that are not given are empty.
    pub fn fill_with<N: AsRef<str>, T: AsRef<str>>(
        &self,
        given: &[(N, T)],
        optional: &[&str],
    ) -> Result<String, Problem> {
        let mut url = String::with_capacity(320);
        url.push_str(self.base.as_str().trim_end_matches('/'));
        let mut in_query = false;
        // The parameters in the path, and where their values start.
        let mut in_path = Vec::new();
        for span in &self.spans {
            match span {
                Span::Text(text) => {
                    in_query |= text.contains('?');
                    url.push_str(text);
                }
                Span::Parameter(parameter) => {
                    let value = match given.iter().find(|(name, _)| name.as_ref() == parameter) {
                        Some((_, text)) => text.as_ref(),
                        None if optional.contains(&parameter.as_str()) => "",
                        None => return Err(missing(parameter, given)),
                    };
                    if !in_query {
                        in_path.push((parameter, url.len()));
                    }
                    url.push_str(&encode(value));
                }
            }
        }
        match in_path.into_iter().find(|(_, at)| is_step(&url, *at)) {
            Some((parameter, _)) => {
                let message = format!("parameter {} cannot be in the path", Quoted(parameter));
                Err(Problem::new(Class::InvalidParameter, message)
                    .detail("With it, a part of the path is nothing but dots, a step elsewhere."))
            }
            None => Ok(url),
        }
    }
}

/// The problem of a placeholder without a value.
fn missing<N: AsRef<str>, T>(parameter: &str, given: &[(N, T)]) -> Problem {
    let names = || given.iter().map(|(name, _)| name.as_ref());
    let message = format!("parameter {} is missing", Quoted(parameter));
    let problem = Problem::new(Class::InvalidParameter, message).detail(match given {
        [] => "None are given.".to_owned(),
        _ => format!("Given are {}.", list(names())),
    });
    match nearest(parameter, names()) {
        Some(name) => problem.hint(format!("Did you mean \"{name}\"?")),
        None => problem,
    }
}

/// Whether the segment of the path around `at` is `.` or `..`, percent-encoded or not.
fn is_step(url: &str, at: usize) -> bool {
    let start = url[..at].rfind('/').map_or(0, |slash| slash + 1);
    let end = url[at..]
        .find(['/', '?'])
        .map_or(url.len(), |length| at + length);
    let part = url[start..end].to_ascii_lowercase().replace("%2e", ".");
    matches!(part.as_str(), "." | "..")
}

/// The spans of what follows the host, and that text with values in it; or where a brace does not
/// belong to a placeholder, from 0.
fn spans(rest: &str) -> Result<(Vec<Span>, String), usize> {
    let mut spans = Vec::new();
    let mut stand_in = String::new();
    if !rest.starts_with('/') {
        // A query right after the host, or nothing: the path is "/".
        spans.push(Span::Text("/".to_owned()));
    }
    let mut at = 0;
    while at < rest.len() {
        let text_end = rest[at..]
            .find(['{', '}'])
            .map_or(rest.len(), |length| at + length);
        if text_end > at {
            spans.push(Span::Text(rest[at..text_end].to_owned()));
            stand_in.push_str(&rest[at..text_end]);
        }
        if text_end == rest.len() {
            break;
        }
        let name = rest[text_end..]
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| is_name(name))
            .ok_or(text_end)?;
        spans.push(Span::Parameter(name.to_owned()));
        stand_in.push('x');
        at = text_end + name.len() + 2;
    }
    Ok((spans, stand_in))
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Something that cannot be in a template.
struct Leftover {
    detail: String,
    hint: Option<String>,
}

impl Leftover {
    fn new(detail: String) -> Option<Leftover> {
        Some(Leftover { detail, hint: None })
    }

    fn with_hint(detail: String, hint: impl Into<String>) -> Option<Leftover> {
        let hint = Some(hint.into());
        Some(Leftover { detail, hint })
    }
}

const PLACEHOLDER: &str = "Write {parameter} for a parameter's value, such as {click_id}.";

/// The first thing that cannot be in a template.
fn leftover(text: &str) -> Option<Leftover> {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let rest = &bytes[index..];
        let at = index + 1;
        let other_syntax = |written| {
            let detail =
                format!("At byte {at} there is a placeholder of another syntax: {written}.");
            Leftover::with_hint(detail, PLACEHOLDER)
        };
        match rest {
            [b'{', b'{', ..] | [b'}', b'}', ..] => return other_syntax("{{x}}"),
            [b'[', b'=', ..] | [b'=', b']', ..] => return other_syntax("[=x=]"),
            [b'#', b'{', ..] => return other_syntax("#{x}"),
            [b'$', b'{', ..] => return other_syntax("${x}"),
            [b'#', ..] => {
                return Leftover::new(format!(
                    "The \"#\" at byte {at} starts a fragment, which is never sent."
                ));
            }
            [b'&', b'a' | b'A', b'm' | b'M', b'p' | b'P', b';', ..] => {
                let detail = format!("The \"&amp;\" at byte {at} is HTML for \"&\".");
                return Leftover::with_hint(detail, "Write \"&\".");
            }
            [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => index += 2,
            [b'%', ..] => {
                let name = &rest[1..];
                let length = name
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                    .count();
                return match name.get(length) {
                    Some(b'%') if length > 0 => other_syntax("%x%"),
                    _ => Leftover::new(format!(
                        "The \"%\" at byte {at} is not followed by two hexadecimal digits."
                    )),
                };
            }
            _ if text[index..].starts_with('¤') => {
                let detail = format!("The \"¤\" at byte {at} is what HTML makes of \"&curren\".");
                return Leftover::with_hint(detail, "Write \"&currency\" or what else it was.");
            }
            [byte, ..]
                if !byte.is_ascii_graphic()
                    || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|') =>
            {
                let character = text[index..].chars().next().unwrap_or_default().to_string();
                let detail = match character.as_str() {
                    " " => format!("Byte {at} is a space."),
                    other => format!(
                        "{} at byte {at} cannot be in a URL as it is.",
                        Quoted(other)
                    ),
                };
                let hint = format!("Write \"{}\".", encode(&character));
                return Leftover::with_hint(detail, hint);
            }
            _ => {}
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests;
