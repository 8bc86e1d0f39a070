//! The rules of `src/lib.rs` that the compiler does not check, read off the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the pure half may import from this crate. `pg` may import all of them.
const IMPORTS: &[(&str, &[&str])] = &[
    ("problem", &[]),
    ("url", &["problem"]),
    ("click_id", &["url", "problem"]),
    ("callback", &["click_id", "url", "problem"]),
    ("mapping", &["callback", "click_id", "url", "problem"]),
    ("delivery", &["callback", "click_id", "url", "problem"]),
    (
        "network",
        &[
            "delivery", "mapping", "callback", "click_id", "url", "problem",
        ],
    ),
    ("http", &["delivery"]),
];

/// What each room of `pg` may import from the others.
const ROOMS: &[(&str, &[&str])] = &[
    ("sys", &[]),
    ("queue", &["sys", "process::wake"]),
    ("trigger", &["queue", "sys", "process::wake"]),
    ("process", &["queue", "sys"]),
    ("surface", &["trigger", "queue", "process", "sys"]),
];

/// A source file: its path below `src`, and its code without comments and unit tests.
struct Source {
    path: String,
    code: String,
}

impl Source {
    /// The module of the crate that it belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// The room of `pg` that it belongs to, if it is in one.
    fn room(&self) -> Option<&str> {
        let name = self.path.strip_prefix("pg/")?.split(['/', '.']).next()?;
        ROOMS
            .iter()
            .map(|(room, _)| *room)
            .find(|room| *room == name)
    }

    /// What follows `prefix` wherever it stands, as far as it is a path.
    fn paths_after<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.code.match_indices(prefix).map(move |(at, _)| {
            let path = &self.code[at + prefix.len()..];
            let end = path.find(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
            &path[..end.unwrap_or(path.len())]
        })
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let sources = files(&folder, "rs").into_iter().filter_map(|file| {
        let path = file
            .strip_prefix(&folder)
            .expect("below src")
            .to_str()?
            .to_owned();
        let text = fs::read_to_string(&file).expect("a source");
        let code = text.split("#[cfg(test)]\nmod ").next()?;
        let lines = code.lines().map(|line| match line.trim_start() {
            comment if comment.starts_with("//") => "",
            _ => line,
        });
        let code = lines.collect::<Vec<_>>().join("\n");
        (!path.contains("/tests")).then_some(Source { path, code })
    });
    let sources: Vec<Source> = sources.collect();
    assert!(sources.len() > 50, "only {} sources", sources.len());
    sources
}

fn check(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn imports_go_one_way() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == source.module()) else {
            assert!(
                ["lib", "pg"].contains(&source.module()),
                "{}: a module without a rule",
                source.path
            );
            continue;
        };
        for path in source.paths_after("crate::") {
            let module = path.split("::").next().unwrap_or_default();
            if module != source.module() && !allowed.contains(&module) {
                broken.push(format!("{} imports {path}", source.path));
            }
        }
    }
    check(broken);
}

#[test]
fn rooms_of_pg_import_one_way() {
    let mut broken = Vec::new();
    for source in sources() {
        let Some(room) = source.room() else { continue };
        let (_, allowed) = ROOMS
            .iter()
            .find(|(name, _)| *name == room)
            .expect("a room");
        for path in source.paths_after("crate::pg::") {
            let of_a_room = |(name, _): &&(&str, _)| path.split("::").next() == Some(*name);
            let is_room = ROOMS.iter().any(|rule| of_a_room(&rule));
            let is_allowed = |name: &&str| path.starts_with(*name);
            if is_room && !path.starts_with(room) && !allowed.iter().any(is_allowed) {
                broken.push(format!("{} imports {path}", source.path));
            }
        }
    }
    check(broken);
}

#[test]
fn only_pg_names_pgrx_and_only_http_opens_sockets() {
    let outsiders: [(&str, &[&str]); 2] = [
        ("pg", &["pgrx", "pg_sys"]),
        ("http", &["ureq", "rustls", "std::net::Tcp", "UnixStream"]),
    ];
    let mut broken = Vec::new();
    for source in sources() {
        for (home, words) in outsiders {
            for word in words.iter().filter(|word| source.code.contains(**word)) {
                if source.module() != home && source.module() != "lib" {
                    broken.push(format!("{} names {word}", source.path));
                }
            }
        }
    }
    check(broken);
}

#[test]
fn time_and_chance_are_arguments_of_pure_code() {
    let mut broken = Vec::new();
    for source in sources() {
        if ["pg", "http"].contains(&source.module()) {
            continue;
        }
        for word in ["SystemTime::now", "Instant::now", "oorandom"] {
            if source.code.contains(word) {
                broken.push(format!("{} asks {word}", source.path));
            }
        }
    }
    check(broken);
}

#[test]
fn sql_that_runs_stands_in_files() {
    // A table's name is quoted and formatted in: PostgreSQL takes no parameter there.
    const FORMATTED: &str = "pg/trigger/preview.rs";
    let mut broken = Vec::new();
    let mut code = String::new();
    for source in sources() {
        code.push_str(&source.code);
        for text in source.code.split('"').skip(1).step_by(2) {
            let mut words = text.split_whitespace();
            let first = words.next().unwrap_or_default().to_ascii_lowercase();
            let is_sql = ["select", "insert", "update", "delete", "with", "create"]
                .contains(&first.as_str())
                && words.next().is_some()
                && text.contains([',', '.', '(', '*'])
                && text == text.to_lowercase();
            if is_sql && source.path != FORMATTED {
                broken.push(format!("{} has SQL in it: {text}", source.path));
            }
        }
    }
    for file in files(&root().join("sql/runtime"), "sql") {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        if !code.contains(&format!("sql/runtime/{name}")) {
            broken.push(format!("sql/runtime/{name} is never run"));
        }
    }
    check(broken);
}

#[test]
fn callbacks_leave_the_queue_in_two_statements() {
    let mut found = Vec::new();
    for file in files(&root().join("sql/runtime"), "sql") {
        let text = fs::read_to_string(&file).expect("SQL").to_lowercase();
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        for (at, _) in text.match_indices("delete from s2s.queue") {
            let records = text.contains("insert into s2s.attempt");
            assert!(records, "{name}: deletes at {at} and records nothing");
            found.push(name.to_owned());
        }
    }
    found.sort();
    assert_eq!(found, ["cancel.sql", "record.sql"]);
}

#[test]
fn rooms_without_unsafe_code_stay_so() {
    let forbids = "#![forbid(unsafe_code)]";
    let sources = sources();
    let mut broken = Vec::new();
    for module in ["http.rs", "pg/surface.rs"] {
        let source = sources.iter().find(|source| source.path == module);
        if !source.is_some_and(|source| source.code.contains(forbids)) {
            broken.push(format!("{module} has no {forbids}"));
        }
    }
    check(broken);
}
