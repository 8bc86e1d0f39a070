//! What is secret is where it was put and nowhere else: passwords in their user mappings, click
//! ids in the tables that hold them and in the queue, which application roles cannot read.

use postgres::Client;

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{Answer, Cluster, wait_for};

/// A password that needs encoding, and the ways in which it could be written.
const PASSWORD: &str = "pa55-w0rd&ü";
const SPELLINGS: [&str; 4] = ["pa55-w0rd", "pa55%2Dw0rd", "pa55-w0rd&amp;", "w0rd%26"];

/// The end of a click id.
const CLICK: &str = "c1ick-0f-an0ther";

/// Every relation of the database that the session may read and that has rows with one of the
/// texts, and how many.
fn rows_with(client: &mut Client, texts: &[&str]) -> Vec<(String, i64)> {
    let query = "
        select c.oid::regclass::text from pg_class c
        where c.relkind in ('r', 'v', 'm', 'p', 'f') and has_table_privilege(c.oid, 'select')
          and has_schema_privilege(c.relnamespace, 'usage')
          -- These take seconds, and all but one are about definitions.
          and (c.relnamespace <> 'information_schema'::regnamespace or c.relname = 'user_mapping_options')
        order by 1";
    let mut found = Vec::new();
    for row in client.query(query, &[]).expect(query) {
        let relation: String = row.get(0);
        let count = format!(
            "select count(*) from {relation} r
             where exists (select from unnest($1::text[]) t where position(t in r::text) > 0)"
        );
        // Some of PostgreSQL's own views are for somebody else.
        let Ok(row) = client.query_one(&count, &[&texts]) else {
            continue;
        };
        if row.get::<_, i64>(0) > 0 {
            found.push((relation, row.get(0)));
        }
    }
    found
}

#[test]
fn a_password_is_in_its_user_mapping_and_in_what_is_sent() {
    let cluster = shared_cluster();
    let mut shop = Shop::open(cluster, "secret_password");
    let url = shop.receiver.url("/");
    shop.sql(&format!(
        "create server lt foreign data wrapper linktrust options (
             url '{url}', allow_http 'true', retry_schedule '100ms', max_attempts '2');
         create server gone foreign data wrapper linktrust options (
             url 'http://127.0.0.1:1', allow_http 'true', max_attempts '1');
         create user mapping for public server lt options (password '{PASSWORD}');
         create user mapping for public server gone options (password '{PASSWORD}');
         create table returns (order_id bigint, server text);
         create trigger on_lt after insert on returns for each row when (new.server = 'lt')
             execute function s2s.edit_transaction('lt', 'transaction_id={{order_id}}', 'approved=no');
         create trigger on_gone after insert on returns for each row when (new.server = 'gone')
             execute function s2s.edit_transaction('gone', 'transaction_id={{order_id}}', 'approved=no')"
    ));
    // Whatever is sent comes back, in an answer of every kind.
    shop.receiver.answer_with(|request| {
        let said = format!("{} {PASSWORD}", request.target);
        let xml = |succeeded: &str, kind: &str| {
            format!(
                "<LinkTrust><ApiResponse><Succeeded>{succeeded}</Succeeded><Error><Type>{kind}</Type>\
                 <Message>Bad pa55<!-- -->-w0rd&amp;ü in {}</Message></Error></ApiResponse></LinkTrust>",
                said.replace('&', "&amp;")
            )
        };
        match request.parameter("Transactionid") {
            Some("1") => Answer::ok().with_body(xml("True", "")),
            Some("2") => Answer::ok().with_body(xml("False", "permanent")),
            Some("3") => Answer::status(503).with_body(said),
            Some("4") => Answer::status(301).with_header("Location", &format!("/{}", request.target)),
            Some("5") => Answer::Raw(format!("HTTP/1.1 {said}\r\n\r\n").into_bytes()),
            _ => Answer::Reset,
        }
    });
    shop.sql(
        "insert into returns select id, 'lt' from generate_series(1, 6) id;
              insert into returns values (7, 'gone')",
    );
    wait_for(PATIENCE, "every edit is delivered or parked", || {
        shop.number("select count(*) from s2s.callback where status in ('delivered', 'parked')")
            == 7
    });
    let sent = shop.receiver.values("Password");
    assert!(sent.len() >= 6 && sent.iter().all(|sent| sent == PASSWORD));
    let urls =
        "select count(*) from s2s.attempt where url like '%/transaction.edit?Transactionid=%'";
    assert!(shop.number(urls) >= 7);
    shop.sql("select * from s2s.callback, s2s.worker_status(), s2s.server_status");
    let is_its_place = |relation: &str| {
        relation.contains("pg_user_mapping")
            || relation == "information_schema.user_mapping_options"
    };
    let found = rows_with(&mut shop.client, &SPELLINGS);
    let (right, wrong): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(relation, _)| is_its_place(relation));
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(!right.is_empty(), "the search finds what is there");
    let log = cluster.log();
    let logged = log
        .lines()
        .find(|line| SPELLINGS.iter().any(|spelling| line.contains(spelling)));
    assert_eq!(logged, None);
    shop.sql("create role reporter login; grant usage on foreign server lt, gone to reporter");
    let mut reporter = cluster.connect_as("reporter", "secret_password");
    assert_eq!(rows_with(&mut reporter, &SPELLINGS), []);
}

#[test]
fn a_click_id_of_another_role_is_readable_nowhere() {
    let cluster = shared_cluster();
    let mut shop = Shop::open_with(
        cluster,
        "secret_click",
        ", retry_schedule '100ms', max_attempts '2'",
    );
    shop.sql(
        "create role reader login; grant insert on players to reader;
              create table own (id bigint, click_id s2s.click_id); grant all on own to reader",
    );
    let mut reader = cluster.connect_as("reader", "secret_click");
    shop.receiver
        .answer_with(|request| match request.parameter("tid") {
            Some("1") => Answer::ok(),
            Some("2") => Answer::status(503).with_body(request.target.clone()),
            Some("3") => Answer::status(404).with_body(request.target.clone()),
            _ => Answer::Reset,
        });
    for id in 1..=4 {
        shop.sql(&format!(
            "insert into players values ({id}, 'x', '{id}-{CLICK}')"
        ));
    }
    wait_for(PATIENCE, "every lead is delivered or parked", || {
        shop.number("select count(*) from s2s.callback where status in ('delivered', 'parked')")
            == 4
    });
    // While one is on the wire too.
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.sql(&format!("insert into players values (5, 'x', '5-{CLICK}')"));
    shop.receiver.wait_for(7, PATIENCE);
    let readable = rows_with(&mut reader, &[CLICK]);
    assert!(readable.is_empty(), "{readable:?}");
    let status = "select coalesce(last_error, '') || coalesce(hint, '') from s2s.worker_status()";
    let row = reader.query_one(status, &[]).expect(status);
    assert_eq!(
        row.get::<_, String>(0),
        "",
        "its last error may quote a row"
    );
    assert_eq!(log_of_the_worker(cluster).find(CLICK), None);
    assert!(
        !rows_with(&mut shop.client, &[CLICK]).is_empty(),
        "the search finds what is there"
    );
}

/// What was logged, without the statements that failed, which are PostgreSQL's to log.
fn log_of_the_worker(cluster: &Cluster) -> String {
    let log = cluster.log();
    let lines = log.lines().filter(|line| line.contains("s2s:"));
    lines.collect::<Vec<_>>().join("\n")
}
