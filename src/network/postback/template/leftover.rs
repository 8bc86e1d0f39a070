//! What cannot be in a template: placeholders of other syntaxes, and characters that no URL has.

use crate::problem::Quoted;
use crate::url::encode;

/// Something that cannot be in a template.
pub(super) struct Leftover {
    pub(super) detail: String,
    pub(super) hint: String,
}

impl Leftover {
    fn with_hint(detail: String, hint: impl Into<String>) -> Option<Leftover> {
        let hint = hint.into();
        Some(Leftover { detail, hint })
    }
}

/// Whether a name and then `end` come first.
fn is_enclosed_name(text: &[u8], end: u8) -> bool {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
    let length = text.iter().take_while(is_name).count();
    length > 0 && text.get(length) == Some(&end)
}

pub(super) const PLACEHOLDER: &str =
    "Write {parameter} for a parameter's value, such as {click_id}.";

/// The first thing that cannot be in a template.
pub(super) fn leftover(text: &str) -> Option<Leftover> {
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
            [b'#', rest @ ..] if is_enclosed_name(rest, b'#') => return other_syntax("#x#"),
            [b'<', rest @ ..] if is_enclosed_name(rest, b'>') => return other_syntax("<x>"),
            [b'|', rest @ ..] if is_enclosed_name(rest, b'|') => return other_syntax("|x|"),
            [b'#', ..] => {
                let detail =
                    format!("The \"#\" at byte {at} starts a fragment, which is never sent.");
                return Leftover::with_hint(detail, "Leave it out, or write \"%23\".");
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
                    _ => Leftover::with_hint(
                        format!(
                            "The \"%\" at byte {at} is not followed by two hexadecimal digits."
                        ),
                        "Write \"%25\" for a percent sign.",
                    ),
                };
            }
            _ if text[index..].starts_with('¤') => {
                let detail = format!("The \"¤\" at byte {at} is what HTML makes of \"&curren\".");
                return Leftover::with_hint(detail, "Write \"&currency\" or what else it was.");
            }
            _ if text[index..].starts_with('…') => {
                let detail =
                    format!("The \"…\" at byte {at} stands for what was left out of the URL.");
                return Leftover::with_hint(detail, "Give the whole URL.");
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
                let hint = match character.chars().all(char::is_control) {
                    true => "Leave it out.".to_owned(),
                    false => format!("Write \"{}\".", encode(&character)),
                };
                return Leftover::with_hint(detail, hint);
            }
            _ => {}
        }
        index += 1;
    }
    None
}
