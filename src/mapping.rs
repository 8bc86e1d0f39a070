//! What a trigger's arguments say: `parameter=text {column}`.
//!
//! ```text
//! argument  = parameter "=" *( text | "{" column "}" | "{{" | "}}" )
//! parameter = a name that the server's network knows
//! ```
//! `{column}` stands for the column's value as text, NULL for nothing, `{{` and `}}` for braces.
//! `description` sets `description_merchant` and `description_affiliate`.

use crate::callback::edit::{CHANGES, IDENTIFICATIONS};
use crate::callback::{Action, Invalid};

mod error;

pub use error::MappingError;

/// Trigger arguments after the server's name, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    parameters: Vec<(String, Template)>,
}

/// A text with placeholders for columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Stands for itself.
    Text(String),
    /// Stands for the value of a column.
    Column(String),
}

/// Which parameter names a mapping may and must have.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Every name that means something.
    pub known: &'static [&'static str],
    /// Those without which no row could be sent.
    pub required: &'static [&'static str],
    /// Any further name is allowed too.
    pub open: bool,
}

impl Names {
    /// Any name: of a mapping whose server is not known.
    pub const ANY: Names = Names {
        known: &[],
        required: &[],
        open: true,
    };

    fn allow(&self, name: &str) -> bool {
        self.open || self.known.contains(&name)
    }
}

/// The parameter that sets both descriptions.
const DESCRIPTION: (&str, [&str; 2]) = (
    "description",
    ["description_merchant", "description_affiliate"],
);

impl Mapping {
    /// Parses arguments and checks their parameters' names.
    ///
    /// ```
    /// use pgrx_ext::mapping::{Mapping, Names};
    /// let names = Names { known: &["transaction_id"], required: &["transaction_id"], open: false };
    /// let mapping = Mapping::parse(["transaction_id=P-{id}"], names).unwrap();
    /// assert_eq!(mapping.columns().collect::<Vec<_>>(), ["id"]);
    /// ```
    pub fn parse<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        names: Names,
    ) -> Result<Mapping, MappingError> {
        let mut mapping = Mapping {
            parameters: Vec::new(),
        };
        for argument in arguments {
            mapping.read(argument, names)?;
        }
        match names
            .required
            .iter()
            .find(|name| mapping.template(name).is_none())
        {
            Some(name) => Err(MappingError::Missing { parameter: name }),
            None => Ok(mapping),
        }
    }

    fn read(&mut self, argument: &str, names: Names) -> Result<(), MappingError> {
        let Some((name, text)) = argument.split_once('=') else {
            return Err(MappingError::NoEquals {
                argument: argument.to_owned(),
            });
        };
        let template = Template::parse(argument, text)?;
        if name == DESCRIPTION.0 && names.allow(DESCRIPTION.1[0]) {
            for name in DESCRIPTION.1 {
                self.add(argument, name, template.clone())?;
            }
            return Ok(());
        }
        if !names.allow(name) {
            return Err(MappingError::UnknownParameter {
                parameter: name.to_owned(),
                known: names.known,
            });
        }
        self.add(argument, name, template)
    }

    fn add(&mut self, argument: &str, name: &str, template: Template) -> Result<(), MappingError> {
        if self.template(name).is_some() {
            return Err(MappingError::Twice {
                argument: argument.to_owned(),
            });
        }
        if matches!(name, "transaction_id" | "merchant_reference_id") && template.is_constant() {
            return Err(MappingError::ConstantTransactionId {
                argument: argument.to_owned(),
            });
        }
        self.parameters.push((name.to_owned(), template));
        Ok(())
    }

    /// Whether the click id comes from the table's column of that type: no argument says where it
    /// comes from, nor, for an edit, identifies the transaction in another way.
    pub fn needs_click_id(&self, action: Action) -> bool {
        match action {
            Action::Lead | Action::Sale => !self.sets("click_id"),
            Action::Edit => !IDENTIFICATIONS.iter().any(|name| self.sets(name)),
        }
    }

    /// Whether a row without a click id has nobody to credit, so that nothing is queued: always,
    /// but for an edit that goes by another identification.
    pub fn goes_by_click(&self, action: Action) -> bool {
        match action {
            Action::Lead | Action::Sale => true,
            Action::Edit => self.needs_click_id(action) || self.sets("click_id"),
        }
    }

    /// Refuses an edit that has two identifications in every row, or no change in any.
    pub fn check_edit(&self) -> Result<(), MappingError> {
        let mut identifications = IDENTIFICATIONS.into_iter().filter(|name| self.sets(name));
        if let (Some(one), Some(other)) = (identifications.next(), identifications.next()) {
            return Err(MappingError::Exclude { one, other });
        }
        match CHANGES.iter().any(|name| self.sets(name)) {
            true => Ok(()),
            false => Err(MappingError::NoChange),
        }
    }

    /// Refuses a value that is the same for every row and valid for none, as `check` says.
    pub fn check_constants(
        &self,
        check: impl Fn(&str, &str) -> Result<(), Invalid>,
    ) -> Result<(), MappingError> {
        for (name, template) in self.parameters() {
            if let [Piece::Text(text)] = template.pieces() {
                check(name, text).map_err(MappingError::Constant)?;
            }
        }
        Ok(())
    }

    /// Takes the click id from `column`, unless an argument says where it comes from.
    pub fn default_click_id(&mut self, column: &str) {
        if self.template("click_id").is_none() {
            let template = Template(vec![Piece::Column(column.to_owned())]);
            self.parameters.push(("click_id".to_owned(), template));
        }
    }

    /// Whether an argument sets `parameter`.
    pub fn sets(&self, parameter: &str) -> bool {
        self.template(parameter).is_some()
    }

    fn template(&self, parameter: &str) -> Option<&Template> {
        self.parameters
            .iter()
            .find(|(name, _)| name == parameter)
            .map(|(_, template)| template)
    }

    /// Each parameter with its template.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.parameters
            .iter()
            .map(|(name, template)| (name.as_str(), template))
    }

    /// The columns that the mapping reads, in order, each as often as it is read.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parameters
            .iter()
            .flat_map(|(_, template)| &template.0)
            .filter_map(|piece| match piece {
                Piece::Column(column) => Some(column.as_str()),
                Piece::Text(_) => None,
            })
    }
}

impl Template {
    fn parse(argument: &str, text: &str) -> Result<Template, MappingError> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from_brace.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from_brace.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else {
                let (column, after) = from_brace
                    .strip_prefix('{')
                    .and_then(|inner| inner.split_once('}'))
                    .filter(|(column, _)| !column.is_empty() && !column.contains('{'))
                    .ok_or_else(|| MappingError::BadBrace {
                        argument: argument.to_owned(),
                        at: argument.len() - from_brace.len() + 1,
                    })?;
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Column(column.to_owned()));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Template(pieces))
    }

    /// The parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    fn is_constant(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;
    use proptest::prelude::*;

    const NAMES: Names = Names {
        known: &[
            "transaction_id",
            "click_id",
            "description_merchant",
            "description_affiliate",
            "amount",
        ],
        required: &["transaction_id"],
        open: false,
    };

    fn parse(arguments: &[&str]) -> Result<Mapping, MappingError> {
        Mapping::parse(arguments.iter().copied(), NAMES)
    }

    #[test]
    fn templates_mix_text_columns_and_braces() {
        let mapping = parse(&["transaction_id=P-{{{id}}}/{total amount}="]).unwrap();
        let (_, template) = mapping.parameters().next().unwrap();
        assert_eq!(
            template.pieces(),
            [
                Piece::Text("P-{".into()),
                Piece::Column("id".into()),
                Piece::Text("}/".into()),
                Piece::Column("total amount".into()),
                Piece::Text("=".into()),
            ]
        );
    }

    #[test]
    fn an_edit_without_identification_goes_by_the_click() {
        for (argument, needs, goes) in [
            ("approved=no", true, true),
            ("click_id={c}", false, true),
            ("transaction_id={id}", false, false),
            ("merchant_reference_id={id}", false, false),
        ] {
            let mapping = Mapping::parse([argument], Names::ANY).unwrap();
            assert_eq!(mapping.needs_click_id(Action::Edit), needs, "{argument}");
            assert_eq!(mapping.goes_by_click(Action::Edit), goes, "{argument}");
        }
        let mapping = parse(&["transaction_id={id}"]).unwrap();
        assert!(mapping.needs_click_id(Action::Sale) && mapping.goes_by_click(Action::Sale));
    }

    #[test]
    fn description_sets_both() {
        let mapping = parse(&["transaction_id={id}", "description=new player"]).unwrap();
        assert!(mapping.sets("description_merchant") && mapping.sets("description_affiliate"));
        assert!(matches!(
            parse(&[
                "transaction_id={id}",
                "description=a",
                "description_merchant=b"
            ]),
            Err(MappingError::Twice { .. })
        ));
    }

    #[test]
    fn mistakes_are_named() {
        for (arguments, message, hint) in [
            (
                &["transaction_id"][..],
                "invalid trigger argument: \"transaction_id\"",
                "Write for example transaction_id={id}, where id is a column.",
            ),
            (
                &["transaction_id={id"],
                "invalid trigger argument: \"transaction_id={id\"",
                "Write {column} for a column's value, {{ or }} for a brace.",
            ),
            (
                &["transaction_id=id}"],
                "invalid trigger argument: \"transaction_id=id}\"",
                "Write {column} for a column's value, {{ or }} for a brace.",
            ),
            (
                &["transaction_id={}"],
                "invalid trigger argument: \"transaction_id={}\"",
                "Write {column} for a column's value, {{ or }} for a brace.",
            ),
            (
                &["transaction_id=ORDER_ID"],
                "invalid trigger argument: \"transaction_id=ORDER_ID\"",
                "Write for example transaction_id={id}, where id is a column.",
            ),
            (
                &["transaktion_id={id}"],
                "unknown parameter: \"transaktion_id\"",
                "Did you mean \"transaction_id\"?",
            ),
            (
                &["voucher={id}"],
                "unknown parameter: \"voucher\"",
                "Valid parameters are transaction_id, click_id, description_merchant, description_affiliate, amount.",
            ),
            (
                &["amount={total}"],
                "parameter transaction_id is required",
                "Add an argument such as transaction_id={column}.",
            ),
        ] {
            let error = parse(arguments).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().as_deref(), Some(hint));
        }
    }

    proptest! {
        #[test]
        fn any_argument_parses_or_is_refused(text in "[{}a=]{0,20}|\\PC{0,30}") {
            if let Ok(mapping) = parse(&["transaction_id={id}", &format!("amount={text}")]) {
                for column in mapping.columns() {
                    let is_name = !column.is_empty() && !column.contains(['{', '}']);
                    prop_assert!(is_name);
                }
            }
        }
    }
}
