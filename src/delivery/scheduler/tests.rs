//! Promises of the scheduler.

use std::time::Duration;

use super::*;
use crate::delivery::lane::MAX_LOCKED;
use crate::delivery::tests::server_key;

mod owners;
mod simulation;

const SECOND: Duration = Duration::from_secs(1);

fn callback(id: i64, server: u8, transaction: u8) -> Callback {
    crate::delivery::tests::callback(id, &format!("server {server}"), &transaction.to_string())
}

fn limits(max_in_flight: usize) -> Limits {
    Limits {
        max_in_flight,
        ..Limits::default()
    }
}

fn scheduler(threads: usize, servers: u8, limits: Limits, now: Instant) -> Scheduler {
    let mut scheduler = Scheduler::new(threads);
    let all = (0..servers)
        .map(|server| (server_key(&format!("server {server}")), limits))
        .collect();
    scheduler.set_servers(&all, now);
    scheduler
}

fn drain(scheduler: &mut Scheduler, now: Instant) -> Vec<i64> {
    std::iter::from_fn(|| scheduler.next(now))
        .map(|callback| callback.id)
        .collect()
}

fn finish(scheduler: &mut Scheduler, callback: &Callback, fate: Fate, now: Instant) {
    scheduler.answered(callback, Health::Well, now);
    scheduler.recorded(callback, fate);
}

#[test]
fn a_transaction_stays_busy_until_its_callback_is_on_record() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 1, limits(1), now);
    for (id, transaction) in [(1, 7), (2, 7), (3, 8)] {
        scheduler.offer(callback(id, 0, transaction));
    }
    assert_eq!(drain(&mut scheduler, now), [1]);
    scheduler.answered(&callback(1, 0, 7), Health::Well, now);
    scheduler.offer(callback(1, 0, 7));
    assert_eq!(
        drain(&mut scheduler, now),
        [3],
        "there is room, but not for 7"
    );
    scheduler.recorded(&callback(1, 0, 7), Fate::Gone);
    scheduler.answered(&callback(3, 0, 8), Health::Well, now);
    assert_eq!(drain(&mut scheduler, now), [2]);
}

#[test]
fn what_is_locked_is_not_sent_again_and_stops_its_server_when_it_is_much() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 2, limits(1), now);
    let most = MAX_LOCKED as i64;
    let same = most + 7;
    for id in 0..=same {
        let transaction = if id == same { 0 } else { id as u8 };
        scheduler.offer(callback(id, 0, transaction));
    }
    for id in 0..most {
        assert_eq!(drain(&mut scheduler, now), [id], "a lock takes no room");
        scheduler.answered(&callback(id, 0, id as u8), Health::Well, now);
        scheduler.locked(&callback(id, 0, id as u8));
        scheduler.offer(callback(id, 0, id as u8));
    }
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    assert_eq!(scheduler.next_at(now), None);
    scheduler.offer(callback(1000, 1, 0));
    assert_eq!(drain(&mut scheduler, now), [1000], "the others go on");
    scheduler.recorded(&callback(1, 0, 1), Fate::Gone);
    for id in most..same {
        assert_eq!(drain(&mut scheduler, now), [id]);
        finish(&mut scheduler, &callback(id, 0, id as u8), Fate::Gone, now);
    }
    let first = callback(0, 0, 0);
    assert_eq!(
        drain(&mut scheduler, now),
        [] as [i64; 0],
        "0 is not on record"
    );
    scheduler.recorded(&first, Fate::Gone);
    assert_eq!(drain(&mut scheduler, now), [same]);
}

#[test]
fn what_was_never_sent_holds_none_of_its_transaction_id() {
    let now = Instant::now();
    for (attempts, next) in [(0, vec![2]), (1, vec![])] {
        let mut scheduler = scheduler(10, 1, limits(4), now);
        let first = Callback {
            attempts,
            ..callback(1, 0, 7)
        };
        scheduler.offer(first.clone());
        scheduler.offer(callback(2, 0, 7));
        assert_eq!(drain(&mut scheduler, now), [1]);
        scheduler.unsent(&first);
        assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
        scheduler.recorded(&first, Fate::Unsent);
        assert_eq!(drain(&mut scheduler, now), next);
    }
}

#[test]
fn what_was_not_tried_for_want_of_descriptors_waits_and_so_does_all_else() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 2, limits(10), now);
    for (id, server, transaction) in [(1, 0, 7), (2, 0, 7), (3, 1, 7)] {
        scheduler.offer(callback(id, server, transaction));
    }
    let first = scheduler.next(now).expect("the first");
    scheduler.put_back(first, now);
    assert_eq!(scheduler.in_flight(), 0);
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    assert_eq!(scheduler.next_at(now), Some(now + REST));
    let mut sent = drain(&mut scheduler, now + REST);
    sent.sort_unstable();
    assert_eq!(sent, [1, 3], "2 waits for 1");
}

#[test]
fn one_transaction_goes_out_in_order_and_one_at_a_time() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 1, limits(10), now);
    for (id, transaction) in [(1, 7), (2, 7), (3, 8)] {
        scheduler.offer(callback(id, 0, transaction));
    }
    assert_eq!(drain(&mut scheduler, now), [1, 3]);
    finish(&mut scheduler, &callback(1, 0, 7), Fate::Gone, now);
    assert_eq!(drain(&mut scheduler, now), [2]);
}

#[test]
fn an_earlier_callback_that_is_offered_later_goes_first() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 1, limits(10), now);
    // By the clock, which was set back, 4 was due before 1 and 2.
    for (id, transaction) in [(4, 7), (5, 8), (6, 7), (1, 7), (2, 7), (3, 9)] {
        scheduler.offer(callback(id, 0, transaction));
    }
    let mut sent = Vec::new();
    while let ids @ [_, ..] = &drain(&mut scheduler, now)[..] {
        for id in ids {
            sent.push(*id);
            let transaction = match id {
                5 => 8,
                3 => 9,
                _ => 7,
            };
            finish(
                &mut scheduler,
                &callback(*id, 0, transaction),
                Fate::Gone,
                now,
            );
        }
    }
    assert_eq!(sent, [1, 5, 3, 2, 4, 6]);
}

#[test]
fn a_callback_that_is_tried_again_or_parked_holds_the_later_ones() {
    let now = Instant::now();
    for fate in [Fate::Parked, Fate::Later(5 * SECOND)] {
        let mut scheduler = scheduler(10, 1, limits(1), now);
        for (id, transaction) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
            scheduler.offer(callback(id, 0, transaction));
        }
        assert_eq!(drain(&mut scheduler, now), [1]);
        finish(&mut scheduler, &callback(1, 0, 7), fate, now);
        assert_eq!(drain(&mut scheduler, now), [3]);
        finish(&mut scheduler, &callback(3, 0, 8), Fate::Gone, now);
        assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
        scheduler.offer(callback(2, 0, 7));
        assert_eq!(drain(&mut scheduler, now), [2]);
    }
}

#[test]
fn servers_take_turns_within_their_limits() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 2, limits(3), now);
    for id in 0..100 {
        scheduler.offer(callback(id, 0, id as u8));
    }
    scheduler.offer(callback(100, 1, 0));
    scheduler.offer(callback(101, 1, 1));
    assert_eq!(drain(&mut scheduler, now), [0, 100, 1, 101, 2]);
    assert_eq!(scheduler.in_flight(), 5);
}

#[test]
fn slow_servers_leave_threads_to_the_others() {
    let now = Instant::now();
    let mut scheduler = scheduler(32, 4, limits(16), now);
    let mut id = 0;
    for server in 0..3 {
        for _ in 0..100 {
            id += 1;
            scheduler.offer(callback(id, server, id as u8));
        }
    }
    assert_eq!(drain(&mut scheduler, now).len(), 24, "a quarter stays free");
    for _ in 0..100 {
        id += 1;
        scheduler.offer(callback(id, 3, id as u8));
    }
    assert_eq!(
        drain(&mut scheduler, now).len(),
        4,
        "the rest stays for servers that have nothing in flight"
    );
}

#[test]
fn a_paused_server_is_sent_nothing() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 1, limits(0), now);
    scheduler.offer(callback(1, 0, 1));
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    assert_eq!(scheduler.next_at(now), None);
    scheduler.set_servers(&HashMap::from([(server_key("server 0"), limits(1))]), now);
    scheduler.offer(callback(1, 0, 1));
    assert_eq!(drain(&mut scheduler, now), [1]);
}

#[test]
fn what_is_in_flight_is_not_taken_again() {
    let now = Instant::now();
    let mut scheduler = scheduler(10, 1, limits(1), now);
    scheduler.offer(callback(1, 0, 1));
    scheduler.offer(callback(2, 0, 2));
    assert_eq!(drain(&mut scheduler, now), [1]);
    scheduler.set_servers(&HashMap::from([(server_key("server 0"), limits(1))]), now);
    scheduler.offer(callback(1, 0, 1));
    finish(&mut scheduler, &callback(1, 0, 1), Fate::Gone, now);
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    scheduler.offer(callback(2, 0, 2));
    assert_eq!(drain(&mut scheduler, now), [2]);
}

/// A server, and a callback for it.
fn known_as(name: &str, oid: u32) -> (ServerKey, impl Fn(i64) -> Callback) {
    let (name, oid) = (name.to_owned(), Some(oid));
    let key = ServerKey { name, oid };
    let server = key.clone();
    let callback = move |id| Callback {
        server: server.clone(),
        ..callback(id, 0, 1)
    };
    (key, callback)
}

#[test]
fn a_server_with_the_name_of_another_gets_nothing_of_it() {
    let now = Instant::now();
    let ((old, of_old), (new, of_new)) = (known_as("x", 1), known_as("x", 2));
    let mut scheduler = scheduler(10, 0, limits(1), now);
    scheduler.set_servers(&HashMap::from([(old, limits(1))]), now);
    for id in 1..=4 {
        scheduler.offer(Callback {
            transaction_id: id.to_string(),
            ..of_old(id)
        });
    }
    assert_eq!(drain(&mut scheduler, now), [1]);
    scheduler.set_servers(&HashMap::from([(new.clone(), limits(2))]), now);
    scheduler.offer(of_new(10));
    // Neither what waited, nor what was not tried after all; and it does not hold the new one's.
    scheduler.put_back(of_old(1), now);
    let later = now + SECOND;
    assert_eq!(drain(&mut scheduler, later), [10]);
    scheduler.answered(&of_new(10), Health::Well, later);
    scheduler.recorded(&of_new(10), Fate::Gone);
    scheduler.set_servers(&HashMap::from([(new, limits(2))]), later);
    assert_eq!(scheduler.occupations().count(), 1);
    assert_eq!(drain(&mut scheduler, later), [] as [i64; 0]);
}

#[test]
fn a_renamed_server_goes_on_in_order() {
    let now = Instant::now();
    let ((old, of_old), (new, of_new)) = (known_as("x", 1), known_as("y", 1));
    let mut scheduler = scheduler(10, 0, limits(1), now);
    scheduler.set_servers(&HashMap::from([(old, limits(2))]), now);
    scheduler.offer(of_old(1));
    assert_eq!(drain(&mut scheduler, now), [1]);
    scheduler.set_servers(&HashMap::from([(new, limits(2))]), now);
    let names: Vec<_> = scheduler
        .occupations()
        .map(|(server, it)| (server.name.clone(), it.in_flight))
        .collect();
    assert_eq!(names, [("y".to_owned(), 1)]);
    scheduler.offer(of_new(1));
    scheduler.offer(of_new(2));
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    finish(&mut scheduler, &of_old(1), Fate::Gone, now);
    assert_eq!(drain(&mut scheduler, now), [2]);
}

#[test]
fn not_now_pauses_a_server_and_no_other() {
    let now = Instant::now();
    let mut scheduler = scheduler(32, 2, limits(4), now);
    for id in 0..20 {
        scheduler.offer(callback(id, (id % 2) as u8, id as u8));
    }
    assert_eq!(drain(&mut scheduler, now).len(), 8);
    let busy = Health::Busy(Some(60 * SECOND));
    for id in [0, 2, 4, 6] {
        let first = callback(id, 0, id as u8);
        assert!(!scheduler.answered(&first, busy, now), "that is not broken");
        scheduler.recorded(&first, Fate::Later(60 * SECOND));
    }
    for id in [1, 3, 5, 7] {
        finish(&mut scheduler, &callback(id, 1, id as u8), Fate::Gone, now);
    }
    assert_eq!(drain(&mut scheduler, now), [9, 11, 13, 15]);
    assert_eq!(drain(&mut scheduler, now + 59 * SECOND), [] as [i64; 0]);
    assert_eq!(scheduler.next_at(now), Some(now + 60 * SECOND));
    assert_eq!(drain(&mut scheduler, now + 60 * SECOND), [8], "a probe");
}

#[test]
fn broken_servers_are_shown_first_and_the_others_only_if_busy() {
    let all = |broken: usize| {
        (0..200).map(move |n| {
            let occupation = Occupation {
                in_flight: n % 5,
                is_broken: n >= 200 - broken,
            };
            (n, occupation)
        })
    };
    for (broken, is_cut) in [(0, false), (64, false), (65, true)] {
        let (shown, cut) = worth_showing(all(broken), 64);
        let count = shown.iter().filter(|(_, it)| it.is_broken).count();
        assert_eq!((shown.len(), count, cut), (64, broken.min(64), is_cut));
    }
    let (shown, cut) = worth_showing(all(30), 190);
    assert_eq!((shown.len(), cut), (30 + 136, false));
}
