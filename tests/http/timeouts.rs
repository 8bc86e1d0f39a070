//! What drips or stalls ends with the timeout.

use std::thread;
use std::time::Instant;

use pgrx_ext::delivery::FailureKind::{TimedOutConnecting, TimedOutWaiting};
use pgrx_ext::delivery::{FailureKind, Reply};

use crate::liar::{Liar, Visit};
use crate::{BRIEF, BRIEF_AT_MOST, brief_client};

#[test]
fn the_timeout_covers_the_whole_request() {
    type Row = (&'static str, Result<u16, FailureKind>, fn(&mut Visit));
    let rows: [Row; 11] = [
        ("a head that drips", Err(TimedOutWaiting), |visit| {
            visit.say("HTTP/1.1 200 OK\r\n");
            visit.drip("X-Drip: and on it goes\r\n");
        }),
        ("a status line that drips", Err(TimedOutWaiting), |visit| {
            visit.say("HTTP/1.1 200 ");
            visit.drip("OK ");
        }),
        ("interim answers that drip", Err(TimedOutWaiting), |visit| {
            visit.drip("HTTP/1.1 100 Continue\r\n\r\n");
        }),
        ("a head that stalls", Err(TimedOutWaiting), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n");
            visit.wait();
        }),
        // The status has come, and that is the answer.
        ("a body that drips", Ok(200), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            visit.drip("x");
        }),
        ("a body without length that drips", Ok(503), |visit| {
            visit.say("HTTP/1.1 503 Later\r\n\r\n");
            visit.drip("x");
        }),
        ("chunks that drip", Ok(200), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            visit.drip("1\r\nx\r\n");
        }),
        ("a chunk's length that drips", Ok(200), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            visit.drip("0");
        }),
        ("trailers that flood", Ok(200), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
            visit.flood("X-Trailer: x\r\n");
        }),
        ("a body that stalls", Ok(200), |visit| {
            visit.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx");
            visit.wait();
        }),
        ("a redirect whose body stalls", Ok(302), |visit| {
            visit.say("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\n");
            visit.wait();
        }),
    ];
    thread::scope(|scope| {
        for (name, expected, serve) in rows {
            scope.spawn(move || check(name, expected, serve));
        }
    });
}

#[test]
fn the_timeout_covers_the_handshake() {
    let liar = Liar::new(|visit| {
        // A TLS record's head, and then its content, byte by byte.
        visit.say([22, 3, 3, 64, 0]);
        visit.drip([2]);
    });
    let reply = within_the_limit("a handshake that drips", &liar.url_as("https", "127.0.0.1"));
    assert_eq!(outcome(&reply), Err(TimedOutConnecting));
}

/// What must come of a request after which the server does this.
#[track_caller]
fn check(name: &str, expected: Result<u16, FailureKind>, serve: fn(&mut Visit)) {
    let liar = Liar::new(move |visit| {
        if visit.head().is_some() {
            serve(visit);
        }
    });
    let reply = within_the_limit(name, &liar.url());
    assert_eq!(outcome(&reply), expected, "{name}: {reply:?}");
}

/// What comes of a request that is to run into the timeout, and neither earlier nor much later.
#[track_caller]
pub fn within_the_limit(name: &str, url: &str) -> Reply {
    let client = brief_client();
    let start = Instant::now();
    let reply = client.get(url);
    let time = start.elapsed();
    // Something else would have ended it at once.
    assert!(time > BRIEF / 2, "{name}: {reply:?} after {time:?}");
    assert!(time < BRIEF_AT_MOST, "{name}: {reply:?} after {time:?}");
    reply
}

fn outcome(reply: &Reply) -> Result<u16, FailureKind> {
    match reply {
        Reply::Answer(answer) => Ok(answer.status),
        Reply::Failure(failure) => Err(failure.kind),
    }
}
