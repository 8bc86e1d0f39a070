//! URL templates: `https://host/path?a={parameter}`.
//!
//! ```text
//! template    = "http" [ "s" ] "://" host [ ":" port ] *( text | placeholder )
//! placeholder = "{" name "}"          name = letter or "_", then letters, digits and "_"
//! ```
//! A placeholder stands for a parameter's value, percent-encoded as a part of a path or query. What
//! networks' own templates are written with (`{{x}}`, `[=x=]`, `%x%`, `#{x}`, `${x}`) and what
//! pages make of a copied URL (`&amp;`, `¤` for `&curren`) is refused by name, and so is all that
//! cannot be in a URL. New templates have a placeholder, and none of the macros of manuals.

use ::http::Uri;

mod leftover;
mod macros;

use leftover::{Leftover, PLACEHOLDER, leftover};

use crate::problem::{Class, Problem, Quoted, list, nearest};
use crate::url::{BaseUrl, encode, foreign_host, without_secrets};

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
            return Err(match foreign_host(what, text) {
                Some(problem) => problem,
                None => fail(detail).hint(hint),
            });
        }
        let (authority, rest) = split_host(text);
        let end = authority.len();
        if let Some(at) = authority.find(['{', '}']) {
            let at = at + 1;
            return Err(fail(format!(
                "The brace at byte {at} is in the scheme or host, which cannot vary."
            ))
            .hint("Make a server for each host."));
        }
        let base = BaseUrl::parse(what, authority).map_err(|problem| {
            let problem = problem.value(&without_secrets(text));
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

    /// Refuses a new template that cannot work: `text` is what it was parsed from, and a placeholder
    /// of it has to be `wanted`.
    pub fn check_new(
        &self,
        what: &str,
        text: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), Problem> {
        self.base.check_new(what)?;
        let fail = |detail: String| Problem::invalid(what, &without_secrets(text)).detail(detail);
        let (_, rest) = split_host(text);
        if let Some((at, found)) = macros::find(rest) {
            let at = text.len() - rest.len() + at + 1;
            let found = Quoted(found);
            return Err(fail(format!(
                "{found} at byte {at} looks like a macro of a manual, which nothing replaces."
            ))
            .hint(format!(
                "{PLACEHOLDER} Percent-encode a letter of what is meant as it is."
            )));
        }
        match self.parameters().any(is_wanted) {
            true => Ok(()),
            false => Err(
                fail("No placeholder in it says which conversion is meant.".to_owned())
                    .hint(PLACEHOLDER),
            ),
        }
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

/// A template's scheme and host, and the rest.
fn split_host(text: &str) -> (&str, &str) {
    let start = text.find("://").map_or(0, |at| at + 3);
    let end = text[start..]
        .find(['/', '?'])
        .map_or(text.len(), |at| start + at);
    text.split_at(end)
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
        None => problem.hint("Give it, or take its placeholder out of the template."),
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

#[cfg(test)]
mod tests;
