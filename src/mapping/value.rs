//! The text of a trigger's argument: `text {column} {"column"} {{ }}`.

use crate::problem::Problem;

/// A text with placeholders for columns; without any piece it is always empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<Piece>);

/// A part of a [`Value`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Stands for itself.
    Text(String),
    /// Stands for the value of a column.
    Column(String),
}

impl Value {
    /// The value of a column by itself.
    pub(super) fn of_column(column: &str) -> Value {
        Value(vec![Piece::Column(column.to_owned())])
    }

    /// Parses the text of an argument.
    pub(super) fn parse(argument: &str, text: &str) -> Result<Value, Problem> {
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
                let (column, after) = placeholder(from_brace).ok_or_else(|| {
                    let at = argument.len() - from_brace.len() + 1;
                    Problem::invalid("trigger argument", argument)
                        .detail(format!(
                            "The brace at byte {at} does not belong to a placeholder."
                        ))
                        .hint("Write {column} for a column's value, {\"column\"} if its name has braces, {{ or }} for a brace.")
                })?;
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Column(column));
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Value(pieces))
    }

    /// The parts, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The columns, in order, each as often as it is read.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Column(column) => Some(column.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether it is empty in every row.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The column of the placeholder that `text` starts with, and what comes after it.
fn placeholder(text: &str) -> Option<(String, &str)> {
    let inner = text.strip_prefix('{')?;
    let Some(quoted) = inner.strip_prefix('"') else {
        let (column, after) = inner.split_once('}')?;
        let is_name = !column.is_empty() && !column.contains('{');
        return is_name.then(|| (column.to_owned(), after));
    };
    let mut column = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        column.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                column.push('"');
                rest = more;
            }
            None => {
                let after = after.strip_prefix('}')?;
                return (!column.is_empty()).then_some((column, after));
            }
        }
    }
}
