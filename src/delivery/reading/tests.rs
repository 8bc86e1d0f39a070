//! Promises of the readings.

use std::time::{Duration, Instant};

use super::*;
use crate::delivery::breaker::Health;
use crate::delivery::lane::Limits;
use crate::delivery::retry::Fate;
use crate::delivery::tests::server_key;

const NO_CALLS: Calls = Calls {
    wakes: 0,
    reloads: 0,
};

/// Nothing was committed since.
const NEVER: Timestamp = Timestamp::INFINITY;

fn callback(id: i64, server: usize, due_at: i64) -> Callback {
    Callback {
        due_at: Timestamp(due_at),
        ..crate::delivery::tests::callback(id, &format!("s{server}"), &id.to_string())
    }
}

/// The worker's servers, and a queue that it reads.
struct World {
    now: Instant,
    scheduler: Scheduler,
    reading: Reading,
    calls: Calls,
}

impl World {
    /// With so many servers, of which everything was read at 1000.
    fn new(servers: usize) -> World {
        let now = Instant::now();
        let mut world = World {
            now,
            scheduler: Scheduler::new(10),
            reading: Reading::new(Instant::now()),
            calls: NO_CALLS,
        };
        world.set_servers(servers, Limits::default());
        world.read(NEVER, 1000, vec![]);
        world
    }

    fn set_servers(&mut self, servers: usize, limits: Limits) {
        let servers = (0..servers)
            .map(|n| (server_key(&format!("s{n}")), limits))
            .collect();
        self.scheduler.set_servers(&servers, self.now);
    }

    fn is_needed(&self) -> bool {
        self.reading
            .is_needed(self.calls, true, self.now, &self.scheduler)
    }

    fn begin(&mut self, earliest: Timestamp) -> Plan {
        self.reading.begin(
            self.now,
            self.calls,
            earliest,
            false,
            false,
            &mut self.scheduler,
        )
    }

    /// A whole reading at a time, which finds this.
    fn read(&mut self, earliest: Timestamp, at: i64, due: Vec<Callback>) -> Query {
        let plan = self.begin(earliest);
        let query = self.reading.query(&self.scheduler);
        let mut found = Found::new(Timestamp(at));
        due.into_iter().for_each(|callback| found.add(callback));
        self.reading.take(query.clone(), found, &mut self.scheduler);
        self.reading.end(plan, true);
        query
    }

    /// From where server 0 would be read.
    fn position(&self) -> Option<Position> {
        let query = self.reading.query(&self.scheduler);
        let of_first = query.after.iter().find(|(server, _)| server.name == "s0");
        of_first.map(|(_, position)| *position)
    }
}

#[test]
fn the_first_reading_reads_everything() {
    let mut world = World {
        reading: Reading::new(Instant::now()),
        ..World::new(2)
    };
    assert!(world.is_needed());
    assert!(world.begin(NEVER).reads_servers);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn what_is_read_is_not_read_again() {
    let world = World::new(2);
    assert!(!world.is_needed());
    assert_eq!(world.position(), None);
}

#[test]
fn a_commit_is_read_from_its_earliest_due_time() {
    for (earliest, from) in [
        (Timestamp(400), (Timestamp(400), 0)),
        // What commits later is due later, and nothing lies between.
        (Timestamp(2000), (Timestamp(1000), i64::MAX)),
        (NEVER, (Timestamp(1000), i64::MAX)),
    ] {
        let mut world = World::new(1);
        world.calls.wakes += 1;
        assert!(world.is_needed());
        assert!(!world.begin(earliest).reads_servers);
        assert_eq!(world.position(), Some(from));
    }
}

#[test]
fn commits_are_not_answered_before_the_rest_is_over() {
    let mut world = World::new(1);
    world.calls.wakes += 1;
    let is_needed = |world: &World, is_rested| {
        world
            .reading
            .is_needed(world.calls, is_rested, world.now, &world.scheduler)
    };
    assert!(!is_needed(&world, false));
    assert!(is_needed(&world, true));
    world.calls.reloads += 1;
    assert!(is_needed(&world, false), "a changed server does not wait");
}

#[test]
fn a_commit_during_a_reading_is_not_lost() {
    let mut world = World::new(1);
    world.calls.wakes += 1;
    let plan = world.begin(Timestamp(500));
    world.calls.wakes += 1;
    world.reading.end(plan, true);
    assert!(world.is_needed());
    world.read(Timestamp(600), 1100, vec![]);
    assert!(!world.is_needed());
    assert_eq!(world.reading.answered_wakes(), Some(2));
}

#[test]
fn a_reload_reads_servers_and_queue_anew() {
    let mut world = World::new(1);
    world.calls.reloads += 1;
    assert!(world.is_needed());
    assert!(world.begin(NEVER).reads_servers);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn a_change_that_the_worker_finds_itself_does_the_same() {
    let mut world = World::new(1);
    world.reading.start_over();
    assert!(world.is_needed());
    assert!(world.begin(NEVER).reads_servers);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn the_safety_look_reads_everything_anew_and_looks_for_prepared_transactions() {
    let mut world = World::new(1);
    let plan = world.reading.begin(
        world.now,
        NO_CALLS,
        NEVER,
        false,
        true,
        &mut world.scheduler,
    );
    assert!(plan.reads_servers && plan.looks_for_prepared);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn while_transactions_are_prepared_the_queue_is_read_from_the_start() {
    let mut world = World::new(1);
    let plan = world.reading.begin(
        world.now,
        NO_CALLS,
        NEVER,
        true,
        false,
        &mut world.scheduler,
    );
    assert!(plan.looks_for_prepared && !plan.reads_servers);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn after_a_reading_that_failed_everything_is_read_anew() {
    let mut world = World::new(1);
    world.calls.wakes += 1;
    let plan = world.begin(Timestamp(500));
    world.reading.end(plan, false);
    assert!(world.is_needed());
    assert!(world.begin(NEVER).reads_servers);
    assert_eq!(world.position(), Some(START));
}

#[test]
fn a_clock_that_was_set_back_makes_the_next_reading_start_over() {
    let mut world = World::new(1);
    world.read(NEVER, 900, vec![]);
    assert_eq!(world.position(), Some(START));
    // Once: then the clock goes on from there.
    world.read(NEVER, 950, vec![]);
    assert_eq!(world.position(), None);
}

#[test]
fn a_window_is_shared_by_all_servers_within_bounds() {
    for (servers, limit) in [
        (0, 500),
        (1, 500),
        (8, 500),
        (10, 400),
        (100, 40),
        (1000, 20),
    ] {
        let world = World::new(servers);
        assert_eq!(
            world.reading.query(&world.scheduler).window.callbacks,
            limit,
            "{servers}"
        );
    }
}

#[test]
fn a_full_window_is_read_on_from_its_last_when_it_runs_dry() {
    let mut world = World::new(1);
    world.calls.wakes += 1;
    let due = (1..=500).map(|id| callback(id, 0, 100 + id / 2)).collect();
    let query = world.read(Timestamp(0), 1100, due);
    assert_eq!(query.after, [(server_key("s0"), (Timestamp(0), 0))]);
    assert!(!world.is_needed(), "500 wait");
    assert_eq!(world.position(), None, "there is no room");
    let mut sent = 0;
    while !world.is_needed() {
        let callback = world.scheduler.next(world.now).expect("one that waits");
        world.scheduler.unsent(&callback);
        world.scheduler.recorded(&callback, Fate::Gone);
        sent += 1;
    }
    assert_eq!(sent, 376, "124 are fewer than a quarter");
    assert_eq!(world.position(), Some((Timestamp(350), 500)));
    // The end of the queue.
    world.read(NEVER, 1200, vec![callback(501, 0, 351)]);
    assert!(!world.is_needed());
    assert_eq!(world.position(), None);
}

#[test]
fn a_callback_that_may_have_held_others_lets_its_server_be_read_from_the_start() {
    for (attempts, fate, from) in [
        (0, Fate::Gone, None),
        (1, Fate::Gone, Some(START)),
        (1, Fate::Parked, None),
    ] {
        let mut world = World::new(2);
        let callback = Callback {
            attempts,
            ..callback(1, 0, 100)
        };
        world.calls.wakes += 1;
        world.read(Timestamp(100), 1000, vec![callback.clone()]);
        assert!(world.scheduler.next(world.now).is_some());
        world.scheduler.unsent(&callback);
        world.scheduler.recorded(&callback, fate);
        assert_eq!(world.position(), from);
        assert_eq!(world.is_needed(), from.is_some());
        assert!(
            world.reading.query(&world.scheduler).after.len() <= 1,
            "no other server"
        );
    }
}

#[test]
fn nothing_is_read_of_a_paused_server() {
    let mut world = World::new(2);
    world.set_servers(2, Limits::PAUSED);
    world.calls.reloads += 1;
    let query = world.read(NEVER, 1100, vec![]);
    assert!(query.after.is_empty() && query.active.is_empty());
    assert!(!world.is_needed());
    world.set_servers(2, Limits::default());
    let query = world.reading.query(&world.scheduler);
    assert_eq!(query.active, ["s0", "s1"].map(server_key));
    assert_eq!(world.position(), Some(START));
}

#[test]
fn a_callback_of_which_a_copy_waits_is_not_taken_twice() {
    let mut world = World::new(1);
    world.calls.wakes += 1;
    world.read(Timestamp(100), 1000, vec![callback(1, 0, 100)]);
    world.calls.wakes += 1;
    world.read(Timestamp(100), 1000, vec![callback(1, 0, 100)]);
    assert!(world.scheduler.next(world.now).is_some());
    assert!(world.scheduler.next(world.now).is_none());
}

#[test]
fn a_worker_that_is_to_start_over_has_answered_no_call() {
    let mut world = World::new(1);
    world.read(NEVER, 1000, vec![]);
    assert_eq!(world.reading.answered_wakes(), Some(world.calls.wakes));
    assert!(!world.is_needed());
    world.reading.start_over();
    assert_eq!(world.reading.answered_wakes(), None, "it is not idle");
    assert!(world.is_needed());
}

#[test]
fn however_often_servers_change_they_are_read_once_a_second_and_commits_all_the_time() {
    const SECONDS: u64 = 30;
    let mut world = World::new(1);
    let (start, mut reads) = (world.now, 0);
    for millisecond in 0..1000 * SECONDS {
        world.now = start + Duration::from_millis(millisecond);
        world.calls.reloads += 1;
        world.calls.wakes += 1;
        assert!(world.is_needed(), "a commit is read");
        world.read(NEVER, 1000, vec![]);
        let is_all_answered = world.reading.answered_wakes() == Some(world.calls.wakes);
        reads += u64::from(is_all_answered);
    }
    assert!((SECONDS..SECONDS + 12).contains(&reads), "{reads} times");
    // The last change is read when it is time, without another call.
    assert!(!world.is_needed());
    let at = world.reading.next_at(world.calls, world.now);
    world.now = at.expect("a change is not read yet");
    assert!(world.now < start + Duration::from_secs(SECONDS + 1));
    assert!(world.is_needed());
    world.read(NEVER, 1000, vec![]);
    assert_eq!(world.reading.answered_wakes(), Some(world.calls.wakes));
    assert!(!world.is_needed());
    assert_eq!(world.reading.next_at(world.calls, world.now), None);
}

#[test]
fn a_window_is_full_of_bytes_too() {
    let mut world = World::new(2);
    let heavy = |id| Callback {
        parameters: [("x".to_owned(), "x".repeat(60_000))].into(),
        ..callback(id, 0, 1000)
    };
    world.calls.wakes += 1;
    let plan = world.begin(Timestamp(1000));
    let query = world.reading.query(&world.scheduler);
    assert_eq!(query.window.bytes, 1_024_000);
    let mut found = Found::new(Timestamp(2000));
    let wanted = (1..1000).take_while(|id| {
        let is_wanted = !found.fills(&server_key("s0"), query.window);
        is_wanted.then(|| found.add(heavy(*id))).is_some()
    });
    let count = wanted.count() as i64;
    assert_eq!(
        count, 18,
        "no more than a window but for a part of the last one"
    );
    assert!(!found.fills(&server_key("s1"), query.window));
    world.reading.take(query, found, &mut world.scheduler);
    world.reading.end(plan, true);
    assert_eq!(world.position(), None, "enough waits");
    assert!(!world.is_needed());
    let mut sent = 0;
    while !world.is_needed() {
        let callback = world.scheduler.next(world.now).expect("one that waits");
        world.scheduler.answered(&callback, Health::Well, world.now);
        world.scheduler.recorded(&callback, Fate::Gone);
        sent += 1;
    }
    assert_eq!(sent, 14, "less than a quarter waits");
    assert_eq!(world.position(), Some((Timestamp(1000), count)));
    // What is forgotten waits no more.
    world.set_servers(2, Limits::default());
    assert_eq!(world.position(), Some(START));
}

#[test]
fn one_callback_of_each_server_is_read_whatever_its_size() {
    let mut world = World::new(2);
    let huge = |id, server| Callback {
        parameters: [("x".to_owned(), "x".repeat(10 << 20))].into(),
        ..callback(id, server, 1000)
    };
    let query = world.reading.query(&world.scheduler);
    let mut found = Found::new(Timestamp(2000));
    for server in 0..2 {
        let key = server_key(&format!("s{server}"));
        assert!(!found.fills(&key, query.window));
        found.add(huge(server as i64, server));
        assert!(found.fills(&key, query.window));
    }
    world.reading.take(query, found, &mut world.scheduler);
    assert!(world.scheduler.next(world.now).is_some());
    assert!(world.scheduler.next(world.now).is_some());
}
