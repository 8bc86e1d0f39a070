//! The SQL that the library runs: each file in `sql/runtime` is one statement that stands by itself.

use std::fs;
use std::path::Path;

use crate::shop::{Shop, shared_cluster};

#[test]
fn each_file_is_one_statement_that_can_be_prepared() {
    let mut shop = Shop::open(shared_cluster(), "runtime_sql");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/runtime");
    let mut files = 0;
    for entry in fs::read_dir(folder).expect("sql/runtime") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a file");
        // PostgreSQL prepares no more than one statement.
        let prepared = shop.client.prepare(&text);
        prepared.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
        files += 1;
    }
    assert!(files > 0, "no files");
}
