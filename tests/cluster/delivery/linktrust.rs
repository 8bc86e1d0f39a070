//! LinkTrust: edits, passwords, answers of every kind, files.

use std::fs;

use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, Request, peak_memory, run, wait_for, wait_for_some};

/// Its spellings on the wire differ from it, and from each other.
const PASSWORD: &str = "s3cret&pässword";

/// Parts of every spelling.
const PARTS_OF_PASSWORD: [&str; 3] = ["s3cret", "pässw", "p%C3%A4ssw"];

/// The manual's samples, byte for byte.
const SUCCESS: &str = include_str!("../../data/linktrust_success.xml");
const FAILURE: &str = include_str!("../../data/linktrust_failure.xml");

/// An answer that repeats what was sent, as some networks do.
fn echoing(xml: &str) -> String {
    xml.replace(
        "<SuppliedValues>",
        "<SuppliedValues><Echo>s3cret&amp;pässword s3cret%26p%C3%A4ssword</Echo>",
    )
}

#[test]
fn an_edit_is_sent_with_a_password_that_is_stored_nowhere() {
    let mut shop = Shop::open(shared_cluster(), "edits");
    shop.receiver.answer_with(|request| {
        Answer::ok().with_body(match request.parameter("Password") {
            Some(PASSWORD) => echoing(SUCCESS),
            _ => FAILURE.to_owned(),
        })
    });
    let url = shop.receiver.url("/");
    shop.sql(&format!(
        "create server lt foreign data wrapper linktrust options (url '{url}', allow_http 'true');
         select s2s.edit_transaction('lt', 'T-1', approved => false)"
    ));
    wait_for(PATIENCE, "it is parked", || {
        shop.status_of("T-1") == "parked"
    });
    let last_error = "select last_error from s2s.queue";
    assert_eq!(
        shop.text(last_error),
        "server \"lt\" has no password: Neither its owner nor PUBLIC has a user mapping with a password."
    );
    assert_eq!(
        shop.receiver.count(),
        0,
        "nothing is sent without a password"
    );
    shop.sql("create user mapping for public server lt options (password 'wrong')");
    shop.sql("select s2s.retry_parked()");
    wait_for(PATIENCE, "it is parked again", || {
        shop.text(last_error) == "HTTP 200: Permanent Failure: Invalid authentication credentials."
    });
    shop.sql(&format!(
        "alter user mapping for public server lt options (set password '{PASSWORD}')"
    ));
    shop.sql("select s2s.retry_parked()");
    shop.wait_until_delivered();
    assert_eq!(
        shop.receiver.targets().last().map(String::as_str),
        Some("/transaction.edit?Password=s3cret%26p%C3%A4ssword&Transactionid=T-1&A=no")
    );
    assert_password_is_nowhere(&mut shop);
}

#[test]
fn an_edit_is_delivered_only_if_the_answer_says_so() {
    let no_answer = "HTTP 200, but the body is no answer of LinkTrust";
    let html = "<html><body>Succeeded: True, s3cret&amp;pässword</body></html>";
    let bomb = SUCCESS.replace(
        "<LinkTrust>",
        "<!DOCTYPE x [<!ENTITY a \"s3cret&amp;pässword\"><!ENTITY b \"&a;&a;&a;&a;\">]><LinkTrust>&b;",
    );
    let huge = echoing(SUCCESS) + &"<!-- -->".repeat(10 << 17);
    let utf_16: Vec<u8> = ("\u{feff}".to_owned() + SUCCESS)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let latin_1: Vec<u8> = FAILURE
        .replace("Failure:", "Échec:")
        .replace("UTF-8", "ISO-8859-1")
        .chars()
        .map(|c| u8::try_from(c).expect("Latin 1"))
        .collect();
    let cut =
        "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<LinkTrust><ApiResponse><Succeeded>True";
    let moved = "https://t.example.com/?Password=s3cret%26p%C3%A4ssword";
    let ok = Answer::ok;
    let cases = [
        ("well", ok().with_body(echoing(SUCCESS)), "delivered", ""),
        (
            "refused",
            ok().with_body(echoing(FAILURE)),
            "parked",
            "HTTP 200: Permanent Failure: Invalid authentication credentials.",
        ),
        (
            "latin_1",
            ok().with_body(latin_1),
            "parked",
            "HTTP 200: Permanent \u{fffd}chec: Invalid authentication credentials.",
        ),
        (
            "moved",
            Answer::status(301).with_header("Location", moved),
            "parked",
            "HTTP 301: moved to \"https://t.example.com/\"",
        ),
        (
            "gone",
            Answer::status(404).with_body(html),
            "parked",
            "HTTP 404",
        ),
        (
            "bad_gateway",
            Answer::status(502).with_body(html),
            "retrying",
            "HTTP 502",
        ),
        (
            "passing",
            ok().with_body(FAILURE.replace("permanent", "temporary")),
            "retrying",
            "HTTP 200: Permanent Failure: Invalid authentication credentials.",
        ),
        (
            "redirected",
            Answer::status(302).with_header("Location", moved),
            "retrying",
            "HTTP 302, but the body is no answer of LinkTrust",
        ),
        ("empty", ok(), "retrying", no_answer),
        ("html", ok().with_body(html), "retrying", no_answer),
        ("bomb", ok().with_body(bomb), "retrying", no_answer),
        ("huge", ok().with_body(huge), "retrying", no_answer),
        ("endless", Answer::Flood, "retrying", no_answer),
        ("cut", Answer::Raw(cut.into()), "retrying", no_answer),
        ("utf_16", ok().with_body(utf_16), "retrying", no_answer),
    ];
    let mut shop = Shop::open(shared_cluster(), "answers");
    let worker = wait_for_some(PATIENCE, "a worker runs", || shop.worker_pid());
    let answers: Vec<(&str, Answer)> = cases
        .iter()
        .map(|(name, answer, ..)| (*name, answer.clone()))
        .collect();
    shop.receiver
        .answer_with(move |request| answer_to(request, &answers));
    // A server each: one that fails in a row is broken, and the others would wait.
    for (name, ..) in &cases {
        let url = shop.receiver.url(&format!("/{name}"));
        shop.sql(&format!(
            "create server {name} foreign data wrapper linktrust options (
                 url '{url}', allow_http 'true', retry_schedule '1h');
             create user mapping for public server {name} options (password '{PASSWORD}');
             select s2s.edit_transaction('{name}', '{name}', approved => false)"
        ));
    }
    shop.wait_until_idle();
    for (name, _, status, error) in &cases {
        let became = (
            shop.status_of(name),
            shop.text(&format!(
                "select last_error from s2s.callback where transaction_id = '{name}'"
            )),
        );
        assert_eq!(
            became,
            ((*status).to_owned(), (*error).to_owned()),
            "{name}"
        );
    }
    assert_eq!(shop.worker_pid(), Some(worker), "the worker goes on");
    assert_password_is_nowhere(&mut shop);
}

/// LinkTrust as its manual has it: an edit without the password and the identification of its
/// case, which the path names, is refused.
fn answer_to(request: &Request, answers: &[(&str, Answer)]) -> Answer {
    let name = request.parameter("Transactionid").unwrap_or_default();
    let is_right = request.parameter("Password") == Some(PASSWORD)
        && request.path == format!("/{name}/transaction.edit");
    match answers.iter().find(|(known, _)| is_right && *known == name) {
        Some((_, answer)) => answer.clone(),
        None => Answer::ok().with_body("<ApiResponse><Succeeded>False</Succeeded><Error><Type>permanent</Type><Message>wrong</Message></Error></ApiResponse>"),
    }
}

/// Looks for the password everywhere but where it was put: in `pg_user_mapping`.
fn assert_password_is_nowhere(shop: &mut Shop) {
    shop.sql("checkpoint");
    let dump = run(shop
        .cluster
        .client("pg_dump")
        .args(["--data-only", shop.database]));
    let mut places = vec![
        ("the dump".to_owned(), dump.into_bytes()),
        ("the log".to_owned(), shop.cluster.log().into_bytes()),
    ];
    for relation in [
        "s2s.queue",
        "s2s.attempt",
        "s2s.callback",
        "s2s.server_status",
        "s2s.worker_status()",
        "(select query from pg_stat_activity where backend_type like 'pgrx%')",
    ] {
        let query = format!("select string_agg(found::text, ' ') from {relation} found");
        places.push((relation.to_owned(), shop.text(&query).into_bytes()));
    }
    let files = "select string_agg(pg_relation_filepath(c.oid), ' ')
                 from pg_class c
                 where c.relkind in ('r', 'i', 't')
                   and (c.relnamespace = 's2s'::regnamespace
                        or c.oid in (select reltoastrelid from pg_class
                                     where relnamespace = 's2s'::regnamespace))";
    for file in shop.text(files).split(' ') {
        let bytes = fs::read(shop.cluster.data().join(file)).expect("a relation's file");
        places.push((file.to_owned(), bytes));
    }
    let holds = |bytes: &[u8], part: &str| {
        bytes
            .windows(part.len())
            .any(|window| window == part.as_bytes())
    };
    assert!(holds(&places[0].1, "Transactionid="), "a dump of attempts");
    for (place, bytes) in &places {
        for part in PARTS_OF_PASSWORD {
            assert!(!holds(bytes, part), "{part} in {place}");
        }
    }
}

#[test]
fn a_file_of_a_hundred_thousand_lines_is_queued_and_written_in_bounded_memory() {
    const LINES: i64 = 100_000;
    // Shared buffers count as the memory of every process that touched them.
    let cluster = cluster().conf("shared_buffers = '8MB'").start();
    let mut shop = Shop::open(&cluster, "bulk_file");
    shop.sql("create server lt foreign data wrapper linktrust options (url 'https://t.example.com', paused 'true')");
    shop.sql(&format!(
        "create table file as
         select string_agg(line, E'\\r\\n' order by number) as text
         from (select 0, E'Password\\tMerchantreferenceID\\tCID\\tAP\\tMP\\tA\\texecuteaffiliatepixel'
               union all
               select n, format(E'secret\\tW-%s\\t466744\\t%s\\t0.00\\tno\\tYes',
                                n, case when n % 1000 = 0 then 'much' else '1.50' end)
               from generate_series(1, {LINES}) n) lines(number, line)"
    ));
    // A session of its own, whose memory at its peak is that of the loading.
    shop.reconnect();
    let pid = shop.number("select pg_backend_pid()");
    let before = peak_memory(pid);
    shop.sql("create table loaded as select l.* from file, s2s.linktrust_load('lt', file.text) l");
    let grown = peak_memory(pid) - before;
    assert!(grown < 48 << 10, "{grown} kB for a file of 4 MB");
    let good = LINES - LINES / 1000;
    assert_eq!(shop.number("select count(*) from s2s.queue"), good);
    assert_eq!(
        shop.text(
            "select count(callback_id) || ' ' || count(problem) || ' ' || min(line) || ' ' || max(line)
             from loaded"
        ),
        format!("{good} {} 2 {}", LINES / 1000, LINES + 1)
    );
    assert_eq!(
        shop.text("select problem from loaded where line = 1001"),
        "invalid affiliate_payout: \"much\": It is not a decimal number."
    );
    let out_of_order = "select count(*) from loaded l join s2s.queue q on q.id = l.callback_id
                        where q.transaction_id <> 'W-' || (l.line - 1)";
    assert_eq!(shop.number(out_of_order), 0);
    let falling = "select count(*) from (
                       select callback_id <= lag(callback_id) over (order by line) as falls
                       from loaded where callback_id is not null) ids
                   where falls";
    assert_eq!(shop.number(falling), 0);

    shop.sql("create user mapping for public server lt options (password 'secret')");
    shop.reconnect();
    let pid = shop.number("select pg_backend_pid()");
    let before = peak_memory(pid);
    shop.sql("create table written as select s2s.linktrust_file('lt') as text");
    let grown = peak_memory(pid) - before;
    assert!(grown < 128 << 10, "{grown} kB for a file of 4 MB");
    let lost = "select count(*) from (
                    select string_to_table(text, E'\\r\\n') from file
                    except select string_to_table(text, E'\\r\\n') from written) lines";
    assert_eq!(
        shop.number(lost),
        LINES / 1000,
        "all but the bad lines come back"
    );
}
