//! Bodies: without end, broken off, and in bad encodings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgrx_ext::delivery::reply::MOST_READ;

use crate::answers::{check, reply_to};
use crate::liar::Liar;
use crate::support::{Answer, Receiver, wait_for};
use crate::{PATIENCE, answer, client};

#[test]
fn an_endless_body_is_read_up_to_its_limit() {
    for (name, head, body) in [
        ("without length", "\r\n", "x"),
        (
            "of a great length",
            "Content-Length: 9999999999999\r\n\r\n",
            "x",
        ),
        (
            "in endless chunks",
            "Transfer-Encoding: chunked\r\n\r\n",
            "1\r\nx\r\n",
        ),
        (
            "in one great chunk",
            "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFF\r\n",
            "x",
        ),
    ] {
        let said = Arc::new(AtomicUsize::new(0));
        let liar = Liar::new({
            let said = Arc::clone(&said);
            move |visit| {
                if visit.head().is_some() {
                    visit.say(format!("HTTP/1.1 200 OK\r\n{head}"));
                    said.fetch_max(visit.flood(body), Ordering::SeqCst);
                }
            }
        });
        let client = client();
        for _ in 0..3 {
            let answer = answer(client.get(&liar.url()));
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.body, "x".repeat(MOST_READ), "{name}");
            assert!(answer.is_cut, "{name}");
        }
        // What is left in a connection is no answer to another request.
        assert_eq!(liar.connections(), 3, "{name}");
        wait_for(PATIENCE, "the connections are closed", || liar.open() == 0);
        // The rest stayed in the buffers of the two sockets.
        let said = said.load(Ordering::SeqCst);
        assert!(said < 64 << 20, "{name}: {said}");
    }
}

#[test]
fn a_body_that_breaks_off_leaves_the_answer() {
    for (name, head, body) in [
        ("a length", "Content-Length: 100\r\n\r\nabc", "abc"),
        ("no length", "\r\nabc", "abc"),
        (
            "within a chunk",
            "Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
            "abc",
        ),
        (
            "between chunks",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "abc",
        ),
    ] {
        let reply = reply_to(format!("HTTP/1.1 503 Later\r\nRetry-After: 7\r\n{head}"));
        let answer = answer(reply);
        assert_eq!(answer.status, 503, "{name}");
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)), "{name}");
        assert_eq!(answer.body, body, "{name}");
        // Without a length, the end of the connection is that of the body.
        assert_eq!(answer.is_cut, name != "no length", "{name}");
    }
}

#[test]
fn bad_chunks_leave_the_answer() {
    for (name, chunks) in [
        ("none", "this is no chunk\r\n"),
        ("a length below zero", "3\r\nabc\r\n-1\r\n\r\n"),
        (
            "too great a length",
            "3\r\nabc\r\nfffffffffffffffff\r\n\r\n",
        ),
        (
            "too long a line",
            "3;extension-of-the-chunk=yes\r\nabc\r\n0\r\n\r\n",
        ),
        ("more than its length", "3\r\nabcdef\r\n0\r\n\r\n"),
        ("no last one", "0\r\n"),
        ("a bad trailer", "0\r\nthis is no trailer\r\n\r\n"),
    ] {
        let head = "HTTP/1.1 503 Later\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(name, format!("{head}{chunks}"), Ok(503));
    }
}

#[test]
fn body_with_bad_utf8_is_replaced() {
    for (sent, kept) in [
        (b"caf\xc3\xa9".as_slice(), "café"),
        (b"caf\xe9", "caf\u{fffd}"),
        (b"\xff\xfe\x00", "\u{fffd}\u{fffd}\0"),
        (b"\xc3", "\u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xf0\x9f\x98\x80", "😀"),
    ] {
        let receiver = Receiver::answering(move |_| {
            Answer::ok()
                .with_header("Content-Type", "text/html; charset=iso-8859-1")
                .with_body(sent)
        });
        let answer = answer(client().get(&receiver.url("/")));
        assert_eq!(answer.body, kept);
        assert!(!answer.is_cut);
    }
}

#[test]
fn a_character_across_the_limit_does_no_harm() {
    let receiver = Receiver::answering(|_| {
        let body = "x".repeat(MOST_READ - 1) + "é";
        Answer::ok().with_body(body)
    });
    let answer = answer(client().get(&receiver.url("/")));
    assert_eq!(answer.body, "x".repeat(MOST_READ - 1) + "\u{fffd}");
}
