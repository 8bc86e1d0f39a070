//! What is wrong with something a user wrote, in the parts that PostgreSQL reports have.
//!
//! Every pure module returns this one value, built where the problem is found. The message is in
//! the server's manner: lower case, no full stop. `pg/error.rs` makes the report, the queue's
//! `last_error` keeps [`Problem::one_line`].

use std::fmt;

/// Which SQLSTATE a problem has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 22P02 `invalid_text_representation`: text that is not a value of its type.
    InvalidText,
    /// 22023 `invalid_parameter_value`: an argument, option or column value we cannot use.
    InvalidParameter,
    /// HV00D `fdw_invalid_option_name`: a server has no such option.
    InvalidOptionName,
    /// 42703 `undefined_column`: a mapping names a column that the table does not have.
    UndefinedColumn,
    /// 42804 `datatype_mismatch`: a value of a type that we cannot use.
    DatatypeMismatch,
    /// 42704 `undefined_object`: no such server.
    UndefinedObject,
    /// 42501 `insufficient_privilege`: not for this role.
    InsufficientPrivilege,
    /// 54000 `program_limit_exceeded`: more than we make at once.
    LimitExceeded,
    /// 42P17 `invalid_object_definition`: a trigger that could never work.
    InvalidDefinition,
}

/// Something a user can put right. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The SQLSTATE's class.
    pub class: Class,
    /// What is wrong, on one line, without the value that is.
    pub message: String,
    /// The value that is wrong, quoted. With it, the message and the detail are for those who may
    /// read it.
    pub value: Option<String>,
    /// A sentence on what exactly is wrong, and where.
    pub detail: Option<String>,
    /// A sentence on what to do.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without DETAIL and HINT.
    pub fn new(class: Class, message: impl Into<String>) -> Problem {
        Problem {
            class,
            message: message.into(),
            value: None,
            detail: None,
            hint: None,
        }
    }

    /// A parameter, option or argument that cannot be `text`: `invalid amount: "x"`.
    pub fn invalid(what: &str, text: &str) -> Problem {
        Problem::new(Class::InvalidParameter, format!("invalid {what}")).value(text)
    }

    /// The same of a value, which the message quotes at its end.
    pub fn value(self, text: &str) -> Problem {
        let value = Some(Quoted(text).to_string());
        Problem { value, ..self }
    }

    /// The same, in something that has a name: `trigger "x" on table "y": unknown parameter …`.
    pub fn within(self, name: impl fmt::Display) -> Problem {
        let message = format!("{name}: {}", self.message);
        Problem { message, ..self }
    }

    /// The same without the value that is wrong, and without the detail, which may describe it.
    pub fn without_value(self) -> Problem {
        match self.value {
            None => self,
            Some(_) => Problem {
                value: None,
                detail: None,
                ..self
            },
        }
    }

    /// Sets the DETAIL.
    pub fn detail(self, detail: impl Into<String>) -> Problem {
        let detail = Some(detail.into());
        Problem { detail, ..self }
    }

    /// Sets the HINT.
    pub fn hint(self, hint: impl Into<String>) -> Problem {
        let hint = Some(hint.into());
        Problem { hint, ..self }
    }

    /// Message and detail in one line, for `last_error` and the log.
    pub fn one_line(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{self}: {detail}"),
            None => self.to_string(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.value {
            Some(value) => write!(f, ": {value}"),
            None => Ok(()),
        }
    }
}

/// Characters that show nothing and come along when text is copied from a page: the soft hyphen,
/// zero-width characters, direction marks, and the byte-order mark.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// A value as an error message quotes it, cut after 100 characters. Control characters, white space
/// and invisible characters are escaped.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        let mut characters = self.0.chars();
        for c in characters.by_ref().take(100) {
            if c != ' ' && (c.is_control() || c.is_whitespace() || is_invisible(c)) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                f.write_char(c)?;
            }
        }
        if characters.next().is_some() {
            f.write_char('…')?;
        }
        f.write_char('"')
    }
}

/// The candidate that is most like `name` in any case, if one is close enough for a typing mistake.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (name.chars().count() / 3).max(1);
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::osa_distance(&name, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The HINT after an unknown name: the nearest of those that exist, or all of them.
pub fn did_you_mean<'a>(
    what: &str,
    name: &str,
    candidates: impl Iterator<Item = &'a str> + Clone,
) -> String {
    match nearest(name, candidates.clone()) {
        Some(candidate) => format!("Did you mean \"{candidate}\"?"),
        None => format!("Valid {what} are {}.", list(candidates)),
    }
}

/// `a, b, c` for a HINT.
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// `a, b or c` for a message.
pub fn one_of(names: &[&str]) -> String {
    joined(names, "or")
}

/// `a, b and c` for a message.
pub fn all_of(names: &[&str]) -> String {
    joined(names, "and")
}

fn joined(names: &[&str], word: &str) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [start @ .., last] => format!("{} {word} {last}", list(start.iter().copied())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_without_its_value_still_says_of_what() {
        let problem = Problem::invalid("amount", "-1")
            .detail("It is negative.")
            .within("trigger");
        assert_eq!(
            problem.one_line(),
            "trigger: invalid amount: \"-1\": It is negative."
        );
        assert_eq!(
            problem.without_value().one_line(),
            "trigger: invalid amount"
        );
    }

    #[test]
    fn long_and_unprintable_values_are_quoted_short() {
        assert_eq!(Quoted("a\nb").to_string(), "\"a\\u{a}b\"");
        assert_eq!(Quoted(&"x".repeat(500)).to_string().chars().count(), 103);
    }

    #[test]
    fn nearest_names_a_slip_and_nothing_far() {
        let names = ["total", "currency", "id"];
        assert_eq!(nearest("totl", names), Some("total"));
        assert_eq!(nearest("currnecy", names), Some("currency"));
        assert_eq!(nearest("voucher", names), None);
        assert_eq!(nearest("ID", names), Some("id"));
        assert_eq!(nearest("tt_nl", ["games", "TT_NL"]), Some("TT_NL"));
    }
}
