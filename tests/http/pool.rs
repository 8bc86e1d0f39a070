//! The threads and their bell.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

use pgrx_ext::delivery::{FailureKind, Reply};
use pgrx_ext::http::client::{Client, ClientSettings};
use pgrx_ext::http::pool::{Finished, Pool, Request};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::certificates::{Authority, LOOPBACK, Validity};
use crate::liar::Liar;
use crate::support::{Answer, Receiver, wait_for};
use crate::{PATIENCE, answer, client, client_of, failure, settings};

#[test]
fn the_pool_answers_every_request_once() {
    let receiver = Receiver::answering(|request| {
        let id = request.parameter("id").unwrap_or_default();
        Answer::ok().with_body(format!("answer {id}"))
    });
    let pool = Pool::<Reply>::start(8).expect("a pool");
    let client = client();
    let ids = 1..=3000;
    for id in ids.clone() {
        pool.send(request(id, &client, receiver.url(&format!("/?id={id}"))));
    }
    let finished = collect(&pool, 3000);
    for (id, reply) in ids.zip(finished.into_values()) {
        let [reply] = reply.try_into().expect("one reply");
        assert_eq!(answer(reply).body, format!("answer {id}"));
    }
    let mut values = receiver.values("id");
    assert_eq!(values.len(), 3000);
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 3000);
    let connections = receiver.connections();
    assert!(connections <= 8, "{connections} for 8 threads");
}

#[test]
fn the_bell_rings_until_the_last_reply_is_fetched() {
    let pool = Pool::<Reply>::start(4).expect("a pool");
    // A refused address is the quickest reply there is.
    let client = client_of(&ClientSettings {
        allow_private_addresses: false,
        ..settings()
    });
    for id in 1..=10_000 {
        pool.send(request(id, &client, "http://127.0.0.1/".to_owned()));
    }
    let finished = collect(&pool, 10_000);
    assert!(finished.values().all(|replies| replies.len() == 1));
}

#[test]
fn an_idle_pool_does_not_ring() {
    let receiver = Receiver::new();
    let pool = Pool::<Reply>::start(2).expect("a pool");
    assert!(!rings_within(Duration::ZERO, &pool));
    assert!(pool.finished().is_empty());
    pool.send(request(1, &client(), receiver.url("/")));
    assert_eq!(collect(&pool, 1).len(), 1);
    assert!(pool.finished().is_empty());
    assert!(!rings_within(Duration::ZERO, &pool));
}

#[test]
fn a_reply_says_when_its_request_started_and_how_long_it_took() {
    let receiver = Receiver::answering(|_| Answer::ok().after(Duration::from_millis(50)));
    let pool = Pool::<Reply>::start(1).expect("a pool");
    let before = SystemTime::now();
    pool.send(request(7, &client(), receiver.url("/")));
    assert!(rings_within(PATIENCE, &pool));
    let finished: Vec<Finished<Reply>> = pool.finished();
    let [finished] = finished.as_slice() else {
        panic!("{finished:?}");
    };
    assert_eq!(finished.id, 7);
    assert!(finished.started_at >= before.into());
    assert!(finished.started_at <= SystemTime::now().into());
    assert!(finished.duration >= Duration::from_millis(50));
}

/// A `User-Agent` that is no header value makes ureq panic at each request.
#[test]
fn a_panic_in_a_pool_thread_is_a_failed_attempt() {
    let receiver = Receiver::new();
    let pool = Pool::<Reply>::start(2).expect("a pool");
    let poison = client_of(&ClientSettings {
        user_agent: "a\nb".to_owned(),
        ..settings()
    });
    for id in 1..=4 {
        pool.send(request(id, &poison, receiver.url("/")));
    }
    for (_, replies) in collect(&pool, 4) {
        let [reply] = replies.try_into().expect("one reply");
        let failure = failure(reply);
        assert_eq!(failure.kind, FailureKind::Internal);
        assert!(!failure.ambiguous);
        assert_eq!(
            failure.to_string(),
            "internal error: the HTTP client panicked"
        );
    }
    pool.send(request(5, &client(), receiver.url("/")));
    let [reply] = collect(&pool, 1)
        .remove(&5)
        .and_then(|replies| replies.try_into().ok())
        .expect("a reply of a thread that lives");
    answer(reply);
    assert_eq!(receiver.count(), 1);
}

#[test]
fn a_panic_while_a_reply_is_judged_is_a_failure() {
    let receiver = Receiver::new();
    let pool = Pool::<Reply>::start(1).expect("a pool");
    for id in 1..=2 {
        pool.send(Request {
            judge: Box::new(|_| panic!("no judge")),
            ..request(id, &client(), receiver.url("/"))
        });
    }
    for (_, replies) in collect(&pool, 2) {
        let [reply] = replies.try_into().expect("one reply");
        // It was sent.
        assert!(failure(reply).ambiguous);
    }
}

/// A thread of the pool has a small stack; running out of it would end the process.
#[test]
fn a_thread_has_stack_enough_for_tls_and_the_largest_head() {
    let authority = Authority::new();
    let config = authority.certify(LOOPBACK, Validity::Current);
    let liar = Liar::with_tls(config, |visit| {
        while visit.head().is_some() {
            let headers: String = (0..100)
                .map(|number| format!("X-{number}: {}\r\n", "x".repeat(300)))
                .collect();
            visit.say(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n{headers}\r\n{}",
                "x".repeat(100_000)
            ));
        }
    });
    let file = authority.file();
    let client = client_of(&ClientSettings {
        ca_file: Some(file.path().to_string_lossy().into_owned()),
        ..settings()
    });
    let pool = Pool::<Reply>::start(2).expect("a pool");
    for id in 1..=4 {
        pool.send(request(id, &client, liar.url()));
    }
    for (_, replies) in collect(&pool, 4) {
        let [reply] = replies.try_into().expect("one reply");
        assert_eq!(answer(reply).status, 200);
    }
}

#[test]
fn dropping_the_pool_ends_its_threads() {
    let receiver = Receiver::answering(|_| Answer::Stall);
    let pool = Pool::<Reply>::start(40).expect("a pool");
    // Other tests have pools too, but smaller ones.
    let ours = || {
        let tasks = fs::read_dir("/proc/self/task").expect("threads");
        let names = tasks.filter_map(|task| {
            let name = fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
            name.trim().strip_prefix("s2s http ")?.parse::<u32>().ok()
        });
        names.filter(|number| *number >= 20).count()
    };
    wait_for(PATIENCE, "the threads have their names", || ours() == 20);
    // All but two wait for an answer, the two for a request.
    let client = client();
    for id in 1..=38 {
        pool.send(request(id, &client, receiver.url("/")));
    }
    receiver.wait_for(38, PATIENCE);
    drop(pool);
    assert!(ours() >= 18);
    drop(receiver);
    wait_for(PATIENCE, "the threads end", || ours() == 0);
}

fn request(id: i64, client: &Client, url: String) -> Request<Reply> {
    Request {
        id,
        client: client.clone(),
        url,
        judge: Box::new(|reply| reply),
    }
}

/// Fetches replies as the worker does, when the bell rings and not otherwise, until so many came.
#[track_caller]
fn collect(pool: &Pool<Reply>, count: usize) -> BTreeMap<i64, Vec<Reply>> {
    let mut replies = BTreeMap::<i64, Vec<Reply>>::new();
    let mut came = 0;
    while came < count {
        assert!(
            rings_within(PATIENCE, pool),
            "the bell is still, {came} of {count} came"
        );
        for finished in pool.finished() {
            replies
                .entry(finished.id)
                .or_default()
                .push(finished.judged.unwrap_or_else(Reply::Failure));
            came += 1;
        }
    }
    replies
}

/// Waits until the bell is readable; whether it is in time.
fn rings_within(time: Duration, pool: &Pool<Reply>) -> bool {
    let time = Timespec::try_from(time).expect("a time");
    let mut watched = [PollFd::from_borrowed_fd(pool.bell(), PollFlags::IN)];
    poll(&mut watched, Some(&time)).expect("poll") > 0
}
