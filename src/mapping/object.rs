//! Parameters as a JSON object: what a user's own trigger makes of a row.
//!
//! The names are those of trigger arguments. Nothing that a row holds is refused: what cannot be read
//! is a problem beside the parameters, and named in them as [`UNREAD`].

use serde_json::Value;

use super::{ParameterNames, unknown_parameter};
use crate::callback::edit::is_unidentified;
use crate::callback::{Action, Parameters, UNREAD, is_organic};
use crate::problem::{Class, Problem, Quoted};

/// An object, read.
#[derive(Debug)]
pub struct RowObject {
    /// What could be read.
    pub parameters: Parameters<'static>,
    /// Why it could not be read as a whole.
    pub problem: Option<Problem>,
    /// Whether it is an organic customer, or an edit by a click id that the row has not.
    pub is_unattributed: bool,
}

impl RowObject {
    /// Reads the text of an object. The value null is empty.
    ///
    /// ```
    /// use pgrx_ext::{callback::Action, mapping::{ParameterNames, object::RowObject}};
    /// let text = r#"{"transaction_id": 987, "click_id": "c", "amount": 49.90}"#;
    /// let row = RowObject::read(text, Action::Sale, ParameterNames::ANY);
    /// assert_eq!(row.parameters.get("amount"), "49.90");
    /// assert_eq!(row.problem, None);
    /// ```
    pub fn read(text: &str, action: Action, names: ParameterNames) -> RowObject {
        let mut parameters = Parameters::new();
        let Ok(Value::Object(object)) = serde_json::from_str(text) else {
            let message = "parameters is not a JSON object that can be read";
            parameters.set(UNREAD, text.to_owned());
            return RowObject {
                parameters,
                problem: Some(Problem::new(Class::InvalidParameter, message)),
                is_unattributed: false,
            };
        };
        let mut problem = None;
        let mut unread = Vec::new();
        for (name, value) in &object {
            let (text, found) = match value {
                Value::Null => (String::new(), None),
                Value::String(text) => (text.clone(), None),
                Value::Number(_) | Value::Bool(_) => (value.to_string(), None),
                Value::Array(_) | Value::Object(_) => (value.to_string(), Some(not_a_text(name))),
            };
            for parameter in names.set_by(name) {
                if parameter == name || !object.contains_key(parameter) {
                    parameters.set(parameter.to_owned(), text.clone());
                }
                let unknown = || unknown_parameter(name, names);
                let found = found
                    .clone()
                    .or_else(|| (!names.allow(parameter)).then(unknown));
                if let Some(found) = found {
                    problem.get_or_insert(found);
                    unread.push(name.as_str());
                }
            }
        }
        if !unread.is_empty() {
            unread.dedup();
            parameters.set(UNREAD, unread.join(", "));
        }
        let is_nobodys = match action {
            Action::Lead | Action::Sale => is_organic(&parameters),
            Action::Edit => object.contains_key("click_id") && is_unidentified(&parameters),
        };
        RowObject {
            is_unattributed: is_nobodys && problem.is_none(),
            parameters,
            problem,
        }
    }
}

fn not_a_text(name: &str) -> Problem {
    let message = format!("parameter {} is not a text", Quoted(name));
    Problem::new(Class::InvalidParameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: ParameterNames = ParameterNames {
        known: &[
            "transaction_id",
            "click_id",
            "voucher_code",
            "description_merchant",
            "description_affiliate",
        ],
        required: &["transaction_id"],
        open: false,
    };

    /// The parameters as text, and the problem.
    fn read(text: &str) -> (String, String) {
        let row = RowObject::read(text, Action::Sale, NAMES);
        let pairs = row.parameters.iter();
        let pairs: Vec<_> = pairs.map(|(name, text)| format!("{name}={text}")).collect();
        let problem = row.problem.map_or(String::new(), |problem| problem.message);
        (pairs.join(" "), problem)
    }

    #[test]
    fn objects_have_the_parameters_of_trigger_arguments() {
        for (text, parameters, problem) in [
            (
                r#"{"transaction_id": 12345678901234567890.50, "click_id": null}"#,
                "transaction_id=12345678901234567890.50",
                "",
            ),
            (
                r#"{"description": "d", "description_merchant": "m"}"#,
                "description_affiliate=d description_merchant=m",
                "",
            ),
            (
                r#"{"click_id": "c", "vouchr_code": "V"}"#,
                "click_id=c vouchr_code=V {unread}=vouchr_code",
                r#"unknown parameter: "vouchr_code""#,
            ),
            (
                r#"{"click_id": {"a": [1]}}"#,
                r#"click_id={"a":[1]} {unread}=click_id"#,
                r#"parameter "click_id" is not a text"#,
            ),
            (
                "null",
                "{unread}=null",
                "parameters is not a JSON object that can be read",
            ),
            (
                "[1]",
                "{unread}=[1]",
                "parameters is not a JSON object that can be read",
            ),
        ] {
            let expected = (parameters.to_owned(), problem.to_owned());
            assert_eq!(read(text), expected, "{text}");
        }
        let deep = format!("{{\"click_id\": {}{}}}", "[".repeat(1000), "]".repeat(1000));
        assert!(read(&deep).1.ends_with("can be read"));
    }

    #[test]
    fn a_row_is_unattributed_only_if_all_of_it_was_read() {
        let is_unattributed = |text, action| RowObject::read(text, action, NAMES).is_unattributed;
        for (text, action, expected) in [
            (r#"{"transaction_id": 1}"#, Action::Lead, true),
            (r#"{"voucher_code": "V"}"#, Action::Sale, false),
            (r#"{"vouchr_code": "V"}"#, Action::Sale, false),
            (r#"{"click_id": null}"#, Action::Edit, true),
            (r#"{"transaction_id": null}"#, Action::Edit, false),
            ("null", Action::Sale, false),
        ] {
            assert_eq!(is_unattributed(text, action), expected, "{text}");
        }
    }
}
