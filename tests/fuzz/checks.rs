//! What must hold for any input: one function a reader of foreign text, each of which panics if it
//! does not.
//!
//! The fuzz targets and the test `fuzz` of stable Rust call the same ones. A check looks at what
//! comes out, never at how it came about.

// Each fuzz target uses its own.
#![allow(dead_code)]

use std::time::{Duration, SystemTime};

use http::Uri;
use pgrx_ext::callback::{Action, Edit, Parameters};
use pgrx_ext::click_id::{ClickId, Form, MAX_LENGTH, TradeTrackerId, network_of};
use pgrx_ext::delivery::retry::{Fate, RetryPolicy, fate, parse_retry_after};
use pgrx_ext::delivery::{Answer, Reply, Verdict};
use pgrx_ext::mapping::{Mapping, ParameterNames, Piece};
use pgrx_ext::network::linktrust::bulk_file::{self, ColumnSet, Writer};
use pgrx_ext::network::postback::template::Template;
use pgrx_ext::network::secret::Secret;
use pgrx_ext::network::{MAX_URL, Network, Server, linktrust};
use pgrx_ext::problem::Problem;
use pgrx_ext::url::{BaseUrl, decode, encode, query_parameter};

/// A check: what it is called, and the function.
pub type Check = (&'static str, fn(&[u8]));

/// Every check, named as its fuzz target and its folder of kept inputs.
pub const CHECKS: [Check; 7] = [
    ("click_id", click_id),
    ("percent", percent),
    ("answer", answer),
    ("file", file),
    ("mapping", mapping),
    ("retry_after", retry_after),
    ("template", template),
];

/// Text as PostgreSQL has it: UTF-8 without NUL.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input)
        .ok()
        .filter(|text| !text.contains('\0'))
}

/// A problem can be told, and stays on its line wherever it is told.
fn check_problem(problem: &Problem) {
    let told = [
        problem.one_line(),
        problem.to_string(),
        problem.detail.clone().unwrap_or_default(),
        problem.hint.clone().unwrap_or_default(),
    ];
    for text in told {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// Only what can stand in a URL.
#[track_caller]
fn check_url(url: &str) {
    let is_visible = url.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_visible, "{url:?}");
    assert!(url.parse::<Uri>().is_ok(), "{url:?}");
}

/// A click id that is accepted is shown as it came, or decoded once, and is accepted as shown.
pub fn click_id(input: &[u8]) {
    let Some(given) = text(input) else { return };
    let id = match ClickId::parse(given) {
        Ok(id) => id,
        Err(problem) => return check_problem(&problem),
    };
    let shown = id.as_str();
    assert!((1..=MAX_LENGTH).contains(&shown.len()));
    assert!(!shown.contains(char::is_control));
    assert_eq!(shown.trim(), shown);
    assert_eq!(ClickId::parse(shown).as_ref(), Ok(&id));
    if shown != given {
        assert_eq!(decode(given).as_deref(), Ok(shown));
        assert_eq!(network_of(shown), Some(Form::TradeTracker));
    }
    for form in Form::ALL {
        let fits = id.check_form(form).is_ok();
        assert_eq!(ClickId::parse_as(given, form).is_ok(), fits);
        assert!(fits || network_of(shown) != Some(form));
    }
    assert_eq!(decode(&encode(shown)).as_deref(), Ok(shown));
    if let Some(fields) = TradeTrackerId::parse(shown) {
        let end = format!("::{}::{}", fields.reference, fields.checksum);
        assert!(shown.contains(&end));
        assert_eq!(ClickId::parse(&encode(shown)).as_ref(), Ok(&id));
    }
}

/// What is encoded can be decoded, and is made of nothing that means something in a URL.
pub fn percent(input: &[u8]) {
    let Some(given) = text(input) else { return };
    let encoded = encode(given);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    assert!(encoded.bytes().all(is_plain), "{encoded}");
    assert_eq!(decode(&encoded).as_deref(), Ok(given));
    let url = format!("https://t.example/?b=1&{encoded}=x&a={encoded}#a=y");
    if !matches!(given, "a" | "b") {
        assert_eq!(query_parameter(&url, "a").unwrap().as_deref(), Some(given));
        assert_eq!(query_parameter(&url, given).unwrap().as_deref(), Some("x"));
    }
    let _ = query_parameter(given, "a");
    match decode(given) {
        Ok(decoded) => assert!(decoded.len() <= given.len() && !decoded.contains('\0')),
        Err(problem) => check_problem(&problem),
    }
    match BaseUrl::parse("url", given) {
        Ok(base) => {
            check_url(base.as_str());
            assert_eq!(BaseUrl::parse("url", base.as_str()), Ok(base.clone()));
            assert_eq!(
                base.is_https(),
                given.to_ascii_lowercase().starts_with("https:")
            );
        }
        Err(problem) => check_problem(&problem),
    }
}

/// Nothing is delivered that does not say `Succeeded` True, and nothing of the password is kept.
pub fn answer(input: &[u8]) {
    let body = String::from_utf8_lossy(input).into_owned();
    let read = linktrust::answer::TransactionAnswer::parse(&body);
    if let Err(problem) = &read {
        check_problem(problem);
    }
    let said: Parameters = [("transaction_id", "T-1"), ("approved", "no")]
        .into_iter()
        .collect();
    let options = [("url", "https://t.example")];
    let server = Server::parse("lt", &linktrust::NETWORK, options).unwrap();
    let password = Secret::new("s3cret&").unwrap();
    for status in [200, 302, 404, 503] {
        let reply = |body: String| {
            Reply::Answer(Answer {
                status,
                location: None,
                retry_after: None,
                body,
                is_cut: false,
            })
        };
        let judge = |body: String| server.judge(Action::Edit, &said, &reply(body));
        let is_delivered = |verdict: &Verdict| matches!(verdict, Verdict::Delivered { .. });
        let verdict = judge(body.clone());
        let succeeded = read.as_ref().is_ok_and(|answer| answer.succeeded);
        assert_eq!(is_delivered(&verdict), succeeded);
        assert!(!verdict.message().contains(char::is_control));
        // Without the word there is no success, however the rest looks.
        let silent = body.to_ascii_lowercase().replace("succeeded", "");
        assert!(!is_delivered(&judge(silent)));

        let reply = reply(body.clone());
        let (shown, kept) = server.judge_redacted(Action::Edit, &said, reply, Some(&password));
        assert_eq!(shown.name(), verdict.name());
        assert!(!shown.message().contains(password.reveal()));
        match kept {
            Reply::Answer(kept) => assert!(!kept.body.contains(password.reveal())),
            Reply::Failure(failure) => panic!("{failure}"),
        }
    }
}

/// Lines have their numbers, and a valid edit that was read is the same after another file.
pub fn file(input: &[u8]) {
    let Some(given) = text(input) else { return };
    let lines = match bulk_file::read(given) {
        Ok(lines) => lines,
        Err(problem) => return check_problem(&problem),
    };
    let password = Secret::new("s3cret").unwrap();
    let given = given.replace("\r\n", "\n");
    let texts: Vec<&str> = given.split(['\r', '\n']).collect();
    let mut last = 1;
    for line in lines {
        assert!(last <= line.number, "{last} {}", line.number);
        last = line.number;
        let place = usize::try_from(line.number).unwrap() - 1;
        let text = texts[place];
        let said = match line.edit {
            Ok(said) => said,
            Err(problem) => {
                check_problem(&problem);
                continue;
            }
        };
        for (_, value) in said.iter() {
            let is_there = text.contains(value) || text.replace("\"\"", "\"").contains(value);
            assert!(is_there, "{value:?} is not in line {}", line.number);
        }
        let edit = match Edit::parse(&said, None) {
            Ok(edit) => edit,
            Err(problem) => {
                check_problem(&problem);
                continue;
            }
        };
        let mut writer = Writer::new(ColumnSet::of(&edit), &password).unwrap();
        if let Err(problem) = writer.write(&edit) {
            check_problem(&problem);
            continue;
        }
        let written = writer.finish();
        let mut again = bulk_file::read(&written).unwrap();
        let said_again = again.next().unwrap().edit.unwrap();
        assert_eq!(Edit::parse(&said_again, None).as_ref(), Ok(&edit));
        assert_eq!(again.next(), None);
    }
}

/// Arguments, a line each, that make a mapping are what the mapping says when it is written.
pub fn mapping(input: &[u8]) {
    let Some(given) = text(input) else { return };
    for network in Network::ALL {
        for (_, names) in network.actions {
            check_mapping(given, *names);
        }
    }
    check_mapping(given, ParameterNames::ANY);
}

fn check_mapping(given: &str, names: ParameterNames) {
    let mapping = match Mapping::parse(given.split('\n'), names) {
        Ok(mapping) => mapping,
        Err(problem) => return check_problem(&problem),
    };
    let arguments: Vec<String> = mapping
        .parameters()
        .map(|(name, value)| {
            let pieces = value.pieces().iter();
            let text: String = pieces.map(written).collect();
            format!("{name}={text}")
        })
        .collect();
    let again = Mapping::parse(arguments.iter().map(String::as_str), names);
    let again = again.unwrap_or_else(|problem| panic!("{problem}"));
    assert!(again.parameters().eq(mapping.parameters()));
    // One argument sets two parameters, and a column can be quoted that needs no quotes.
    let is_literal =
        |argument: &&str| !argument.starts_with("description=") && !argument.contains("{\"");
    for argument in given.split('\n').filter(is_literal) {
        assert!(arguments.iter().any(|written| written == argument));
    }
    if let Err(problem) = mapping.check_edit() {
        check_problem(&problem);
    }
}

fn written(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text.replace('{', "{{").replace('}', "}}"),
        Piece::Column(column) if column.contains(['{', '}', '"']) => {
            format!("{{\"{}\"}}", column.replace('"', "\"\""))
        }
        Piece::Column(column) => format!("{{{column}}}"),
    }
}

/// A pause is no longer than a day and no shorter than the schedule's.
pub fn retry_after(input: &[u8]) {
    let header = String::from_utf8_lossy(input);
    let policy = RetryPolicy::default();
    for seconds in [0, 784_111_777, 1_800_000_000] {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let verdict = |after| Verdict::Retry {
            message: String::new(),
            after,
        };
        let own = fate(&verdict(None), 1, &policy, 0.5);
        let asked = fate(&verdict(parse_retry_after(&header, now)), 1, &policy, 0.5);
        let (Fate::Later(own), Fate::Later(asked)) = (own, asked) else {
            panic!("{own:?} {asked:?}");
        };
        assert!(own <= asked && asked <= Duration::from_secs(86_400));
    }
}

/// A template in the first line, filled with the rest, leads to the template's host and to no
/// other place than the template says.
pub fn template(input: &[u8]) {
    let Some(given) = text(input) else { return };
    let (given, value) = given.split_once('\n').unwrap_or((given, ""));
    let template = match Template::parse("template", given) {
        Ok(template) => template,
        Err(problem) => return check_problem(&problem),
    };
    let fill = |value: &str| {
        let all: Vec<_> = template.parameters().map(|name| (name, value)).collect();
        template.fill(&all)
    };
    let plain = fill("x").unwrap();
    check_url(&plain);
    let url = match fill(value) {
        Ok(url) => url,
        Err(problem) => {
            assert!(problem.message.ends_with("cannot be in the path"));
            return check_problem(&problem);
        }
    };
    if url.len() > MAX_URL {
        return; // a server does not let it through
    }
    check_url(&url);
    let [template, filled]: [Uri; 2] = [given_host(given), &url].map(|url| url.parse().unwrap());
    assert_eq!(template.scheme(), filled.scheme());
    assert_eq!(template.authority(), filled.authority());
    let [before, after] = [&plain, &url].map(|url| segments(url));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!(!is_step(after) || before == after, "{url}");
    }
}

/// A template up to its path, which has no placeholders.
fn given_host(template: &str) -> &str {
    let start = template.find("://").unwrap() + 3;
    let end = template[start..].find(['/', '?']);
    end.map_or(template, |end| &template[..start + end])
}

/// The parts of a URL's path.
fn segments(url: &str) -> Vec<String> {
    let path = url.split('?').next().unwrap_or_default();
    path.split('/')
        .map(|part| part.to_ascii_lowercase().replace("%2e", "."))
        .collect()
}

/// Whether a part of a path means another place.
fn is_step(segment: &str) -> bool {
    matches!(segment, "." | "..")
}
