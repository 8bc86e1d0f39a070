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
    parameters: Vec<Parameter>,
    unread: Vec<Unread>,
}

/// A parameter and what it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    template: Template,
    /// The argument that sets it, as it is written.
    argument: String,
}

/// An argument by which no row can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unread {
    /// As it is written.
    argument: String,
    /// The parameter that it would set, if that is known.
    parameter: Option<String>,
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
    /// let columns: Vec<_> = mapping.columns().collect();
    /// assert_eq!(columns, [("id", "transaction_id=P-{id}")]);
    /// ```
    pub fn parse<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        names: Names,
    ) -> Result<Mapping, MappingError> {
        match Mapping::read(arguments, names) {
            (mapping, None) => Ok(mapping),
            (_, Some(problem)) => Err(problem),
        }
    }

    /// Parses arguments as far as they can be, and says what is wrong with the first that cannot.
    pub fn read<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        names: Names,
    ) -> (Mapping, Option<MappingError>) {
        let mut mapping = Mapping::default();
        let mut problem = None;
        for argument in arguments {
            if let Err(found) = mapping.add(argument, names) {
                problem.get_or_insert(found);
            }
        }
        let mut required = names.required.iter();
        let missing = required.find(|name| !mapping.says(name));
        let problem =
            problem.or_else(|| missing.map(|parameter| MappingError::Missing { parameter }));
        (mapping, problem)
    }

    fn add(&mut self, argument: &str, names: Names) -> Result<(), MappingError> {
        let named = argument
            .split_once('=')
            .filter(|(name, _)| !name.is_empty());
        let Some((name, text)) = named else {
            self.leave_out(argument, None);
            return Err(MappingError::NoEquals {
                argument: argument.to_owned(),
            });
        };
        let set = match name == DESCRIPTION.0 && names.allow(DESCRIPTION.1[0]) {
            true => &DESCRIPTION.1[..],
            false => &[name],
        };
        for name in set {
            self.set(argument, name, text)
                .inspect_err(|_| self.leave_out(argument, Some(name)))?;
        }
        match set.iter().all(|name| names.allow(name)) {
            true => Ok(()),
            false => Err(MappingError::UnknownParameter {
                parameter: name.to_owned(),
                known: names.known,
            }),
        }
    }

    fn set(&mut self, argument: &str, name: &str, text: &str) -> Result<(), MappingError> {
        let template = Template::parse(argument, text)?;
        if self.sets(name) {
            return Err(MappingError::Twice {
                argument: argument.to_owned(),
            });
        }
        let is_constant = template.columns().next().is_none();
        if matches!(name, "transaction_id" | "merchant_reference_id")
            && is_constant
            && !template.is_empty()
        {
            return Err(MappingError::ConstantTransactionId {
                argument: argument.to_owned(),
            });
        }
        self.parameters.push(Parameter {
            name: name.to_owned(),
            template,
            argument: argument.to_owned(),
        });
        Ok(())
    }

    fn leave_out(&mut self, argument: &str, parameter: Option<&str>) {
        self.unread.push(Unread {
            argument: argument.to_owned(),
            parameter: parameter.map(str::to_owned),
        });
    }

    /// Leaves out the arguments with columns that cannot be read. What else a row says is known.
    pub fn leave_out_unless(&mut self, is_readable: impl Fn(&str) -> bool) {
        let (read, unread): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parameters)
            .into_iter()
            .partition(|parameter| parameter.template.columns().all(&is_readable));
        self.parameters = read;
        for Parameter { name, argument, .. } in unread {
            self.leave_out(&argument, Some(&name));
        }
    }

    /// Leaves out the click id: nothing says where it comes from.
    pub fn leave_out_click_id(&mut self) {
        self.leave_out("click_id", Some("click_id"));
    }

    /// The arguments that are left out, as they are written; `""` if there are none.
    pub fn unread(&self) -> String {
        let mut arguments: Vec<&str> = self.unread.iter().map(|it| it.argument.as_str()).collect();
        // One argument sets both descriptions.
        arguments.dedup();
        arguments.join(", ")
    }

    /// Whether what is left out could say who is credited, or which transaction is meant.
    pub fn hides_customer(&self, action: Action) -> bool {
        let names = match action {
            Action::Lead | Action::Sale => &["click_id", "voucher_code"][..],
            Action::Edit => &IDENTIFICATIONS,
        };
        self.unread.iter().any(|unread| match &unread.parameter {
            Some(parameter) => names.contains(&parameter.as_str()),
            None => true,
        })
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

    /// Refuses a lead or sale that credits nobody in any row.
    pub fn check_credit(&self) -> Result<(), MappingError> {
        match self.says("click_id") || self.says("voucher_code") {
            true => Ok(()),
            false => Err(MappingError::Missing {
                parameter: "click_id",
            }),
        }
    }

    /// Refuses an edit that has no or two identifications in every row, or no change in any.
    pub fn check_edit(&self) -> Result<(), MappingError> {
        let mut identifications = IDENTIFICATIONS.into_iter().filter(|name| self.says(name));
        match (identifications.next(), identifications.next()) {
            (Some(_), None) => {}
            (Some(one), Some(other)) => return Err(MappingError::Exclude { one, other }),
            (None, _) => {
                return Err(MappingError::Missing {
                    parameter: IDENTIFICATIONS[0],
                });
            }
        }
        match CHANGES.iter().any(|name| self.says(name)) {
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
        if !self.sets("click_id") {
            self.parameters.push(Parameter {
                name: "click_id".to_owned(),
                template: Template(vec![Piece::Column(column.to_owned())]),
                argument: format!("click_id={{{column}}}"),
            });
        }
    }

    /// Whether an argument sets `parameter`, be it to nothing, or could not be read.
    pub fn sets(&self, parameter: &str) -> bool {
        let is_read = self.parameters.iter().any(|read| read.name == parameter);
        let mut unread = self.unread.iter().map(|unread| unread.parameter.as_deref());
        is_read || unread.any(|name| name == Some(parameter))
    }

    /// Whether rows can have `parameter`: an argument sets it to something.
    pub fn says(&self, parameter: &str) -> bool {
        self.parameters
            .iter()
            .any(|read| read.name == parameter && !read.template.is_empty())
    }

    /// Each parameter with its template.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Template)> {
        self.parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), &parameter.template))
    }

    /// The columns that the mapping reads, in order, each as often as it is read, with the argument
    /// that names it.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().flat_map(|parameter| {
            let columns = parameter.template.columns();
            columns.map(|column| (column, parameter.argument.as_str()))
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

    fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(column) => Some(column.as_str()),
            Piece::Text(_) => None,
        })
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    fn what_cannot_be_read_is_left_out_and_remembered() {
        let arguments = [
            "transaction_id={shop}-{id}",
            "amount={total",
            "description={note}",
            "tier=gold",
            "click_id={c}",
        ];
        let (mut mapping, problem) = Mapping::read(arguments, NAMES);
        assert!(matches!(problem, Some(MappingError::BadBrace { .. })));
        mapping.leave_out_unless(|column| ["id", "c"].contains(&column));
        // A parameter that the network does not have is known all the same.
        let read: Vec<_> = mapping.parameters().map(|(name, _)| name).collect();
        assert_eq!(read, ["tier", "click_id"]);
        assert_eq!(
            mapping.unread(),
            "amount={total, transaction_id={shop}-{id}, description={note}"
        );
        assert!(mapping.sets("amount") && !mapping.says("amount"));
        assert!(!mapping.hides_customer(Action::Sale) && mapping.hides_customer(Action::Edit));
        for argument in ["voucher_code={gone}", "click_id={gone}", "{id}"] {
            let (mut mapping, _) = Mapping::read([argument], Names::ANY);
            mapping.leave_out_unless(|_| false);
            assert!(mapping.hides_customer(Action::Lead), "{argument}");
        }
    }

    #[test]
    fn an_empty_text_says_nothing() {
        let mapping = Mapping::parse(["transaction_id={id}", "click_id="], Names::ANY).unwrap();
        assert!(!mapping.needs_click_id(Action::Lead));
        assert_eq!(
            mapping.check_credit(),
            Err(MappingError::Missing {
                parameter: "click_id"
            })
        );
        assert_eq!(
            parse(&["transaction_id="]),
            Err(MappingError::Missing {
                parameter: "transaction_id"
            })
        );
        assert!(matches!(
            parse(&["transaction_id={id}", "={id}"]),
            Err(MappingError::NoEquals { .. })
        ));
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
                for (column, _) in mapping.columns() {
                    let is_name = !column.is_empty() && !column.contains(['{', '}']);
                    prop_assert!(is_name);
                }
            }
        }
    }
}
