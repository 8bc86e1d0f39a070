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

use ureq::http::Uri;

use crate::url::{BaseUrl, encode};

mod error;

pub use error::{BadTemplate, TemplateError, TemplateProblem, Unfilled};

/// A URL with placeholders, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    base: BaseUrl,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter(String),
}

impl Template {
    /// Parses the text of a parameter or option.
    ///
    /// ```
    /// use pgrx_ext::network::postback::template::Template;
    /// let template = Template::parse("template", "https://t.example/p?c={click_id}").unwrap();
    /// assert_eq!(template.fill(&[("click_id", "a b")]).unwrap(), "https://t.example/p?c=a%20b");
    /// ```
    pub fn parse(name: &'static str, text: &str) -> Result<Template, TemplateError> {
        let fail = |problem| {
            Err(TemplateError::Bad(BadTemplate {
                name,
                text: text.to_owned(),
                problem,
            }))
        };
        if let Some(problem) = leftover(text) {
            return fail(problem);
        }
        let start = text.find("://").map_or(0, |at| at + 3);
        let end = text[start..]
            .find(['/', '?'])
            .map_or(text.len(), |at| start + at);
        let (authority, rest) = text.split_at(end);
        if let Some(at) = authority.find(['{', '}']) {
            return fail(TemplateProblem::InHost { at: at + 1 });
        }
        let base = BaseUrl::parse(name, authority).map_err(TemplateError::Url)?;
        let (pieces, stand_in) = match pieces(rest) {
            Ok(read) => read,
            Err(at) => return fail(TemplateProblem::BadBrace { at: end + at + 1 }),
        };
        let example = format!("{authority}{stand_in}");
        if example.parse::<Uri>().is_err() {
            return fail(TemplateProblem::Malformed);
        }
        Ok(Template { base, pieces })
    }

    /// The names of the placeholders, in order, each as often as it is there.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Parameter(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.base.is_https()
    }

    /// The URL that says `given`, text by name.
    pub fn fill<N: AsRef<str>, T: AsRef<str>>(&self, given: &[(N, T)]) -> Result<String, Unfilled> {
        let mut url = String::with_capacity(320);
        url.push_str(self.base.as_str().trim_end_matches('/'));
        let mut in_query = false;
        // The parameters in the path, and where their values start.
        let mut in_path = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    in_query |= text.contains('?');
                    url.push_str(text);
                }
                Piece::Parameter(parameter) => {
                    let value = given
                        .iter()
                        .find(|(name, _)| name.as_ref() == parameter)
                        .map(|(_, text)| text.as_ref())
                        .ok_or_else(|| Unfilled::Missing {
                            parameter: parameter.clone(),
                            given: given
                                .iter()
                                .map(|(name, _)| name.as_ref().to_owned())
                                .collect(),
                        })?;
                    if !in_query {
                        in_path.push((parameter, url.len()));
                    }
                    url.push_str(&encode(value));
                }
            }
        }
        match in_path.into_iter().find(|(_, at)| is_step(&url, *at)) {
            Some((parameter, _)) => Err(Unfilled::DotSegment {
                parameter: parameter.clone(),
            }),
            None => Ok(url),
        }
    }
}

/// Whether the part of the path around `at` is a step, up or nowhere: `.` or `..` between slashes,
/// percent-encoded or not.
fn is_step(url: &str, at: usize) -> bool {
    let start = url[..at].rfind('/').map_or(0, |slash| slash + 1);
    let end = url[at..]
        .find(['/', '?'])
        .map_or(url.len(), |length| at + length);
    let part = url[start..end].to_ascii_lowercase().replace("%2e", ".");
    matches!(part.as_str(), "." | "..")
}

/// The pieces of what follows the host, and that text with values in it; or where a brace does not
/// belong to a placeholder, from 0.
fn pieces(rest: &str) -> Result<(Vec<Piece>, String), usize> {
    let mut pieces = Vec::new();
    let mut stand_in = String::new();
    if !rest.starts_with('/') {
        // A query right after the host, or nothing: the path is "/".
        pieces.push(Piece::Text("/".to_owned()));
    }
    let mut at = 0;
    while at < rest.len() {
        let text_end = rest[at..]
            .find(['{', '}'])
            .map_or(rest.len(), |length| at + length);
        if text_end > at {
            pieces.push(Piece::Text(rest[at..text_end].to_owned()));
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
        pieces.push(Piece::Parameter(name.to_owned()));
        stand_in.push('x');
        at = text_end + name.len() + 2;
    }
    Ok((pieces, stand_in))
}

fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The first thing that is no part of a URL or template.
fn leftover(text: &str) -> Option<TemplateProblem> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let place = at + 1;
        let syntax =
            |written: &'static str| Some(TemplateProblem::OtherSyntax { written, at: place });
        match rest {
            [b'{', b'{', ..] | [b'}', b'}', ..] => return syntax("{{x}}"),
            [b'[', b'=', ..] | [b'=', b']', ..] => return syntax("[=x=]"),
            [b'#', b'{', ..] => return syntax("#{x}"),
            [b'$', b'{', ..] => return syntax("${x}"),
            [b'#', ..] => return Some(TemplateProblem::Fragment { at: place }),
            [b'&', b'a' | b'A', b'm' | b'M', b'p' | b'P', b';', ..] => {
                return Some(TemplateProblem::Ampersand { at: place });
            }
            [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => at += 2,
            [b'%', ..] => {
                let name = &rest[1..];
                let length = name
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
                    .count();
                return match name.get(length) {
                    Some(b'%') if length > 0 => syntax("%x%"),
                    _ => Some(TemplateProblem::BadEscape { at: place }),
                };
            }
            _ if text[at..].starts_with('¤') => {
                return Some(TemplateProblem::Currency { at: place });
            }
            [byte, ..]
                if !byte.is_ascii_graphic()
                    || matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|') =>
            {
                return Some(TemplateProblem::BadCharacter {
                    character: text[at..].chars().next().unwrap_or_default(),
                    at: place,
                });
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use proptest::prelude::*;

    fn filled(template: &str, given: &[(&str, &str)]) -> Result<String, Unfilled> {
        Template::parse("template", template).unwrap().fill(given)
    }

    #[test]
    fn values_are_encoded_in_path_and_query() {
        let given = [("a", "x/y?z&ü %"), ("b", "")];
        for (template, url) in [
            (
                "https://t.example/{a}/p:{b}/?a={a}&b={b}",
                "https://t.example/x%2Fy%3Fz%26%C3%BC%20%25/p:/?a=x%2Fy%3Fz%26%C3%BC%20%25&b=",
            ),
            ("https://t.example?b={b}&c", "https://t.example/?b=&c"),
            ("https://t.example:8443", "https://t.example:8443/"),
            ("http://[::1]:80/{b}", "http://[::1]:80/"),
            ("https://t.example//x/", "https://t.example//x/"),
            (
                "https://t.example/%41?x=%C3%BC&y=a|".trim_end_matches('|'),
                "https://t.example/%41?x=%C3%BC&y=a",
            ),
        ] {
            assert_eq!(filled(template, &given).unwrap(), url);
        }
    }

    #[test]
    fn a_missing_name_lists_those_that_are_given() {
        let problem = filled(
            "https://t.example/?a={click}",
            &[("amount", "1"), ("clik", "x")],
        )
        .unwrap_err();
        assert_eq!(
            problem.one_line(),
            "parameter \"click\" is missing: Given are amount, clik."
        );
        assert_eq!(problem.hint().unwrap(), "Did you mean \"clik\"?");
        let problem = filled("https://t.example/?a={click}", &[]).unwrap_err();
        assert_eq!(
            problem.one_line(),
            "parameter \"click\" is missing: None are given."
        );
    }

    #[test]
    fn no_value_climbs_the_path() {
        for template in [
            "https://t.example/{a}/x",
            "https://t.example/{a}",
            "https://t.example/{a}?b",
        ] {
            assert!(matches!(
                filled(template, &[("a", "..")]),
                Err(Unfilled::DotSegment { .. })
            ));
        }
        for (template, value) in [
            ("https://t.example/.{a}/x", ""),
            ("https://t.example/{a}{a}/x", "."),
            ("https://t.example/%2E{a}/x", "."),
        ] {
            let problem = filled(template, &[("a", value)]).unwrap_err();
            assert_eq!(
                problem.one_line(),
                "parameter \"a\" cannot be in the path: With it, a part of the path is nothing but dots, a step elsewhere."
            );
        }
        for template in [
            "https://t.example/v{a}/x",
            "https://t.example/?{a}",
            "https://t.example/?a={a}",
        ] {
            assert!(filled(template, &[("a", "..")]).is_ok());
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (template, detail) in [
            (
                "https://{host}/x",
                "The brace at byte 9 is in the scheme or host, which cannot vary.",
            ),
            (
                "{scheme}://t.example/",
                "The brace at byte 1 is in the scheme or host, which cannot vary.",
            ),
            (
                "https://t.example:{port}/",
                "The brace at byte 19 is in the scheme or host, which cannot vary.",
            ),
            (
                "{url}",
                "The brace at byte 1 is in the scheme or host, which cannot vary.",
            ),
            (
                "https://t.example/?a={{x}}",
                "At byte 22 there is a placeholder of another syntax: {{x}}.",
            ),
            (
                "https://t.example/?a=[=x=]",
                "At byte 22 there is a placeholder of another syntax: [=x=].",
            ),
            (
                "https://t.example/?a=%x%",
                "At byte 22 there is a placeholder of another syntax: %x%.",
            ),
            (
                "https://t.example/?a=%click_id%&b",
                "At byte 22 there is a placeholder of another syntax: %x%.",
            ),
            (
                "https://t.example/?a=#{x}",
                "At byte 22 there is a placeholder of another syntax: #{x}.",
            ),
            (
                "https://t.example/?a=${x}",
                "At byte 22 there is a placeholder of another syntax: ${x}.",
            ),
            (
                "https://t.example/?a=%zz",
                "The \"%\" at byte 22 is not followed by two hexadecimal digits.",
            ),
            (
                "https://t.example/?a=1&amp;b=2",
                "The \"&amp;\" at byte 23 is HTML for \"&\".",
            ),
            (
                "https://t.example/?a=1¤cy=EUR",
                "The \"¤\" at byte 23 is what HTML makes of \"&curren\".",
            ),
            ("https://t.example/?a=1 2", "Byte 23 is a space."),
            (
                "https://t.example/?a=1#x",
                "The \"#\" at byte 23 starts a fragment, which is never sent.",
            ),
            (
                "https://t.example/?a=1|2",
                "\"|\" at byte 23 cannot be in a URL as it is.",
            ),
            (
                "https://t.example/ü",
                "\"ü\" at byte 19 cannot be in a URL as it is.",
            ),
            (
                "https://t.example/\n",
                "\"\\u{a}\" at byte 19 cannot be in a URL as it is.",
            ),
            (
                "https://t.example/{}",
                "The brace at byte 19 does not belong to a placeholder.",
            ),
            (
                "https://t.example/{a",
                "The brace at byte 19 does not belong to a placeholder.",
            ),
            (
                "https://t.example/a}",
                "The brace at byte 20 does not belong to a placeholder.",
            ),
            (
                "https://t.example/{a-b}",
                "The brace at byte 19 does not belong to a placeholder.",
            ),
            (
                "https://t.example/{1}",
                "The brace at byte 19 does not belong to a placeholder.",
            ),
            ("t.example/{a}", "It is not absolute."),
            (
                "ftp://t.example/{a}",
                "Its scheme is neither https nor http.",
            ),
            (
                "https://u:p@t.example/{a}",
                "It has user information before the host.",
            ),
            (
                "https://t.example:0/",
                "Its host, port or path is malformed.",
            ),
            ("", "It is not absolute."),
        ] {
            let problem = Template::parse("sale_url", template).unwrap_err();
            assert_eq!(problem.detail().unwrap(), detail, "{template}");
            assert!(!problem.to_string().contains("u:p"));
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_what_parses_fills(text in "(https://t.example/)?(\\{a\\}|%41|&|=|\\?|/|\\[|\\PC){0,12}", value in "[^\0]*") {
            if let Ok(template) = Template::parse("t", &text) {
                let given: Vec<_> = template.parameters().map(|name| (name, &value)).collect();
                if let Ok(url) = template.fill(&given) {
                    prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
                    prop_assert!(url.parse::<Uri>().is_ok());
                }
            }
        }

        #[test]
        fn the_receiver_reads_what_was_said(a in "[^\0]*", b in "[^\0]*") {
            let url = filled("https://t.example/?a={a}&b={b}", &[("a", &a), ("b", &b)]).unwrap();
            let read = |name| crate::url::query_parameter(&url, name).unwrap().unwrap();
            prop_assert_eq!(read("a"), a);
            prop_assert_eq!(read("b"), b);
        }
    }
}
