//! Parameters made of the arguments of SQL functions, which bear the same names.

use std::borrow::Cow;

use pgrx::AnyElement;
use pgrx::datum::JsonB;
use pgrx::prelude::*;

use crate::callback::{Action, Parameters};
use crate::mapping::{ParameterNames, unknown_parameter};
use crate::network::Server;
use crate::pg::error::PgResult;
use crate::pg::sys::click_id::StoredClickId;
use crate::pg::sys::id;
use crate::pg::sys::numeric::NumericText;
use crate::pg::sys::text::Text;
use crate::problem::{Class, Problem, Quoted};

/// The parameters that variables of these names hold.
macro_rules! parameters {
    ($($name:ident),+ $(,)?) => {
        $crate::callback::Parameters::from_iter([
            $((stringify!($name), $crate::pg::surface::parameters::Argument::text(&$name))),+
        ])
    };
}
pub(super) use parameters;

/// An argument that is a parameter.
pub trait Argument {
    /// Its text as a parameter.
    fn text(&self) -> Cow<'_, str>;
}

impl Argument for Text<'_> {
    fn text(&self) -> Cow<'_, str> {
        self.0.into()
    }
}

impl Argument for NumericText<'_> {
    fn text(&self) -> Cow<'_, str> {
        self.0.into()
    }
}

impl Argument for StoredClickId<'_> {
    fn text(&self) -> Cow<'_, str> {
        self.as_str().into()
    }
}

impl Argument for i64 {
    fn text(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}

impl Argument for bool {
    fn text(&self) -> Cow<'_, str> {
        if *self { "yes" } else { "no" }.into()
    }
}

impl<T: Argument> Argument for Option<T> {
    fn text(&self) -> Cow<'_, str> {
        self.as_ref().map_or("".into(), Argument::text)
    }
}

/// The text of an id that is no text: shops number their orders, or give them UUIDs.
#[pg_extern(sql = false)]
fn id_text(id: AnyElement) -> PgResult<String> {
    let type_oid = id.oid();
    Ok(id::id_text(id).ok_or_else(|| {
        let message = format!("a value of type {} is no id", id::type_name(type_oid));
        Problem::new(Class::DatatypeMismatch, message)
            .detail("An id is an integer, a numeric, a uuid or a text.")
            .hint("Cast it to text if that is what the network knows the order by.")
    })?)
}

/// Adds the parameters that the argument `parameters` holds, if the network knows their names.
pub fn with_further<'a>(
    mut parameters: Parameters<'a>,
    server: &Server,
    action: Action,
    further: &'a Option<JsonB>,
) -> Result<Parameters<'a>, Problem> {
    let names = server.parameter_names(action)?;
    match add_further(&mut parameters, names, further) {
        Ok(()) => Ok(parameters),
        Err(problem) => Err(problem.within(server.place(&parameters))),
    }
}

fn add_further<'a>(
    parameters: &mut Parameters<'a>,
    names: ParameterNames,
    further: &'a Option<JsonB>,
) -> Result<(), Problem> {
    let Some(JsonB(json)) = further else {
        return Ok(());
    };
    for (name, text) in texts(json)? {
        if !names.open && !names.known.contains(&name) {
            return Err(unknown_parameter(name, names));
        }
        if !parameters.get(name).is_empty() {
            return Err(invalid(format!(
                "parameter {} is given twice",
                Quoted(name)
            )));
        }
        parameters.set(name, text);
    }
    Ok(())
}

/// Names and texts of a JSON object; the text of null is empty.
pub fn texts(json: &serde_json::Value) -> Result<Vec<(&str, String)>, Problem> {
    let Some(object) = json.as_object() else {
        return Err(invalid("parameters is not a JSON object".to_owned()));
    };
    let text = |(name, value): (&'_ String, &serde_json::Value)| match value {
        serde_json::Value::Null => Ok(String::new()),
        serde_json::Value::String(text) => Ok(text.clone()),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(boolean) => Ok(boolean.to_string()),
        _ => Err(invalid(format!("parameter {} is not a text", Quoted(name)))),
    };
    let pairs = object.iter();
    pairs
        .map(|(name, value)| Ok((name.as_str(), text((name, value))?)))
        .collect()
}

fn invalid(message: String) -> Problem {
    Problem::new(Class::InvalidParameter, message)
}
