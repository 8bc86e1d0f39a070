//! A trigger's arguments: `parameter=text {column}`.
//!
//! ```text
//! argument  = parameter "=" *( text | "{" column "}" | "{{" | "}}" )
//! parameter = a name that the server's network knows
//! column    = a name without braces | any name between quotes, those in it doubled
//! ```
//! `{column}` stands for the column's value as text, the empty text for NULL; `{{` and `}}` stand
//! for braces. A column whose name has braces is quoted as in SQL: `{"a{b}"}`.
//! `description` sets `description_merchant` and `description_affiliate`. `organic=true` is no parameter:
//! it says that an edit is for rows without a click id, too.

use crate::callback::Action;
use crate::callback::edit::{CHANGES, IDENTIFICATIONS, boolean};
use crate::problem::{Class, Problem, Quoted, did_you_mean, one_of};

pub mod object;
pub mod server_argument;
mod value;

pub use value::{Piece, Value};

/// Trigger arguments after the server's name, parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    parameters: Vec<Parameter>,
    unread: Vec<Unread>,
    /// The column that a row needs a click id in, to be reported by another identification.
    condition: Option<String>,
}

/// A parameter, and what its value is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter {
    name: String,
    value: Value,
    /// The argument that sets it, as it is written.
    argument: String,
}

/// An argument that is left out: no row can be read by it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unread {
    /// As it is written.
    argument: String,
    /// The parameter that it would set, if that is known.
    parameter: Option<String>,
}

/// What a column's values are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Click ids.
    ClickId,
    /// Amounts.
    Amount,
}

/// The names of the parameters that an action of a network has.
#[derive(Clone, Copy, Debug)]
pub struct ParameterNames {
    /// Every name that means something.
    pub known: &'static [&'static str],
    /// Those without which no row could be sent.
    pub required: &'static [&'static str],
    /// Any further name is allowed too.
    pub open: bool,
}

impl ParameterNames {
    /// Any name, for a mapping whose server is not known.
    pub const ANY: ParameterNames = ParameterNames {
        known: &[],
        required: &[],
        open: true,
    };

    /// The parameters that an argument of a name sets.
    fn set_by<'a>(&self, name: &'a str) -> Vec<&'a str> {
        match name == DESCRIPTION.0 && self.allow(DESCRIPTION.1[0]) {
            true => DESCRIPTION.1.to_vec(),
            false => vec![name],
        }
    }

    fn allow(&self, name: &str) -> bool {
        self.open || self.known.contains(&name)
    }
}

/// The argument that says whether an edit is for organic customers, too.
pub const ORGANIC: &str = "organic";

/// The parameter that sets both descriptions.
const DESCRIPTION: (&str, [&str; 2]) = (
    "description",
    ["description_merchant", "description_affiliate"],
);

impl Mapping {
    /// Parses arguments and checks their parameters' names.
    ///
    /// ```
    /// use pgrx_ext::mapping::{Mapping, ParameterNames};
    /// let names = ParameterNames { known: &["transaction_id"], required: &["transaction_id"], open: false };
    /// let mapping = Mapping::parse(["transaction_id=P-{id}"], names).unwrap();
    /// let columns: Vec<_> = mapping.columns().collect();
    /// assert_eq!(columns, [("id", "transaction_id=P-{id}")]);
    /// ```
    pub fn parse<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        names: ParameterNames,
    ) -> Result<Mapping, Problem> {
        match Mapping::read(arguments, names) {
            (mapping, None) => Ok(mapping),
            (_, Some(problem)) => Err(problem),
        }
    }

    /// Parses the arguments that can be parsed; the problem is that of the first that cannot.
    pub fn read<'a>(
        arguments: impl IntoIterator<Item = &'a str>,
        names: ParameterNames,
    ) -> (Mapping, Option<Problem>) {
        let mut mapping = Mapping::default();
        let mut problem = None;
        for argument in arguments {
            if let Err(found) = mapping.add(argument, names) {
                problem.get_or_insert(found);
            }
        }
        let mut required = names.required.iter();
        let missing = required.find(|name| !mapping.provides(name));
        let problem = problem.or_else(|| missing.map(|name| missing_argument(name)));
        (mapping, problem)
    }

    fn add(&mut self, argument: &str, names: ParameterNames) -> Result<(), Problem> {
        let named = argument
            .split_once('=')
            .filter(|(name, _)| !name.is_empty());
        let Some((name, text)) = named else {
            self.leave_out(argument, None);
            return Err(Problem::invalid("trigger argument", argument)
                .detail("An argument after the server's name has the form parameter=text.")
                .hint(EXAMPLE));
        };
        for name in names.set_by(name) {
            self.set(argument, name, text)
                .inspect_err(|_| self.leave_out(argument, Some(name)))?;
            if !names.allow(name) {
                return Err(unknown_parameter(name, names));
            }
        }
        Ok(())
    }

    fn set(&mut self, argument: &str, name: &str, text: &str) -> Result<(), Problem> {
        let value = Value::parse(argument, text)?;
        if self.mentions(name) {
            return Err(Problem::invalid("trigger argument", argument)
                .detail("Another argument sets the same parameter."));
        }
        let is_constant = value.columns().next().is_none();
        if matches!(name, "transaction_id" | "merchant_reference_id")
            && is_constant
            && !value.is_empty()
        {
            return Err(Problem::invalid("trigger argument", argument)
                .detail("Every row would have the same transaction id.")
                .hint(EXAMPLE));
        }
        self.parameters.push(Parameter {
            name: name.to_owned(),
            value,
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

    /// Leaves out the arguments with columns that cannot be read, and keeps the others.
    pub fn leave_out_unless(&mut self, is_readable: impl Fn(&str) -> bool) {
        let (read, unread): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parameters)
            .into_iter()
            .partition(|parameter| parameter.value.columns().all(&is_readable));
        self.parameters = read;
        for Parameter { name, argument, .. } in unread {
            self.leave_out(&argument, Some(&name));
        }
    }

    /// Leaves out the click id: no argument and no column provides it.
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

    /// Whether an argument that is left out could identify the affiliate, or for an edit the
    /// conversion.
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

    /// Whether the click id comes from the table's column of that type: no argument sets it, nor,
    /// for an edit, identifies the conversion in another way.
    pub fn needs_click_id(&self, action: Action) -> bool {
        match action {
            Action::Lead | Action::Sale => !self.mentions("click_id"),
            Action::Edit => !IDENTIFICATIONS.iter().any(|name| self.mentions(name)),
        }
    }

    /// Whether a row without a click id leaves nothing to report: always, except for edits that go
    /// by another identification.
    pub fn goes_by_click(&self, action: Action) -> bool {
        match action {
            Action::Lead | Action::Sale => true,
            Action::Edit => self.needs_click_id(action) || self.mentions("click_id"),
        }
    }

    /// Takes the argument `organic` of an edit out of the parameters. Returns whether rows without a
    /// click id are left out although another identification is given.
    pub fn take_organic(&mut self) -> Result<bool, Problem> {
        let goes_by_click = self.goes_by_click(Action::Edit);
        let taken = self.parameters.iter().position(|it| it.name == ORGANIC);
        let Some(taken) = taken.map(|at| self.parameters.remove(at)) else {
            return Ok(!goes_by_click);
        };
        let said = match taken.value.pieces() {
            [Piece::Text(text)] => boolean(text),
            _ => None,
        };
        let detail = match said {
            Some(false) => return Ok(!goes_by_click),
            Some(true) if !goes_by_click => return Ok(false),
            Some(true) => "The edit goes by the click id, which such rows do not have.",
            None => "It is neither true nor false.",
        };
        self.leave_out(&taken.argument, Some(ORGANIC));
        Err(Problem::invalid("trigger argument", &taken.argument)
            .detail(detail)
            .hint("Write organic=true if an edit by transaction_id or merchant_reference_id is for rows without a click id, too."))
    }

    /// Leaves out rows without a click id in this column.
    pub fn require_click_id(&mut self, column: &str) {
        self.condition = Some(column.to_owned());
    }

    /// The column that a row needs a click id in, to be reported by another identification.
    pub fn condition(&self) -> Option<&str> {
        self.condition.as_deref()
    }

    /// Refuses a lead or sale that has neither click id nor voucher code in any row.
    pub fn check_credit(&self) -> Result<(), Problem> {
        match self.provides("click_id") || self.provides("voucher_code") {
            true => Ok(()),
            false => Err(missing_argument("click_id")),
        }
    }

    /// Refuses an edit that has no or two identifications in every row, or no change in any.
    pub fn check_edit(&self) -> Result<(), Problem> {
        let mut identifications = IDENTIFICATIONS
            .into_iter()
            .filter(|name| self.provides(name));
        match (identifications.next(), identifications.next()) {
            (Some(_), None) => {}
            (Some(one), Some(other)) => {
                let message = format!("parameters {one} and {other} exclude each other");
                return Err(Problem::new(Class::InvalidParameter, message)
                    .detail("Each says which transaction is meant."));
            }
            (None, _) => return Err(missing_argument(IDENTIFICATIONS[0])),
        }
        match CHANGES.iter().any(|name| self.provides(name)) {
            true => Ok(()),
            false => Err(Problem::new(
                Class::InvalidParameter,
                format!("parameter {} is required", one_of(&CHANGES)),
            )
            .detail("Nothing would change.")
            .hint("Add an argument such as approved=no.")),
        }
    }

    /// Refuses a click id that is the same in every row. Triggers of earlier versions may have one.
    pub fn check_click_id(&self) -> Result<(), Problem> {
        let click_ids = self.parameters.iter().filter(|it| it.name == "click_id");
        for Parameter {
            value, argument, ..
        } in click_ids
        {
            if !value.is_empty() && value.columns().next().is_none() {
                return Err(Problem::invalid("trigger argument", argument)
                    .detail("Every row would have the same click id.")
                    .hint("Write for example click_id={click_id}, where click_id is a column."));
            }
        }
        Ok(())
    }

    /// The columns that are the click id by themselves, and those that an amount is made of, with the
    /// arguments that name them.
    pub fn typed_columns(&self) -> impl Iterator<Item = (Wanted, &str, &str)> {
        self.parameters.iter().flat_map(|parameter| {
            let wanted = match (parameter.name.as_str(), parameter.value.pieces()) {
                ("click_id", [_]) => Some(Wanted::ClickId),
                ("amount" | "affiliate_payout" | "merchant_payout", _) => Some(Wanted::Amount),
                _ => None,
            };
            let columns = parameter.value.columns();
            columns.filter_map(move |column| Some((wanted?, column, parameter.argument.as_str())))
        })
    }

    /// Refuses a value that is the same for every row and that `check` refuses.
    pub fn check_constants(
        &self,
        check: impl Fn(&str, &str) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        for (name, value) in self.parameters() {
            if let [Piece::Text(text)] = value.pieces() {
                check(name, text)?;
            }
        }
        Ok(())
    }

    /// Takes the click id from `column`, unless an argument sets it.
    pub fn default_click_id(&mut self, column: &str) {
        if !self.mentions("click_id") {
            self.parameters.push(Parameter {
                name: "click_id".to_owned(),
                value: Value::of_column(column),
                argument: format!("click_id={{{column}}}"),
            });
        }
    }

    /// Whether an argument is for `parameter`, even if it sets it to nothing or could not be read.
    pub fn mentions(&self, parameter: &str) -> bool {
        let is_read = self.parameters.iter().any(|read| read.name == parameter);
        let mut unread = self.unread.iter().map(|unread| unread.parameter.as_deref());
        is_read || unread.any(|name| name == Some(parameter))
    }

    /// Whether rows can have `parameter`: an argument sets it to something.
    pub fn provides(&self, parameter: &str) -> bool {
        self.parameters
            .iter()
            .any(|read| read.name == parameter && !read.value.is_empty())
    }

    /// Each parameter with its value.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.parameters
            .iter()
            .map(|parameter| (parameter.name.as_str(), &parameter.value))
    }

    /// The columns that the mapping reads, in order, each as often as it is read, with the argument
    /// that names it.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.parameters.iter().flat_map(|parameter| {
            let columns = parameter.value.columns();
            columns.map(|column| (column, parameter.argument.as_str()))
        });
        named.chain(self.condition().map(|column| (column, ORGANIC)))
    }
}

/// The HINT after something that is no argument.
const EXAMPLE: &str = "Write for example transaction_id={id}, where id is a column.";

/// The problem of a name that is not among `names`.
pub fn unknown_parameter(name: &str, names: ParameterNames) -> Problem {
    let message = format!("unknown parameter: {}", Quoted(name));
    let hint = did_you_mean("parameters", name, names.known.iter().copied());
    Problem::new(Class::InvalidParameter, message).hint(hint)
}

/// The problem of a parameter that no argument provides.
pub fn missing_argument(parameter: &str) -> Problem {
    let message = format!("parameter {parameter} is required");
    let hint = format!("Add an argument such as {parameter}={{column}}.");
    Problem::new(Class::InvalidParameter, message).hint(hint)
}

#[cfg(test)]
mod tests;
