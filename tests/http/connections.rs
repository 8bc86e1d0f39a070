//! What is sent, and on which connection.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pgrx_ext::delivery::FailureKind::{self, Reset, TimedOutWaiting};
use pgrx_ext::http::client::{Client, ClientSettings, Clients, IDLE};

use crate::liar::{Liar, Visit};
use crate::support::{Answer, Receiver, wait_for};
use crate::{PATIENCE, answer, brief_client, client, client_of, clients, failure, settings};

#[test]
fn user_agent_is_sent() {
    for user_agent in ["pgrx-ext/1.0", "a b (c; d) \"e\"", "Müller & Söhne"] {
        let receiver = Receiver::new();
        let client = client_of(&ClientSettings {
            user_agent: user_agent.to_owned(),
            ..settings()
        });
        answer(client.get(&receiver.url("/")));
        let request = receiver.requests().remove(0);
        assert_eq!(request.header("user-agent"), Some(user_agent));
    }
}

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let receiver = Receiver::new();
    let url = receiver.url("/a%20b/?c=%C3%A9&d=%0D%0Ae&f=1+2&g=");
    answer(client().get(&url));
    let request = receiver.requests().remove(0);
    assert_eq!(request.method, "GET");
    assert_eq!(request.target, "/a%20b/?c=%C3%A9&d=%0D%0Ae&f=1+2&g=");
    let address = receiver.address().to_string();
    let mut headers: Vec<(&str, &str)> = (request.headers.iter())
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    headers.sort_unstable();
    assert_eq!(
        headers,
        [("accept", "*/*"), ("host", &address), ("user-agent", "it")]
    );
}

#[test]
fn connections_are_reused() {
    for (name, answer) in [
        ("an empty body", Answer::ok()),
        ("a body", Answer::ok().with_body("OK")),
        ("no body", Answer::status(204)),
        (
            "chunks",
            Answer::ok()
                .with_header("Transfer-Encoding", "chunked")
                .with_body("2\r\nOK\r\n0\r\n\r\n"),
        ),
        (
            "a redirect",
            Answer::status(302)
                .with_header("Location", "/x")
                .with_body("moved"),
        ),
        ("an error", Answer::status(503).with_body("later")),
        (
            "a large body",
            Answer::ok().with_body("x".repeat(60 * 1024)),
        ),
    ] {
        let receiver = Receiver::answering(move |_| answer.clone());
        let client = client();
        for _ in 0..20 {
            crate::answer(client.get(&receiver.url("/")));
        }
        assert_eq!(receiver.count(), 20, "{name}");
        assert_eq!(receiver.connections(), 1, "{name}");
    }
}

#[test]
fn threads_share_the_connections_of_a_client() {
    let receiver = Receiver::new();
    let client = client();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    answer(client.clone().get(&receiver.url("/")));
                }
            });
        }
    });
    assert_eq!(receiver.count(), 200);
    let connections = receiver.connections();
    assert!(connections <= 4, "{connections} for 4 threads");
}

/// A server that answers when so many wait, and leaves the connections open.
fn answering_at_once(count: usize) -> Liar {
    let waiting = AtomicUsize::new(0);
    Liar::new(move |visit| {
        if visit.head().is_some() {
            waiting.fetch_add(1, Ordering::SeqCst);
            wait_for(PATIENCE, "all are here", || {
                waiting.load(Ordering::SeqCst) >= count
            });
            visit.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            visit.wait();
        }
    })
}

/// Calls it so often at once.
fn call_at_once(client: &Client, liar: &Liar, count: usize) {
    thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| answer(client.get(&liar.url())));
        }
    });
}

#[test]
fn no_more_connections_stay_open_than_allowed_to_all_servers_together() {
    let mut clients = clients(4);
    let servers: Vec<_> = (1..=3)
        .map(|seconds| {
            let timeout = PATIENCE + Duration::from_secs(seconds);
            let client = clients.client(&ClientSettings {
                timeout,
                ..settings()
            });
            (client.expect("a client"), answering_at_once(5))
        })
        .collect();
    for (client, liar) in &servers {
        call_at_once(client, liar, 5);
        assert_eq!(liar.connections(), 5);
    }
    let open = || -> usize { servers.iter().map(|(_, liar)| liar.open()).sum() };
    wait_for(PATIENCE, "all but two are closed", || open() <= 2);
    assert_eq!(open(), 2);
}

#[test]
fn idle_connections_are_closed_although_no_request_comes() {
    let mut clients = clients(8);
    let client = clients.client(&settings()).expect("a client");
    let liar = answering_at_once(3);
    let start = Instant::now();
    assert_eq!(clients.close_idle(start), None);
    call_at_once(&client, &liar, 3);
    assert_eq!(clients.close_idle(start), Some(start + IDLE));
    assert_eq!(clients.close_idle(start + IDLE / 2), Some(start + IDLE));
    assert_eq!(liar.open(), 3);
    assert_eq!(clients.close_idle(start + IDLE), None);
    wait_for(PATIENCE, "all are closed", || liar.open() == 0);
    // The client still works.
    call_at_once(&client, &liar, 1);
}

#[test]
fn idle_connections_leave_half_of_the_descriptors_to_others() {
    for (descriptors, threads, idle) in [
        (1024, 32, 128),
        (1024, 256, 128),
        (256, 32, 64),
        (64, 16, 0),
        (usize::MAX, 32, 128),
    ] {
        assert_eq!(Clients::idle_of(descriptors, threads), idle);
        assert!(2 * (idle + threads) <= descriptors);
    }
}

/// ureq looks whether a connection from its pool is closed before it sends a request on it.
#[test]
fn a_stale_connection_from_the_pool_is_not_a_lost_request() {
    let closed = Arc::new(Mutex::new(HashSet::new()));
    let liar = Liar::new({
        let closed = Arc::clone(&closed);
        move |visit| {
            answer_once(visit);
            visit.close();
            closed.lock().unwrap().insert(visit.number);
        }
    });
    let client = client();
    for number in 0..20 {
        assert_eq!(answer(client.get(&liar.url())).status, 200);
        wait_for(PATIENCE, "the server closes the connection", || {
            closed.lock().unwrap().contains(&number)
        });
    }
    assert_eq!(liar.heads().len(), 20);
    assert_eq!(liar.connections(), 20);
}

/// There is a moment after that look, and no way to know whether the request was read before the
/// connection closed. ureq does not send it again, and neither do we: the callback waits for its
/// next attempt, or for a person if `retry_ambiguous` is off.
#[test]
fn a_connection_that_closes_at_any_moment_loses_no_request_silently() {
    let liar = Liar::new(answer_once);
    let client = client();
    let (mut answered, mut lost) = (0, 0);
    for _ in 0..300 {
        match client.get(&liar.url()) {
            pgrx_ext::delivery::Reply::Answer(answer) => {
                assert_eq!(answer.status, 200);
                answered += 1;
            }
            pgrx_ext::delivery::Reply::Failure(failure) => {
                assert_eq!(failure.kind, Reset);
                assert!(failure.ambiguous);
                lost += 1;
            }
        }
    }
    assert_eq!(answered + lost, 300);
    assert_eq!(liar.heads().len(), answered, "{lost} lost");
}

#[test]
fn a_failure_on_a_reused_connection_is_one_of_a_sent_request() {
    check_second("it closes", Reset, |visit| visit.close());
    check_second("it says half an answer", Reset, |visit| {
        visit.say("HTTP/1.1 200 OK\r\n");
    });
    check_second("it is silent", TimedOutWaiting, |visit| visit.wait());
    check_second("it drips", TimedOutWaiting, |visit| visit.drip("\r\n"));
    check_second("it says nonsense", FailureKind::NotHttp, |visit| {
        visit.say("nonsense\r\n\r\n");
    });
}

#[test]
fn a_connection_with_more_than_the_answer_is_not_used_again() {
    for (name, bytes) in [
        ("after a length", "Content-Length: 2\r\n\r\nOKjunk"),
        ("after no body", "Content-Length: 0\r\n\r\njunk"),
        (
            "after the last chunk",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\njunk",
        ),
        (
            "an answer that nobody asked for",
            "Content-Length: 2\r\n\r\nOKHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        ),
    ] {
        let liar = Liar::new(move |visit| {
            if visit.head().is_some() {
                visit.say(format!("HTTP/1.1 200 OK\r\n{bytes}"));
                visit.wait();
            }
        });
        let client = client();
        for _ in 0..3 {
            assert_eq!(answer(client.get(&liar.url())).status, 200, "{name}");
        }
        assert_eq!(liar.connections(), 3, "{name}");
    }
}

fn answer_once(visit: &mut Visit) {
    if visit.head().is_some() {
        visit.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    }
}

/// What must come of the second request on a connection if the server does this.
#[track_caller]
fn check_second(name: &str, expected: FailureKind, serve: fn(&mut Visit)) {
    let liar = Liar::new(move |visit| {
        answer_once(visit);
        if visit.head().is_some() {
            serve(visit);
        }
    });
    let client: Client = brief_client();
    answer(client.get(&liar.url()));
    let failure = failure(client.get(&liar.url()));
    assert_eq!(liar.connections(), 1, "{name}");
    assert_eq!(liar.heads().len(), 2, "{name}");
    assert_eq!(failure.kind, expected, "{name}: {failure}");
    assert!(failure.ambiguous, "{name}: {failure}");
}
