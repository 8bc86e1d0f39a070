//! The SQL that the library runs: each file in `sql/runtime` is one statement that stands by itself, and
//! checks of DDL need no privileges of the user who issues it.

use std::fs;
use std::path::Path;

use crate::rights::hostile::shop_with_role;
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

#[test]
fn a_role_without_usage_of_the_schema_can_change_its_tables_and_servers() {
    let (mut shop, mut role) = shop_with_role("runtime_sql_rights");
    shop.sql(
        "alter table players owner to runtime_sql_rights;
         alter server games_nl owner to runtime_sql_rights;
         revoke usage on schema s2s from public",
    );
    for statement in [
        "alter table players add column note text",
        "alter table players disable trigger report_player",
        "alter table players enable trigger report_player",
        "alter table players drop column note",
        "alter server games_nl options (add timeout '5s')",
        "drop server games_nl cascade",
    ] {
        let done = role.batch_execute(statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

#[test]
fn without_our_schema_the_tables_of_others_can_be_changed() {
    let mut shop = Shop::open(shared_cluster(), "runtime_sql_renamed");
    for statement in [
        "alter schema s2s rename to renamed",
        "create table unrelated (id int)",
        "alter table unrelated add column note text",
        "create trigger unrelated before update on unrelated for each row
         execute function suppress_redundant_updates_trigger()",
        "alter table unrelated drop column note cascade",
        "alter schema renamed rename to s2s",
    ] {
        shop.sql(statement);
    }
}
