//! Any click id survives every way through the server.

use std::io::{Read, Write};

use pgrx_ext::url::query_parameter;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::shop::shared_cluster;

/// What networks hand out: TradeTracker's form, LinkTrust's, and opaque ids.
fn click_ids(count: usize) -> Vec<String> {
    let tradetracker = (
        0..10_000_000u32,
        1..1_000_000u32,
        "[^\\pC\\pZ]{0,40}",
        prop_oneof![
            Just(String::new()),
            "[0-9a-f]{32}",
            "0:3:[A-Za-z0-9+/]{8,40}={0,2}"
        ],
        100_000_000..99_999_999_999u64,
    )
        .prop_map(|(material, affiliate, reference, checksum, time)| {
            format!("{material}::{affiliate}::{reference}::{checksum}::{time}")
        });
    let linktrust =
        "[0-9]{2}_[0-9]{6}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let opaque = "[!-~®-ÿ]{1,128}".prop_filter("a template", |id| !id.contains('%'));
    let any = prop_oneof![2 => tradetracker, 1 => linktrust, 1 => opaque];
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| any.new_tree(&mut runner).expect("a click id").current())
        .collect()
}

#[test]
fn any_click_id_survives_text_type_binary_and_url() {
    let mut client = shared_cluster().database("click_ids");
    let ids = click_ids(2000);
    client
        .batch_execute("create table a (n bigint, id s2s.click_id); create table b (like a);")
        .expect("tables");
    client
        .execute(
            "insert into a select n, id from unnest($1::text[]) with ordinality as u(id, n)",
            &[&ids],
        )
        .expect("text in");
    let mut binary = Vec::new();
    client
        .copy_out("copy a to stdout (format binary)")
        .expect("copy out")
        .read_to_end(&mut binary)
        .expect("binary out");
    let mut writer = client
        .copy_in("copy b from stdin (format binary)")
        .expect("copy in");
    writer.write_all(&binary).expect("binary in");
    writer.finish().expect("binary in");
    let rows = client
        .query(
            "select id::text, s2s.tradetracker_lead_url(1, 2, '3', id) from b order by n",
            &[],
        )
        .expect("text out");
    assert_eq!(rows.len(), ids.len());
    for (row, id) in rows.iter().zip(&ids) {
        let (out, url): (String, String) = (row.get(0), row.get(1));
        assert_eq!(&out, id);
        assert_eq!(
            query_parameter(&url, "data").expect("a query").as_deref(),
            Some(id.as_str())
        );
    }
}
