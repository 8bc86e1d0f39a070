//! Servers of several owners: none of them gets all threads.

use proptest::prelude::*;

use super::*;

/// A scheduler whose servers never rest and have no limit of their own: `owner` says whose each is.
fn owned(threads: usize, servers: u8, owner: impl Fn(u8) -> u32, now: Instant) -> Scheduler {
    let mut scheduler = Scheduler::new(threads);
    scheduler.set_servers(&all(0..servers, owner), now);
    scheduler
}

fn all(
    servers: impl IntoIterator<Item = u8>,
    owner: impl Fn(u8) -> u32,
) -> HashMap<ServerKey, Limits> {
    let server = |server| {
        let limits = Limits {
            owner: owner(server),
            ..limits(256)
        };
        (server_key(&format!("server {server}")), limits)
    };
    servers.into_iter().map(server).collect()
}

fn offer(scheduler: &mut Scheduler, server: u8, count: u8) {
    for id in 0..count {
        scheduler.offer(callback(
            i64::from(server) * 256 + i64::from(id),
            server,
            id,
        ));
    }
}

#[test]
fn an_owner_takes_no_more_threads_than_it_leaves_while_there_are_others() {
    let now = Instant::now();
    let mut scheduler = owned(32, 240, |server| 1 + u32::from(server / 40), now);
    let taken = (0..6).map(|owner| {
        (40 * owner..40 * (owner + 1)).for_each(|server| offer(&mut scheduler, server, 10));
        drain(&mut scheduler, now).len()
    });
    assert_eq!(taken.collect::<Vec<_>>(), [16, 8, 4, 2, 1, 1]);
}

#[test]
fn an_only_owner_takes_all_threads() {
    let now = Instant::now();
    let mut scheduler = owned(32, 100, |_| 1, now);
    (0..100).for_each(|server| offer(&mut scheduler, server, 1));
    assert_eq!(drain(&mut scheduler, now).len(), 32);
}

#[test]
fn owners_without_a_server_that_is_sent_to_do_not_count() {
    let now = Instant::now();
    let mut scheduler = Scheduler::new(32);
    let mut servers = all(0..40, |_| 1);
    servers.insert(server_key("gone"), Limits::NONE);
    let paused = Limits {
        owner: 2,
        ..limits(0)
    };
    servers.insert(server_key("paused"), paused);
    scheduler.set_servers(&servers, now);
    (0..40).for_each(|server| offer(&mut scheduler, server, 1));
    assert_eq!(drain(&mut scheduler, now).len(), 32);
}

#[test]
fn dropped_servers_count_for_their_owner_until_they_answer() {
    let now = Instant::now();
    let owner = |server| 1 + u32::from(server % 2);
    let mut scheduler = owned(32, 2, owner, now);
    offer(&mut scheduler, 0, 100);
    assert_eq!(drain(&mut scheduler, now).len(), 16);
    // Server 0 is gone; its owner has another one.
    scheduler.set_servers(&all([1, 2], owner), now);
    offer(&mut scheduler, 2, 100);
    assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
    scheduler.answered(&callback(0, 0, 0), Health::Well, now);
    assert_eq!(drain(&mut scheduler, now).len(), 1);
}

/// What happens next in a random history: a server gets callbacks, one that is in flight is answered,
/// or a server is dropped or made.
#[derive(Clone, Debug)]
enum Event {
    Queued { server: u8, count: u8 },
    Answered { which: usize, health: Health },
    Changed { server: u8 },
}

fn event() -> impl Strategy<Value = Event> {
    let health = prop_oneof![Just(Health::Well), Just(Health::Ill)];
    prop_oneof![
        (0..24_u8, 1..40_u8).prop_map(|(server, count)| Event::Queued { server, count }),
        (any::<usize>(), health).prop_map(|(which, health)| Event::Answered { which, health }),
        (2..24_u8).prop_map(|server| Event::Changed { server }),
    ]
}

proptest! {
    /// However many servers they have, however long those hang, and whichever they drop and make: k
    /// owners leave one thread of 2^k, and an owner that has nothing in flight gets it.
    #[test]
    fn each_other_owner_halves_the_free_threads_at_most(
        threads in 1..70_usize,
        history in prop::collection::vec((event(), 0..20_u64), 1..100),
    ) {
        const OWNERS: u8 = 7;
        let owner = |server: u8| 1 + u32::from(server % OWNERS);
        let mut now = Instant::now();
        let mut scheduler = owned(threads, 24, owner, now);
        let mut servers: HashSet<u8> = (0..24).collect();
        let mut in_flight: Vec<Callback> = Vec::new();
        let mut id = 0;
        for (event, seconds) in history {
            now += Duration::from_secs(seconds);
            match event {
                Event::Queued { server, count } => for _ in 0..count {
                    id += 1;
                    let name = format!("server {server}");
                    scheduler.offer(crate::delivery::tests::callback(id, &name, &id.to_string()));
                },
                Event::Answered { which, health } if !in_flight.is_empty() => {
                    let callback = in_flight.swap_remove(which % in_flight.len());
                    scheduler.answered(&callback, health, now);
                    scheduler.recorded(&callback, Fate::Gone);
                }
                Event::Answered { .. } => {}
                Event::Changed { server } => {
                    // The first two stay, so that there are always two owners.
                    if !servers.remove(&server) {
                        servers.insert(server);
                    }
                    scheduler.set_servers(&all(servers.iter().copied(), owner), now);
                }
            }
            in_flight.extend(std::iter::from_fn(|| scheduler.next(now)));
            let server = |callback: &Callback| callback.server.name["server ".len()..].parse::<u8>();
            let busy: HashSet<u32> = in_flight
                .iter()
                .map(|callback| owner(server(callback).expect("a number")))
                .collect();
            let free = threads - in_flight.len();
            prop_assert!(free >= threads >> busy.len(), "{free} of {threads}: {busy:?}");
        }
        // One more owner, with nothing in flight.
        let busy = scheduler.owners.values().filter(|taken| **taken > 0).count();
        let mut limits = all(servers, owner);
        limits.extend(all([200], |_| 200));
        scheduler.set_servers(&limits, now);
        offer(&mut scheduler, 200, 1);
        let next = scheduler.next(now).map(|callback| callback.server);
        if threads >> busy > 0 {
            prop_assert_eq!(next, Some(server_key("server 200")));
        }
    }
}
