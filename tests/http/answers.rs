//! Statuses and headers, honest and not.

use jiff::{SignedDuration, Timestamp};
use pgrx_ext::delivery::FailureKind::{NotHttp, Reset};
use pgrx_ext::delivery::{FailureKind, Reply, Verdict};
use pgrx_ext::network::judge_by_status;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{Answer, Receiver};
use crate::{answer, client};

#[test]
fn every_status_is_an_answer() {
    let receiver = Receiver::answering(|request| {
        let status = request.parameter("status").unwrap_or_default();
        Answer::status(status.parse().expect("a number"))
    });
    let client = client();
    for status in [
        200, 201, 204, 205, 206, 226, 300, 304, 400, 401, 403, 404, 407, 408, 418, 421, 425, 426,
        429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 511, 599, 600, 999,
    ] {
        let reply = client.get(&receiver.url(&format!("/?status={status}")));
        assert_eq!(answer(reply).status, status);
    }
}

#[test]
fn interim_answers_are_skipped() {
    for interim in [
        "100 Continue\r\n",
        "102 Processing\r\n",
        "103 Early Hints\r\nLink: </x>\r\n",
    ] {
        let head = format!("HTTP/1.1 {interim}\r\n").repeat(3);
        check(interim, head + "HTTP/1.1 201 Created\r\n\r\n", Ok(201));
    }
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Receiver::new();
    for location in [
        elsewhere.url("/x").as_str(),
        "/relative",
        "//127.0.0.1/x",
        "https://elsewhere.example/é",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://[",
        "a b",
        "",
    ] {
        for status in [301, 302, 303, 307, 308] {
            let receiver = Receiver::answering({
                let location = location.to_owned();
                move |_| Answer::status(status).with_header("Location", &location)
            });
            let answer = answer(client().get(&receiver.url("/")));
            assert_eq!(answer.location.as_deref(), Some(location));
            assert_eq!(receiver.count(), 1);
            let message = format!("HTTP {status}");
            let verdict = match status {
                302 | 303 => Verdict::Delivered { message },
                _ => Verdict::Failed {
                    message: format!("{message}: moved to {location:?}"),
                },
            };
            assert_eq!(judge_by_status(&answer), verdict);
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_redirect_without_a_location_is_an_answer() {
    for status in [301, 302, 303, 307, 308] {
        let receiver = Receiver::answering(move |_| Answer::status(status));
        let answer = answer(client().get(&receiver.url("/")));
        assert_eq!((answer.status, answer.location), (status, None));
    }
}

#[test]
fn retry_after_is_read() {
    let in_an_hour = Timestamp::now() + SignedDuration::from_hours(1);
    let date = in_an_hour.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (header, seconds) in [
        ("120", Some(120..=120)),
        ("0", Some(0..=0)),
        (" 7 ", Some(7..=7)),
        ("99999999999999999999", Some(86_400..=86_400)),
        (&date, Some(3500..=3600)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0..=0)),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("1é", None),
    ] {
        let receiver = Receiver::answering({
            let header = header.to_owned();
            move |_| Answer::status(503).with_header("retry-AFTER", &header)
        });
        let answer = answer(client().get(&receiver.url("/")));
        match (answer.retry_after, &seconds) {
            (Some(pause), Some(range)) => {
                assert!(range.contains(&pause.as_secs()), "{header}: {pause:?}");
            }
            (pause, range) => assert_eq!((pause, range), (None, &None), "{header}"),
        }
        let verdict = Verdict::Retry {
            message: "HTTP 503".to_owned(),
            after: answer.retry_after,
        };
        assert_eq!(judge_by_status(&answer), verdict);
    }
}

#[test]
fn bad_headers_do_no_harm() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let many = |count: usize| "X: y\r\n".repeat(count);
    check("a hundred", format!("{ok}{}\r\n", many(100)), Ok(200));
    check("hundreds", format!("{ok}{}\r\n", many(300)), Err(NotHttp));
    check(
        "thousands",
        format!("{ok}{}\r\n", many(50_000)),
        Err(NotHttp),
    );
    let long = |length| "x".repeat(length);
    check("long", format!("{ok}X: {}\r\n\r\n", long(30_000)), Ok(200));
    check(
        "too long",
        format!("{ok}X: {}\r\n\r\n", long(40_000)),
        Err(NotHttp),
    );
    check(
        "huge",
        format!("{ok}X: {}\r\n\r\n", long(1 << 20)),
        Err(NotHttp),
    );
    check(
        "a long name",
        format!("{ok}{}: x\r\n\r\n", long(30_000)),
        Ok(200),
    );
    check(
        "a huge name",
        format!("{ok}{}: x\r\n\r\n", long(1 << 20)),
        Err(NotHttp),
    );
    check(
        "a long reason",
        format!("HTTP/1.1 200 {}\r\n\r\n", long(30_000)),
        Ok(200),
    );
    for (name, head, expected) in [
        (
            "not ASCII",
            b"HTTP/1.1 200 OK\r\nX: caf\xc3\xa9\r\n\r\n".as_slice(),
            Ok(200),
        ),
        (
            "not UTF-8",
            b"HTTP/1.1 200 OK\r\nX: caf\xe9\r\n\r\n",
            Ok(200),
        ),
        (
            "a name not ASCII",
            b"HTTP/1.1 200 OK\r\n\xc3\xa9: x\r\n\r\n",
            Err(NotHttp),
        ),
        ("no name", b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", Err(NotHttp)),
        ("no colon", b"HTTP/1.1 200 OK\r\nX\r\n\r\n", Err(NotHttp)),
        (
            "a space in the name",
            b"HTTP/1.1 200 OK\r\nX : x\r\n\r\n",
            Err(NotHttp),
        ),
        ("NUL", b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", Err(NotHttp)),
        ("CR", b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", Err(NotHttp)),
        (
            "a folded line",
            b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
            Err(NotHttp),
        ),
        ("LF alone", b"HTTP/1.1 200 OK\nX: x\n\n", Ok(200)),
        ("no reason", b"HTTP/1.1 200\r\n\r\n", Ok(200)),
        (
            "a reason not ASCII",
            b"HTTP/1.1 200 \xc3\xa9\r\n\r\n",
            Ok(200),
        ),
        ("HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\n", Ok(200)),
        ("small letters", b"http/1.1 200 OK\r\n\r\n", Err(NotHttp)),
        (
            "an empty line first",
            b"\r\nHTTP/1.1 200 OK\r\n\r\n",
            Ok(200),
        ),
        ("status 99", b"HTTP/1.1 099 No\r\n\r\n", Err(NotHttp)),
        ("status 1000", b"HTTP/1.1 1000 No\r\n\r\n", Err(NotHttp)),
        (
            "a status in words",
            b"HTTP/1.1 two OK\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "status 101",
            b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
            Ok(101),
        ),
        (
            "100 with a header",
            b"HTTP/1.1 100 Continue\r\nX: x\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "a length below zero",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "a length in words",
            b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "too great a length",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            Err(NotHttp),
        ),
        (
            "a length and chunks",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            Ok(200),
        ),
        (
            "an unknown coding",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\nbody",
            Ok(200),
        ),
        (
            "gzip that is none",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nbody",
            Ok(200),
        ),
    ] {
        check(name, head, expected);
    }
}

#[test]
fn any_bytes_are_survived() {
    let part = prop_oneof![
        3 => Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        1 => Just(b"HTTP/1.1 302 Found\r\nLocation: ".to_vec()),
        2 => Just(b"Content-Length: ".to_vec()),
        2 => Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        1 => Just(b"Connection: ".to_vec()),
        1 => Just(b"Retry-After: ".to_vec()),
        4 => Just(b"\r\n".to_vec()),
        2 => Just(b"0\r\n\r\n".to_vec()),
        2 => "[0-9a-fA-F]{1,20}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    let parts = prop::collection::vec(part, 0..12);
    let receiver = Receiver::new();
    let client = client();
    let config = ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let property = |bytes: Vec<Vec<u8>>| {
        let bytes = bytes.concat();
        receiver.answer_with(move |_| Answer::Raw(bytes.clone()));
        match client.get(&receiver.url("/")) {
            Reply::Answer(answer) => prop_assert!((101..=999).contains(&answer.status)),
            Reply::Failure(failure) => {
                prop_assert!(matches!(failure.kind, NotHttp | Reset), "{failure}");
                prop_assert!(failure.ambiguous, "{failure}");
            }
        }
        Ok(())
    };
    TestRunner::new(config)
        .run(&parts, property)
        .unwrap_or_else(|error| panic!("{error}"));
}

/// What must come of a request that gets these bytes, then the end.
#[track_caller]
pub fn check(name: &str, bytes: impl Into<Vec<u8>>, expected: Result<u16, FailureKind>) {
    let reply = reply_to(bytes);
    let outcome = match &reply {
        Reply::Answer(answer) => Ok(answer.status),
        Reply::Failure(failure) => Err(failure.kind),
    };
    assert_eq!(outcome, expected, "{name}: {reply:?}");
}

/// What comes of such a request.
pub fn reply_to(bytes: impl Into<Vec<u8>>) -> Reply {
    let bytes = bytes.into();
    let receiver = Receiver::answering(move |_| Answer::Raw(bytes.clone()));
    client().get(&receiver.url("/"))
}
