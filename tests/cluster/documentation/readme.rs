//! The README's SQL runs, and says what it says it says.
//!
//! Every block fenced as `sql` is run in order, statement by statement, in one session of a new
//! database without a worker. Comment lines right after a statement,
//!
//! ```sql
//! select s2s.network('0::12345::reference::::1405418672');
//! -- => tradetracker
//! ```
//!
//! are its whole result: a line a row, columns joined with ` | `, `NULL` for null, or
//! `ERROR: ` and the message.

use std::path::Path;

use postgres::{Client, SimpleQueryMessage};

use crate::support::Cluster;

/// Begins a line of a statement's expected result.
const EXPECTED: &str = "-- => ";

#[test]
fn readme_sql_runs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&path).expect("README.md");
    let examples = examples(&text);
    assert!(!examples.is_empty(), "README.md has no SQL");
    let cluster = Cluster::builder().without_preload().start();
    cluster
        .connect("postgres")
        .batch_execute("create database readme")
        .expect("create database");
    let mut client = cluster.connect("readme");
    for example in examples {
        if example.sql.starts_with("drop extension") {
            // What readers copy calls no network in the name of another's campaign.
            let sent =
                "select server from s2s.server_status where waiting > 0 and state <> 'paused'";
            assert_eq!(run(&mut client, sent), ["(no rows)"]);
        }
        let result = run(&mut client, &example.sql);
        let place = format!("README.md:{}: {}", example.line, example.sql);
        if example.expected.is_empty() {
            let error = result.iter().find(|line| line.starts_with("ERROR: "));
            assert!(error.is_none(), "{place}\n{}", result.join("\n"));
        } else {
            assert_eq!(result, example.expected, "{place}");
        }
    }
}

/// A statement and what it is said to return.
#[derive(Debug, PartialEq)]
struct Example {
    line: usize,
    sql: String,
    expected: Vec<String>,
}

/// Runs a statement and returns its rows as the README writes them.
fn run(client: &mut Client, sql: &str) -> Vec<String> {
    let replies = match client.simple_query(sql) {
        Ok(replies) => replies,
        Err(error) => {
            let message = error.as_db_error().map(|error| error.message().to_owned());
            return vec![format!(
                "ERROR: {}",
                message.unwrap_or_else(|| format!("{error:?}"))
            )];
        }
    };
    let returns_rows = |reply: &_| matches!(reply, SimpleQueryMessage::RowDescription(_));
    let mut lines = Vec::new();
    for reply in &replies {
        if let SimpleQueryMessage::Row(row) = reply {
            let values = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL"));
            lines.push(values.collect::<Vec<_>>().join(" | ").trim_end().to_owned());
        }
    }
    if lines.is_empty() && replies.iter().any(returns_rows) {
        lines.push("(no rows)".to_owned());
    }
    lines
}

/// The statements of all `sql` blocks.
fn examples(markdown: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = (1..).zip(markdown.lines());
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim().strip_prefix("```") else {
            continue;
        };
        let mut block = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            block.push_str(line);
            block.push('\n');
        }
        if language == "sql" {
            split(number + 1, &block, &mut examples);
        }
    }
    examples
}

/// Splits a block, which begins at a line of the README, into statements.
fn split(first_line: usize, block: &str, examples: &mut Vec<Example>) {
    let mut start = 0;
    let mut at = 0;
    while at < block.len() {
        let rest = &block[at..];
        let between = block[start..at].trim().is_empty();
        let length = token(rest, block[..at].ends_with(['e', 'E']));
        if between && rest.starts_with("--") {
            if let Some(expected) = rest[..length].strip_prefix(EXPECTED) {
                let last = examples.last_mut().expect("a statement before its result");
                last.expected.push(expected.trim_end().to_owned());
            }
            start = at + length;
        } else if rest.starts_with(';') {
            let lead = block[start..at].len() - block[start..at].trim_start().len();
            let line = first_line + block[..start + lead].matches('\n').count();
            let sql = block[start..at].trim().to_owned();
            examples.push(Example {
                line,
                sql,
                expected: Vec::new(),
            });
            start = at + length;
        }
        at += length;
    }
    let end = block[start..].trim();
    assert!(end.is_empty(), "README.md: no semicolon after: {end}");
}

/// The length of what `sql` begins with: a comment, a quoted text, or one character.
fn token(sql: &str, after_e: bool) -> usize {
    let until = |begin: usize, end: &str| {
        sql[begin..]
            .find(end)
            .map_or(sql.len(), |found| begin + found + end.len())
    };
    let mut characters = sql.chars();
    match characters.next() {
        Some('-') if sql.starts_with("--") => until(2, "\n"),
        Some('/') if sql.starts_with("/*") => until(2, "*/"),
        Some('\'') if after_e => {
            let mut escaped = false;
            let end = sql.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '\'' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            end.map_or(sql.len(), |(at, _)| at + 1)
        }
        Some('\'') => until(1, "'"),
        Some('"') => until(1, "\""),
        Some('$') => {
            let name = |c: char| c.is_alphanumeric() || c == '_';
            match sql[1..].find(|c: char| !name(c)) {
                Some(end) if sql[1 + end..].starts_with('$') => until(end + 2, &sql[..end + 2]),
                _ => 1,
            }
        }
        Some(other) => other.len_utf8(),
        None => 0,
    }
}

#[test]
fn examples_are_found_and_split() {
    let readme = "
# Title
```text
not; this
```
```sql
-- A remark; it has a semicolon.
select 'a;b', E'\\';', \"c;d\" /* ; */;
-- => a;b | ';
-- => and a second row
create function f() returns int language sql as $x$ select 1; $x$;

select $1
  -- within ;
  ; -- => 2
```
";
    let found = examples(readme);
    let seen: Vec<(usize, &str, usize)> = found
        .iter()
        .map(|example| (example.line, example.sql.as_str(), example.expected.len()))
        .collect();
    assert_eq!(
        seen,
        [
            (8, "select 'a;b', E'\\';', \"c;d\" /* ; */", 2),
            (
                11,
                "create function f() returns int language sql as $x$ select 1; $x$",
                0
            ),
            (13, "select $1\n  -- within ;", 1),
        ]
    );
    assert_eq!(found[0].expected, ["a;b | ';", "and a second row"]);
    assert_eq!(found[2].expected, ["2"]);
}
