//! The SQL surface: PostgreSQL's own `pg_regress` runs `sql/*.sql` and compares with `expected/`.
//!
//! Each file runs in a database of its own, in a cluster without the worker: what it queues stays
//! queued. `UPDATE=1` takes the results as the expected ones; read the diff before you commit it.

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use support::Cluster;

/// Functions that the files use.
const HELPERS: &str = include_str!("helpers.sql");

#[test]
fn sql_surface_is_as_expected() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pg_regress");
    let names = stems(&source.join("sql"), "sql");
    assert!(!names.is_empty(), "no tests in {}", source.display());
    let update = env::var_os("UPDATE").is_some_and(|value| !value.is_empty() && value != "0");

    let cluster = Cluster::builder().without_preload().start();
    // The servers' user may not be able to read the source's folder.
    let input = cluster.new_folder("input");
    for (folder, extension) in [("sql", "sql"), ("expected", "out")] {
        let from = source.join(folder);
        fs::create_dir(input.join(folder)).expect("a folder");
        for name in stems(&from, extension) {
            let file = format!("{folder}/{name}.{extension}");
            fs::copy(source.join(&file), input.join(&file)).expect("a copy");
        }
    }
    let mut differences = String::new();
    for name in &names {
        let expected = input.join(format!("expected/{name}.out"));
        if !expected.exists() {
            fs::write(&expected, "").expect("an empty expected file");
        }
        let database = format!("regress_{name}");
        let mut client = cluster.database(&database);
        client.batch_execute(HELPERS).expect("the helpers");
        let output = cluster.new_folder(&format!("output-{name}"));
        let ran = cluster
            .client(support::pg_regress())
            .arg(format!("--bindir={}", cluster.bin().display()))
            .arg(format!("--inputdir={}", input.display()))
            .arg(format!("--outputdir={}", output.display()))
            .arg(format!("--host={}", cluster.socket_folder().display()))
            .arg(format!("--port={}", cluster.port()))
            .args(["--user=postgres", "--use-existing"])
            .arg(format!("--dbname={database}"))
            .arg(name)
            .output()
            .expect("pg_regress");
        if ran.status.success() {
            continue;
        }
        let result = output.join(format!("results/{name}.out"));
        if update && result.exists() {
            fs::copy(&result, source.join(format!("expected/{name}.out"))).expect("an update");
            println!("updated expected/{name}.out");
            continue;
        }
        let diff = fs::read_to_string(output.join("regression.diffs")).unwrap_or_default();
        let said = String::from_utf8_lossy(&ran.stdout);
        let complained = String::from_utf8_lossy(&ran.stderr);
        let more = if diff.is_empty() {
            format!("{said}{complained}")
        } else {
            diff
        };
        differences.push_str(&format!("--- {name}\n{more}\n"));
    }
    assert!(
        differences.is_empty(),
        "\n{differences}\nIf the new results are right: UPDATE=1 cargo test --no-default-features --test regress"
    );
}

/// The names of a folder's files, without their extension, in order; none if it does not exist.
fn stems(folder: &Path, extension: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("a folder's entry").path());
    let files = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut stems: Vec<String> = files.filter_map(stem).collect();
    stems.sort();
    stems
}
