//! The SQL surface: `run` gives `sql/*.sql` to PostgreSQL's own `pg_regress`, in a cluster without the
//! worker, and compares what they say with `expected/`.
//!
//! `CONF='debug_discard_caches = 1'` is a line for `postgresql.conf`.

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::path::Path;
use std::process::Command;

use support::Cluster;

#[test]
fn sql_surface_is_as_expected() {
    let line = env::var("CONF").unwrap_or_default();
    let cluster = Cluster::builder().without_preload().conf(line).start();
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pg_regress/run");
    let ran = Command::new(runner)
        .env("PGHOST", cluster.socket_folder())
        .env("PGPORT", cluster.port().to_string())
        .output()
        .expect("the runner");
    let [said, complained] = [&ran.stdout, &ran.stderr].map(|text| String::from_utf8_lossy(text));
    print!("{said}");
    assert!(
        ran.status.success(),
        "\n{said}{complained}\nIf the new results are right: UPDATE=1 cargo test --no-default-features --features pg15 --test regress"
    );
}
