//! A database that was made with an earlier release and updated has what a new one has, and what
//! was in it.
//!
//! A release is its frozen script in `tests/data`, run by today's library: every function of a
//! release stays in it. A new release has its script frozen there and an upgrade script in `sql`, which
//! is not changed any more.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use postgres::Client;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::{Installation, library, wait_for, wait_for_some};

/// What an extension consists of, a line each.
const SURFACE: &str = include_str!("surface.sql");

/// What users build on the extension, and whom they let use it.
const DEPENDENTS: &str = "
    create domain tracked as s2s.click_id(tradetracker) check (s2s.affiliate_id(value::text::s2s.click_id) > 0);
    create table visits (
        click_id s2s.click_id primary key, latest tracked, earlier s2s.click_id[] not null default '{}');
    create index on visits using hash (click_id);
    create index on visits (latest);
    insert into visits values
        ('0::12345::abc::::1405418672', '0::12345::abc::::1405418672', '{x,y}'), ('opaque', null, '{}');
    create server lt_eu foreign data wrapper linktrust options (url 'https://track.example.com', paused 'true');
    create user mapping for public server lt_eu options (password 's3cret');
    create trigger edit_player after update on players for each row
        execute function s2s.edit_transaction('lt_eu', 'transaction_id={id}', 'approved=no');
    create view late as select id, status, transaction_id from s2s.callback where status = 'retrying';
    create function owed() returns setof s2s.queue language sql begin atomic select * from s2s.queue; end;";

/// What the administrator grants.
const GRANTS: &str = "
    grant select on s2s.callback, s2s.queue to pg_monitor;
    grant execute on function s2s.retry(bigint), s2s.cancel(bigint) to pg_monitor;
    revoke execute on function s2s.postback_url(text, jsonb) from public;";

#[test]
fn an_upgraded_surface_equals_a_fresh_one() {
    let releases = releases();
    assert!(!releases.is_empty(), "no release is frozen in tests/data");
    let cluster = cluster().start();
    let mut fresh = cluster.database("fresh");
    fresh.batch_execute(GRANTS).expect("grants");
    for (version, script) in releases {
        Installation::shared().add_extension_file(&script);
        let mut client = cluster.empty_database("upgraded");
        let create = format!("create extension \"pgrx-ext\" version '{version}'");
        client.batch_execute(&create).expect("the release");
        let mut shop = Shop::open_in(&cluster, "upgraded", client, "");
        shop.sql(DEPENDENTS);
        shop.sql(GRANTS);
        shop.insert([1]);
        shop.wait_until_delivered();
        shop.sql("alter server games_nl options (add paused 'true')");
        shop.insert([2]);
        shop.sql("insert into players values (3, 'J. Smith', '0::12345::abc::::1405418672');
                  update players set name = 'J. Miller' where id = 3;
                  update s2s.queue set due_at = 'infinity', last_error = 'by hand' where transaction_id = '2'");
        // Servers come, are renamed and go as ever.
        shop.sql("alter server games_nl rename to games; alter server games rename to games_nl;
                  create server brief foreign data wrapper tradetracker options (campaign_id '1', product_id '2', paused 'true');
                  create table brief (id int, click_id s2s.click_id);
                  create trigger report after insert on brief for each row
                      execute function s2s.report_lead('brief', 'transaction_id=brief-{id}');
                  insert into brief values (1, '0::12345::abc::::1405418672');
                  drop server brief;
                  insert into brief values (2, '0::12345::abc::::1405418672')");
        let gone = "select count(*) from s2s.queue where server = 'brief' and due_at = 'infinity' and last_error like 'server \"brief\" %'";
        wait_for(PATIENCE, "it is parked", || shop.number(gone) == 2);
        assert_eq!(shop.number("select s2s.retry_parked('lt_eu')"), 0);
        shop.sql("select s2s.cancel(id) from s2s.queue where server = 'brief'");
        let worker = wait_for_some(PATIENCE, "a worker runs", || shop.worker_pid());
        let before = content(&mut shop);

        shop.sql("alter extension \"pgrx-ext\" update");

        let differences = differences(&surface(&mut shop.client), &surface(&mut fresh));
        assert!(differences.is_empty(), "from {version}:\n{differences}");
        assert_eq!(content(&mut shop), before, "what was there stays");
        assert_eq!(
            shop.number("select count(*) from visits where latest = '0::12345::abc::::1405418672'"),
            1
        );
        shop.insert([4]);
        shop.sql("alter server games_nl options (drop paused)");
        shop.wait_until_idle();
        assert_eq!(shop.received(), [1, 3, 4]);
        assert_eq!(shop.number("select s2s.retry_parked('games_nl')"), 1);
        shop.wait_until_idle();
        assert_eq!(shop.received(), [1, 2, 3, 4]);
        assert_eq!(
            shop.number("select count(*) from s2s.queue where server = 'lt_eu'"),
            1
        );
        assert_eq!(
            shop.worker_pid(),
            Some(worker),
            "it works on over the update"
        );
        shop.sql("drop server games_nl cascade");
        drop(shop);
        let drop_database = "drop database upgraded with (force)";
        cluster
            .connect("postgres")
            .batch_execute(drop_database)
            .expect(drop_database);
    }
}

/// What a new database or a release names is looked up in the library when the extension is created.
/// This is the other direction.
#[test]
fn every_function_of_the_library_is_in_the_sql() {
    let library = fs::read(library()).expect("the library");
    let mut scripts = fs::read_to_string(source("sql/pgrx-ext.sql")).expect("the SQL");
    for (_, script) in releases() {
        scripts += &fs::read_to_string(script).expect("a release");
    }
    let exported = exported_functions(&library);
    assert!(exported.len() > 40, "{exported:?}");
    let unknown: Vec<_> = exported
        .iter()
        .filter(|name| !scripts.contains(&format!("'MODULE_PATHNAME', '{name}'")))
        .collect();
    assert!(unknown.is_empty(), "only in the library: {unknown:?}");
}

/// The functions that have a record for PostgreSQL, `pg_finfo_<name>`, among the library's symbols.
fn exported_functions(library: &[u8]) -> BTreeSet<String> {
    const RECORD: &[u8] = b"\0pg_finfo_";
    let records = library.windows(RECORD.len()).enumerate();
    let names = records
        .filter(|(_, bytes)| *bytes == RECORD)
        .map(|(at, _)| {
            let name = &library[at + RECORD.len()..];
            let end = name.iter().position(|byte| *byte == 0);
            String::from_utf8_lossy(&name[..end.unwrap_or_default()]).into_owned()
        });
    names.filter(|name| name.ends_with("_wrapper")).collect()
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The frozen releases, each with its script.
fn releases() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(source("tests/data")).expect("tests/data");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let release = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let version = name
            .strip_prefix("pgrx-ext--")?
            .strip_suffix(".sql")?
            .to_owned();
        Some((version, path))
    };
    paths.filter_map(release).collect()
}

/// The facts of the extension in a database.
pub fn surface(client: &mut Client) -> BTreeSet<String> {
    let mut transaction = client.transaction().expect("a transaction");
    // So that all names come with their schemas.
    transaction
        .batch_execute("set local search_path to pg_catalog")
        .expect("set");
    let rows = transaction.query(SURFACE, &[]).expect("the surface");
    rows.iter().map(|row| row.get(0)).collect()
}

/// What only one of two has.
fn differences(upgraded: &BTreeSet<String>, fresh: &BTreeSet<String>) -> String {
    let only = |name: &str, these: &BTreeSet<String>, those| {
        let lines = these
            .difference(those)
            .map(|line| format!("only {name}: {line}\n"));
        lines.collect::<String>()
    };
    only("upgraded", upgraded, fresh) + &only("fresh", fresh, upgraded)
}

/// All rows of the users' tables and of ours.
fn content(shop: &mut Shop) -> Vec<String> {
    let query = "
        select 'visits ' || v::text from visits v
        union all select 'players ' || p::text from players p
        union all select 'queue ' || (to_jsonb(q) - 'server_dropped_at')::text from s2s.queue q
        union all select 'attempt ' || to_jsonb(a)::text from s2s.attempt a
        union all select 'mapping ' || concat_ws(' ', usename, umoptions) from pg_user_mappings m where srvname = 'lt_eu'
        order by 1";
    let rows = shop.client.query(query, &[]).expect(query);
    rows.iter().map(|row| row.get(0)).collect()
}
