//! What real drivers make of click ids: `make drivers`.
//!
//! Each driver has a program with the same cases, run in a database of its own that `shop.sql` fills.
//! It prints a line for its version and one for each case: `case<TAB>result`.
//!
//! | result | |
//! |---|---|
//! | `ok` | works as it is |
//! | `needs …` | works with that, and there is no plainer way |
//! | `fails` | does not work |
//! | `none` | the driver has nothing of the kind |
//!
//! The table of all of them must be the README's, cell by cell. `tests/drivers/install.sh` installs the
//! drivers; what a driver that is missing would have printed is `not run`.

#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use postgres::{Client, NoTls};

use support::{Cluster, Installation};

const CASES: [&str; 14] = [
    "insert",
    "read",
    "=",
    "in",
    "any",
    "join",
    "array",
    "prepared",
    "binary",
    "copy",
    "binary copy",
    "get",
    "filter",
    "callback",
];

/// The drivers' names, each with the command that runs its program: `{here}` is this folder, `{installed}`
/// the one that the drivers are installed in.
const DRIVERS: [(&str, &str); 11] = [
    (
        "psycopg",
        "{installed}/python/bin/python {here}/python/with_psycopg3.py",
    ),
    (
        "psycopg2",
        "{installed}/python/bin/python {here}/python/with_psycopg2.py",
    ),
    (
        "asyncpg",
        "{installed}/python/bin/python {here}/python/with_asyncpg.py",
    ),
    (
        "SQLAlchemy",
        "{installed}/python/bin/python {here}/python/with_sqlalchemy.py",
    ),
    (
        "Django",
        "{installed}/python/bin/python {here}/python/with_django.py",
    ),
    ("pg", "node {here}/node/with_pg.js"),
    ("postgres.js", "node {here}/node/with_postgres.js"),
    ("Sequelize", "node {here}/node/with_sequelize.js"),
    ("postgres (Rust)", "{installed}/rust/debug/with_postgres"),
    ("sqlx", "{installed}/rust/debug/with_sqlx"),
    (
        "JDBC",
        "java -cp /usr/share/java/postgresql.jar {here}/jdbc/Cases.java",
    ),
];

/// How long one program may take, as `timeout` reads it.
const PATIENCE: &str = "2m";

const SHOP: &str = include_str!("shop.sql");

fn main() -> ExitCode {
    let port = free_port();
    let installation = Installation::new();
    let _cluster = Cluster::builder_of(&installation)
        .conf("listen_addresses = '127.0.0.1'")
        .conf(format!("port = {port}"))
        .start();
    let mut table = vec![
        format!("| driver | {} |", CASES.join(" | ")),
        format!("|---{}|", "|---".repeat(CASES.len())),
    ];
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    for (name, program) in DRIVERS {
        let (row, errors) = row(name, program, port);
        println!("{row}");
        if !readme.lines().any(|line| line == row) {
            eprintln!("{errors}");
        }
        table.push(row);
    }
    let documented: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != table[0])
        .take_while(|line| line.starts_with('|'))
        .collect();
    println!("\n{}", table.join("\n"));
    if documented == table {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "\nThis is not the table of README.md:\n{}",
        documented.join("\n")
    );
    ExitCode::FAILURE
}

/// Runs a driver's program in a new database: its row of the table, and what it wrote of failures.
fn row(name: &str, program: &str, port: u16) -> (String, String) {
    let mut postgres = connect(port, "postgres");
    postgres
        .batch_execute("create database shop")
        .expect("a database");
    connect(port, "shop").batch_execute(SHOP).expect("shop.sql");
    let installed = root().join("target/drivers");
    let here = root().join("tests/drivers");
    let words = program.split(' ').map(|word| {
        let word = word.replace("{here}", path(&here));
        word.replace("{installed}", path(&installed))
    });
    let output = Command::new("timeout")
        .arg(PATIENCE)
        .args(words)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", port.to_string())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "shop")
        .env("NODE_PATH", installed.join("node/node_modules"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("timeout");
    postgres
        .batch_execute("drop database shop with (force)")
        .expect("no more sessions");

    let printed = String::from_utf8_lossy(&output.stdout);
    // A program that broke off has shown nothing.
    let results: HashMap<&str, &str> = match output.status.success() {
        true => printed
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .collect(),
        false => HashMap::new(),
    };
    let cells = CASES.map(|case| match results.get(case) {
        Some(&"none") => "–",
        Some(result) => result.trim_start_matches("needs "),
        None => "not run",
    });
    let version = results.get("version").unwrap_or(&"");
    let row = format!(
        "| {} | {} |",
        format!("{name} {version}").trim_end(),
        cells.join(" | ")
    );
    (row, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn connect(port: u16, database: &str) -> Client {
    postgres::Config::new()
        .host("127.0.0.1")
        .port(port)
        .user("postgres")
        .dbname(database)
        .connect(NoTls)
        .expect("a connection")
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
