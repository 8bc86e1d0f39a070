//! Every function says in plain words what is wrong with its arguments, whoever calls it.

use crate::rights::hostile::shop_with_role;

/// Values to call functions with, by the type of the argument; NULL is tried too.
const ODD: &[(&str, &[&str])] = &[
    (
        "text",
        &[
            "''",
            "'x'",
            "E'a\\nb'",
            "'%'",
            "'games_nl'",
            "repeat('é', 100000)",
            "'https://t.example/{x}'",
        ],
    ),
    (
        "bigint",
        &["0", "-1", "9223372036854775807", "-9223372036854775808"],
    ),
    (
        "integer",
        &["0", "1", "-1", "99", "2147483647", "-2147483648"],
    ),
    (
        "oid",
        &[
            "0",
            "1247",
            "1249",
            "1417",
            "1418",
            "2328",
            "3118",
            "4294967295",
        ],
    ),
    (
        "numeric",
        &["'NaN'", "'infinity'", "-1", "0.001", "1e100", "1e-100"],
    ),
    ("boolean", &["true", "false"]),
    (
        "regclass",
        &["'players'", "'s2s.callback'", "0", "4294967295"],
    ),
    ("name", &["''", "'x'", "'report_player'"]),
    ("interval", &["'0s'", "'-1 day'", "'-178000000 years'"]),
    (
        "jsonb",
        &[
            "'null'",
            "'[]'",
            "'{}'",
            "'{\"x\": null}'",
            "'{\"x\": {\"y\": 1}}'",
            "'{\"amount\": 1e400}'",
        ],
    ),
    (
        "text[]",
        &[
            "'{}'",
            "'{NULL}'",
            "'{{a=b},{c=d}}'",
            "'{=}'",
            "'{password=x}'",
            "'{campaign_id=1,campaign_id=2}'",
        ],
    ),
    (
        "cstring",
        &[
            "''",
            "'x'",
            "E'a\\nb'",
            "'0%3A%3A1%3A%3Aa%3A%3A%3A%3A1405418672'",
        ],
    ),
    (
        "cstring[]",
        &[
            "'{}'",
            "'{NULL}'",
            "'{x}'",
            "'{tradetracker,linktrust}'",
            "'{{linktrust}}'",
        ],
    ),
    ("character", &["''", "'x'", "E'\\n'", "'é'"]),
    (
        "s2s.click_id",
        &[
            "'x'",
            "'0::12345::abc::::1405418672'",
            "'04_835477_fb93f424-788d-4c48-bfb1-98516f855839'",
        ],
    ),
];

#[test]
fn odd_arguments_are_refused_in_plain_words() {
    let (mut shop, mut role) = shop_with_role("hostile_calls");
    // Those that PostgreSQL lets nobody call have an argument of type internal.
    let query = "
        select p.oid::regprocedure::text, p.pronamespace::regnamespace || '.' || p.proname,
               array(select case format_type(t, null) when 'anycompatible' then 'bigint' when 'anyelement' then 'bigint'
                          when 'character varying' then 'text' else format_type(t, null) end
                     from unnest(p.proargtypes) with ordinality a(t, n) order by n)
        from pg_proc p
        where p.pronamespace = 's2s'::regnamespace and 'internal'::regtype <> all (p.proargtypes)
          and p.proname <> 'start_worker'
        order by 1";
    let functions = shop.client.query(query, &[]).expect(query);
    assert!(functions.len() > 40);
    let mut refused = 0;
    for function in functions {
        let (signature, name): (String, String) = (function.get(0), function.get(1));
        let types: Vec<String> = function.get(2);
        for round in 0..10 {
            let argument = |(place, name): (usize, &String)| {
                let odd = ODD.iter().find(|(known, _)| known == name);
                let values = odd
                    .unwrap_or_else(|| panic!("{signature}: no values of type {name}"))
                    .1;
                match (round + place) % (values.len() + 1) {
                    0 => format!("null::{name}"),
                    value => format!("({})::{name}", values[value - 1]),
                }
            };
            let arguments: Vec<String> = types.iter().enumerate().map(argument).collect();
            let call = format!("select {name}({}) is null", arguments.join(", "));
            for client in [&mut role, &mut shop.client] {
                let Err(error) = client.batch_execute(&call) else {
                    continue;
                };
                let Some(error) = error.as_db_error() else {
                    panic!("{call}: {error:?}");
                };
                let is_internal = error.code().code().starts_with("XX");
                assert!(!is_internal, "{call}: {error:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    shop.insert([1]);
    shop.wait_until_idle();
    assert_eq!(shop.status(1), "delivered");
}
