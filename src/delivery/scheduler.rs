//! What to send next: a state machine without clock, threads or PostgreSQL.
//!
//! The worker says how servers are to be treated, offers callbacks that are due, asks for the next
//! to send, and says when it is answered and when that is on record. Then holds:
//!
//! - Callbacks of one (server, action, transaction) go out one after the other in the order of their
//!   numbers, as far as they wait here together: they are offered in the order in which they are
//!   due, which is another one if the clock was set back between two of them. One that must be
//!   tried again, or is parked, holds the later ones back: they are forgotten here until the queue
//!   offers them again.
//! - A server has at most `max_in_flight` requests at once and `requests_per_second`.
//! - A broken server, and one that says "not now", rests and then gets one probe at a time (see
//!   [`super::breaker`]).
//! - A server of which much is answered and cannot be recorded, because somebody else has locked
//!   it, gets no more: after a crash all of that is sent again.
//! - Servers take turns. One that has more than its fair share of the pool's threads gets no more
//!   while fewer than a quarter of them are free: those are for the others.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Instant;

use super::Callback;
use super::breaker::{Breaker, Health};
use super::bucket::Bucket;
use super::retry::Fate;

/// So many callbacks of a server that somebody else has locked may be answered and not on record.
const MOST_LOCKED: usize = 64;

/// Stands for an action and a transaction id. Two that fall together only wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TransactionHash(u64);

impl TransactionHash {
    fn of(callback: &Callback) -> TransactionHash {
        let mut hasher = DefaultHasher::new();
        (callback.action, &callback.transaction_id).hash(&mut hasher);
        TransactionHash(hasher.finish())
    }
}

/// How much a server may be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests at once; zero while it is paused.
    pub max_in_flight: usize,
    /// Requests per second, if there is a limit.
    pub requests_per_second: Option<f64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_in_flight: 16,
            requests_per_second: None,
        }
    }
}

impl Limits {
    /// No limits: of a server that is not known, whose callbacks are only looked at.
    pub const NONE: Limits = Limits {
        max_in_flight: usize::MAX,
        requests_per_second: None,
    };
}

/// Callbacks that are due, and those in flight.
#[derive(Debug)]
pub struct Scheduler {
    /// How many requests the pool takes at once.
    threads: usize,
    /// By server.
    lanes: BTreeMap<String, Lane>,
    /// The ids of all that wait here or are sent and not yet on record.
    known: HashSet<i64>,
    /// Requests on the wire.
    in_flight: usize,
    /// The server that was served last.
    turn: String,
}

/// The callbacks of one server.
#[derive(Debug)]
struct Lane {
    limits: Limits,
    bucket: Option<Bucket>,
    breaker: Breaker,
    waiting: VecDeque<(TransactionHash, Callback)>,
    /// No callback has waited here with a higher id since there was none.
    highest: i64,
    /// Requests on the wire.
    in_flight: usize,
    /// Transactions with a callback that is sent and not yet on record.
    busy: HashSet<TransactionHash>,
    /// The ids of those that are answered and cannot be recorded, because somebody has locked them.
    locked: HashSet<i64>,
}

/// What a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupation {
    /// Requests in flight.
    pub in_flight: usize,
    /// Nothing but probes goes there.
    pub is_broken: bool,
}

impl Scheduler {
    /// A scheduler for a pool of so many threads.
    pub fn new(threads: usize) -> Scheduler {
        Scheduler {
            threads,
            lanes: BTreeMap::new(),
            known: HashSet::new(),
            in_flight: 0,
            turn: String::new(),
        }
    }

    /// Takes over the limits of all servers that there are. What is known of a server's health
    /// stays; servers that are not named have no limits any more.
    pub fn set_limits(&mut self, limits: &HashMap<String, Limits>, now: Instant) {
        self.lanes.retain(|server, lane| {
            lane.set_limits(limits.get(server).copied().unwrap_or(Limits::NONE), now);
            limits.contains_key(server) || !lane.is_empty()
        });
        for (server, limits) in limits {
            if !self.lanes.contains_key(server) {
                self.lanes.insert(server.clone(), Lane::new(*limits, now));
            }
        }
    }

    /// Takes a callback that is due; one that is known already is left alone.
    ///
    /// Callbacks of one server are offered in the order in which they are to go out; one of a
    /// transaction of which a later one waits already goes before that.
    pub fn offer(&mut self, callback: Callback, now: Instant) {
        if !self.known.insert(callback.id) {
            return;
        }
        let lane = match self.lanes.get_mut(&callback.server) {
            Some(lane) => lane,
            None => self
                .lanes
                .entry(callback.server.clone())
                .or_insert_with(|| Lane::new(Limits::NONE, now)),
        };
        lane.wait(callback);
    }

    /// How many callbacks of a server wait here.
    pub fn waiting(&self, server: &str) -> usize {
        self.lanes.get(server).map_or(0, |lane| lane.waiting.len())
    }

    /// How many callbacks are on the wire.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What each server is doing.
    pub fn occupations(&self) -> impl Iterator<Item = (&str, Occupation)> {
        self.lanes.iter().map(|(server, lane)| {
            let occupation = Occupation {
                in_flight: lane.in_flight,
                is_broken: lane.breaker.is_broken(),
            };
            (server.as_str(), occupation)
        })
    }

    /// Forgets what waits, so that it is read again; what is in flight stays.
    pub fn forget_waiting(&mut self) {
        for lane in self.lanes.values_mut() {
            for (_, callback) in lane.waiting.drain(..) {
                self.known.remove(&callback.id);
            }
        }
    }

    /// The next callback to send now, if there is one.
    pub fn next(&mut self, now: Instant) -> Option<Callback> {
        let free = self.threads.saturating_sub(self.in_flight);
        if free == 0 {
            return None;
        }
        let fair_share = (self.threads / self.lanes.len().max(1)).max(1);
        let room = |lane: &Lane| lane.in_flight < fair_share || free > self.threads / 4;
        let after_turn = self
            .lanes
            .range::<str, _>((Excluded(self.turn.as_str()), Unbounded));
        let (server, place) = after_turn
            .chain(&self.lanes)
            .filter(|(_, lane)| lane.has_room(now) && lane.has_token(now) && room(lane))
            .find_map(|(server, lane)| Some((server.clone(), lane.first_free()?)))?;
        let lane = self.lanes.get_mut(&server)?;
        let (transaction, callback) = lane.waiting.remove(place)?;
        lane.busy.insert(transaction);
        lane.in_flight += 1;
        if let Some(bucket) = &mut lane.bucket {
            bucket.take(now);
        }
        self.in_flight += 1;
        self.turn = server;
        Some(callback)
    }

    /// When to ask for the next again if nothing else happens: a token drops or a pause ends.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let of_lane = |lane: &Lane| {
            lane.first_free()?;
            match lane.breaker.rests_until().filter(|until| *until > now) {
                Some(until) => Some(until),
                None if lane.has_room(now) => lane.bucket.as_ref()?.next(now),
                None => None,
            }
        };
        self.lanes.values().filter_map(of_lane).min()
    }

    /// Whether something would be sent now but for its server's rate.
    pub fn waits_for_a_token(&self, now: Instant) -> bool {
        self.lanes
            .values()
            .any(|lane| lane.has_room(now) && !lane.has_token(now) && lane.first_free().is_some())
    }

    /// A callback that [`Scheduler::next`] returned is answered, well or ill: there is room for
    /// another one. Returns whether the server broke by that, or is no longer broken.
    pub fn answered(&mut self, callback: &Callback, health: Health, now: Instant) -> bool {
        match self.make_room(callback) {
            Some(lane) => lane.breaker.heard(health, lane.limits.max_in_flight, now),
            None => false,
        }
    }

    /// A callback that [`Scheduler::next`] returned could not be sent at all, which says nothing of
    /// its server.
    pub fn unsent(&mut self, callback: &Callback) {
        self.make_room(callback);
    }

    /// A callback is not on the wire any more. Returns its server's lane.
    fn make_room(&mut self, callback: &Callback) -> Option<&mut Lane> {
        self.in_flight -= 1;
        let lane = self.lanes.get_mut(&callback.server)?;
        lane.in_flight -= 1;
        Some(lane)
    }

    /// What became of a callback that is answered cannot be recorded yet: somebody else has locked
    /// it. Until it is on record it is not sent again, nor are later ones of its transaction sent.
    pub fn locked(&mut self, callback: &Callback) {
        if let Some(lane) = self.lanes.get_mut(&callback.server) {
            lane.locked.insert(callback.id);
        }
    }

    /// What became of a callback is on record: the next one of its transaction may go. Unless it
    /// is gone, later ones are forgotten instead: the queue holds them back.
    pub fn recorded(&mut self, callback: &Callback, fate: Fate) {
        self.known.remove(&callback.id);
        let Some(lane) = self.lanes.get_mut(&callback.server) else {
            return;
        };
        let recorded = TransactionHash::of(callback);
        lane.busy.remove(&recorded);
        lane.locked.remove(&callback.id);
        if fate != Fate::Gone {
            lane.waiting.retain(|(transaction, waiting)| {
                let stays = *transaction != recorded;
                if !stays {
                    self.known.remove(&waiting.id);
                }
                stays
            });
        }
    }
}

impl Lane {
    fn new(limits: Limits, now: Instant) -> Lane {
        let mut lane = Lane {
            limits,
            bucket: None,
            breaker: Breaker::default(),
            waiting: VecDeque::new(),
            highest: i64::MIN,
            in_flight: 0,
            busy: HashSet::new(),
            locked: HashSet::new(),
        };
        lane.set_limits(limits, now);
        lane
    }

    fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        if self.bucket.as_ref().map(Bucket::per_second) != limits.requests_per_second {
            self.bucket = limits
                .requests_per_second
                .map(|rate| Bucket::new(rate, now));
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.busy.is_empty()
    }

    /// Lets a callback wait: after the others, but before later ones of its transaction.
    fn wait(&mut self, callback: Callback) {
        if self.waiting.is_empty() {
            self.highest = i64::MIN;
        }
        let transaction = TransactionHash::of(&callback);
        let is_later = |(other, waiting): &(TransactionHash, Callback)| {
            *other == transaction && waiting.id > callback.id
        };
        // Nearly always it is the last, and there is nothing to look through.
        let place = match callback.id > self.highest {
            true => None,
            false => self.waiting.iter().position(is_later),
        };
        self.highest = self.highest.max(callback.id);
        let place = place.unwrap_or(self.waiting.len());
        self.waiting.insert(place, (transaction, callback));
    }

    fn has_room(&self, now: Instant) -> bool {
        self.in_flight < self.breaker.at_once(self.limits.max_in_flight, now)
            && self.locked.len() < MOST_LOCKED
    }

    fn has_token(&self, now: Instant) -> bool {
        self.bucket
            .as_ref()
            .is_none_or(|bucket| bucket.next(now).is_none())
    }

    /// The place of the first waiting callback whose transaction is not busy. An earlier one
    /// of the same transaction would stand before it, so the order within a transaction is kept.
    fn first_free(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|(transaction, _)| !self.busy.contains(transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Action;
    use crate::delivery::Timestamp;
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn callback(id: i64, server: u8, transaction: u8) -> Callback {
        Callback {
            id,
            server: format!("server {server}"),
            action: Action::Lead,
            transaction_id: transaction.to_string(),
            click_id: None,
            parameters: BTreeMap::new(),
            created_at: Timestamp(0),
            due_at: Timestamp(0),
            attempts: 0,
        }
    }

    fn limits(max_in_flight: usize) -> Limits {
        Limits {
            max_in_flight,
            requests_per_second: None,
        }
    }

    fn scheduler(threads: usize, servers: u8, limits: Limits, now: Instant) -> Scheduler {
        let mut scheduler = Scheduler::new(threads);
        let all = (0..servers)
            .map(|server| (format!("server {server}"), limits))
            .collect();
        scheduler.set_limits(&all, now);
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
            scheduler.offer(callback(id, 0, transaction), now);
        }
        assert_eq!(drain(&mut scheduler, now), [1]);
        scheduler.answered(&callback(1, 0, 7), Health::Well, now);
        scheduler.offer(callback(1, 0, 7), now);
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
        let most = MOST_LOCKED as i64;
        let same = most + 7;
        for id in 0..=same {
            let transaction = if id == same { 0 } else { id as u8 };
            scheduler.offer(callback(id, 0, transaction), now);
        }
        for id in 0..most {
            assert_eq!(drain(&mut scheduler, now), [id], "a lock takes no room");
            scheduler.answered(&callback(id, 0, id as u8), Health::Well, now);
            scheduler.locked(&callback(id, 0, id as u8));
            scheduler.offer(callback(id, 0, id as u8), now);
        }
        assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
        assert_eq!(scheduler.next_at(now), None);
        scheduler.offer(callback(1000, 1, 0), now);
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
    fn one_transaction_goes_out_in_order_and_one_at_a_time() {
        let now = Instant::now();
        let mut scheduler = scheduler(10, 1, limits(10), now);
        for (id, transaction) in [(1, 7), (2, 7), (3, 8)] {
            scheduler.offer(callback(id, 0, transaction), now);
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
            scheduler.offer(callback(id, 0, transaction), now);
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
                scheduler.offer(callback(id, 0, transaction), now);
            }
            assert_eq!(drain(&mut scheduler, now), [1]);
            finish(&mut scheduler, &callback(1, 0, 7), fate, now);
            assert_eq!(drain(&mut scheduler, now), [3]);
            finish(&mut scheduler, &callback(3, 0, 8), Fate::Gone, now);
            assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
            scheduler.offer(callback(2, 0, 7), now);
            assert_eq!(drain(&mut scheduler, now), [2]);
        }
    }

    #[test]
    fn servers_take_turns_within_their_limits() {
        let now = Instant::now();
        let mut scheduler = scheduler(10, 2, limits(3), now);
        for id in 0..100 {
            scheduler.offer(callback(id, 0, id as u8), now);
        }
        scheduler.offer(callback(100, 1, 0), now);
        scheduler.offer(callback(101, 1, 1), now);
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
                scheduler.offer(callback(id, server, id as u8), now);
            }
        }
        assert_eq!(drain(&mut scheduler, now).len(), 24, "a quarter stays free");
        for _ in 0..100 {
            id += 1;
            scheduler.offer(callback(id, 3, id as u8), now);
        }
        assert_eq!(
            drain(&mut scheduler, now).len(),
            8,
            "the fair share of the fourth"
        );
    }

    #[test]
    fn a_paused_server_is_sent_nothing_and_its_callbacks_stay() {
        let now = Instant::now();
        let mut scheduler = scheduler(10, 1, limits(0), now);
        scheduler.offer(callback(1, 0, 1), now);
        assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
        assert_eq!(scheduler.next_at(now), None);
        scheduler.set_limits(&HashMap::from([("server 0".to_owned(), limits(1))]), now);
        assert_eq!(drain(&mut scheduler, now), [1]);
    }

    #[test]
    fn what_is_in_flight_is_not_taken_again() {
        let now = Instant::now();
        let mut scheduler = scheduler(10, 1, limits(1), now);
        scheduler.offer(callback(1, 0, 1), now);
        scheduler.offer(callback(2, 0, 2), now);
        assert_eq!(drain(&mut scheduler, now), [1]);
        scheduler.forget_waiting();
        scheduler.offer(callback(1, 0, 1), now);
        finish(&mut scheduler, &callback(1, 0, 1), Fate::Gone, now);
        assert_eq!(drain(&mut scheduler, now), [] as [i64; 0]);
        scheduler.offer(callback(2, 0, 2), now);
        assert_eq!(drain(&mut scheduler, now), [2]);
    }

    /// A network of several servers and the queue before it, by a simulated clock.
    struct World {
        scheduler: Scheduler,
        limits: Limits,
        threads: usize,
        start: Instant,
        now: Instant,
        /// By due time and id: what the queue would offer.
        queue: BTreeMap<(Instant, i64), Callback>,
        /// When the answer comes, what was sent, and how the server is.
        flying: Vec<(Instant, (Instant, i64), Health)>,
        sent: Vec<(Instant, Callback)>,
        delivered: usize,
    }

    impl World {
        fn new(threads: usize, servers: u8, limits: Limits) -> World {
            let start = Instant::now();
            World {
                scheduler: scheduler(threads, servers, limits, start),
                limits,
                threads,
                start,
                now: start,
                queue: BTreeMap::new(),
                flying: Vec::new(),
                sent: Vec::new(),
                delivered: 0,
            }
        }

        fn add(&mut self, due: Instant, callback: Callback) {
            self.queue.insert((due, callback.id), callback);
        }

        fn transaction(callback: &Callback) -> (String, String) {
            (callback.server.clone(), callback.transaction_id.clone())
        }

        /// As the queue does: what is due and not held by an earlier one of its transaction that
        /// was tried.
        fn offer_due(&mut self) {
            let holders: HashMap<_, _> = self
                .queue
                .values()
                .filter(|callback| callback.attempts > 0)
                .map(|callback| (World::transaction(callback), callback.id))
                .collect();
            for callback in self
                .queue
                .range(..=(self.now, i64::MAX))
                .map(|(_, callback)| callback)
            {
                let holder = holders.get(&World::transaction(callback));
                if holder.is_none_or(|id| *id >= callback.id) {
                    self.scheduler.offer(callback.clone(), self.now);
                }
            }
        }

        /// Sends all that can be sent now; checks what must hold of each.
        fn send(&mut self, answer: &mut impl FnMut(&Callback, Instant) -> (Duration, Health)) {
            while let Some(callback) = self.scheduler.next(self.now) {
                let due = self.queue.range(..=(self.now, i64::MAX));
                let place = due.clone().find(|(_, queued)| queued.id == callback.id);
                let place = *place.expect("it is queued and due").0;
                let flying = |at: &(Instant, i64)| &self.queue[at];
                let same =
                    |other: &Callback| World::transaction(other) == World::transaction(&callback);
                assert!(
                    self.flying.iter().all(|(_, at, _)| !same(flying(at))),
                    "one at a time"
                );
                let mut earlier = self.queue.values().filter(|other| other.id < callback.id);
                assert!(!earlier.any(same), "in order");
                let at_server = self
                    .flying
                    .iter()
                    .filter(|(_, at, _)| flying(at).server == callback.server);
                assert!(at_server.count() < self.limits.max_in_flight);
                assert!(self.flying.len() < self.threads);
                let (time, health) = answer(&callback, self.now);
                self.flying.push((self.now + time, place, health));
                self.sent.push((self.now, callback));
            }
        }

        /// Lets time pass up to the next thing that happens.
        fn step(&mut self, answer: &mut impl FnMut(&Callback, Instant) -> (Duration, Health)) {
            self.offer_due();
            self.send(answer);
            let answers = self.flying.iter().map(|(at, ..)| *at);
            let after_now = (Excluded((self.now, i64::MAX)), Unbounded);
            let due = self.queue.range(after_now).next().map(|((due, _), _)| *due);
            let next = self.scheduler.next_at(self.now);
            let at = answers.chain(due).chain(next).min();
            self.now = at
                .unwrap_or_else(|| panic!("forgotten: {:?}", self.queue))
                .max(self.now);
            let (done, flying): (Vec<_>, Vec<_>) =
                self.flying.drain(..).partition(|(at, ..)| *at <= self.now);
            self.flying = flying;
            for (_, place, health) in done {
                let mut callback = self.queue.remove(&place).expect("it is queued");
                let fate = match health {
                    Health::Well => Fate::Gone,
                    _ => Fate::Later(5 * SECOND * 4u32.pow(callback.attempts.min(6))),
                };
                self.scheduler.answered(&callback, health, self.now);
                self.scheduler.recorded(&callback, fate);
                match fate {
                    Fate::Later(pause) => {
                        callback.attempts += 1;
                        self.add(self.now + pause, callback);
                    }
                    _ => self.delivered += 1,
                }
            }
        }

        fn run(&mut self, mut answer: impl FnMut(&Callback, Instant) -> (Duration, Health)) {
            while !self.queue.is_empty() {
                self.step(&mut answer);
            }
            assert_eq!(self.scheduler.in_flight(), 0);
        }

        /// The most that any second saw at one server.
        fn most_in_a_second(&self, server: &str) -> usize {
            let at_server = self
                .sent
                .iter()
                .filter(|(_, callback)| callback.server == server);
            let times: Vec<_> = at_server.map(|(at, _)| *at).collect();
            let from = |first: usize| {
                let end = times[first] + SECOND;
                times[first..].iter().take_while(|at| **at < end).count()
            };
            (0..times.len()).map(from).max().unwrap_or(0)
        }
    }

    fn any_health() -> impl Strategy<Value = Health> {
        let pause = prop::option::of((0..100_000u64).prop_map(Duration::from_secs));
        prop_oneof![
            12 => Just(Health::Well),
            5 => Just(Health::Ill),
            3 => pause.prop_map(Health::Busy),
            1 => Just(Health::Unknown),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn random_histories_keep_order_limits_and_rates_and_forget_nothing(
            callbacks in prop::collection::vec((0..3u8, 0..6u8, 0..20_000u64), 1..60),
            answers in prop::collection::vec((1..30_000u64, any_health()), 1..40),
            threads in 1..8usize,
            max_in_flight in 1..5usize,
            rate in prop::option::of(0.5..20.0f64),
        ) {
            let limits = Limits { max_in_flight, requests_per_second: rate };
            let mut world = World::new(threads, 3, limits);
            // At first, ids come in the order of due times.
            let mut dues: Vec<_> = callbacks.iter().map(|(.., due)| *due).collect();
            dues.sort();
            for (id, ((server, transaction, _), due)) in callbacks.iter().zip(dues).enumerate() {
                let due = world.start + Duration::from_millis(due);
                world.add(due, callback(id as i64, *server, *transaction));
            }
            let mut answers = answers.into_iter();
            world.run(|_, _| {
                let (time, health) = answers.next().unwrap_or((1, Health::Well));
                (Duration::from_millis(time), health)
            });
            prop_assert_eq!(world.delivered, callbacks.len());
            if let Some(rate) = rate {
                for server in 0..3 {
                    let most = world.most_in_a_second(&format!("server {server}"));
                    prop_assert!(most as f64 <= rate + (rate / 10.0).max(1.0) + 1.0);
                }
            }
        }
    }

    #[test]
    fn a_network_that_allows_little_gets_that_and_its_callbacks_keep_their_attempts() {
        const CALLBACKS: i64 = 300;
        for (per_second, asked, most_requests, longest) in [
            (10, None, 500, 120),
            (10, Some(SECOND), 500, 120),
            (1, None, 900, 1500),
            (1, Some(2 * SECOND), 900, 1500),
        ] {
            let mut world = World::new(32, 1, limits(16));
            for id in 0..CALLBACKS {
                let mut callback = callback(id, 0, 0);
                callback.transaction_id = id.to_string();
                world.add(world.start, callback);
            }
            let start = world.start;
            let mut allowed = HashMap::new();
            world.run(|_, now| {
                let second = allowed.entry((now - start).as_secs()).or_insert(0);
                *second += 1;
                match *second <= per_second {
                    true => (SECOND / 20, Health::Well),
                    false => (SECOND / 50, Health::Busy(asked)),
                }
            });
            let requests = world.sent.len();
            let attempts = world.sent.iter().map(|(_, callback)| callback.attempts + 1);
            let (attempts, time) = (attempts.max(), world.now - start);
            let what = format!(
                "{per_second}/s, {asked:?}: {requests} requests, {attempts:?} attempts, {time:?}"
            );
            assert_eq!(world.delivered as i64, CALLBACKS, "{what}");
            assert!(requests < most_requests, "{what}");
            assert!(attempts <= Some(7), "{what}");
            assert!(time < longest * SECOND, "{what}");
        }
    }

    #[test]
    fn not_now_pauses_a_server_and_no_other() {
        let now = Instant::now();
        let mut scheduler = scheduler(32, 2, limits(4), now);
        for id in 0..20 {
            scheduler.offer(callback(id, (id % 2) as u8, id as u8), now);
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
    fn an_outage_of_six_hours_costs_few_requests_and_nothing_is_lost() {
        const HOUR: Duration = Duration::from_secs(3600);
        let mut world = World::new(32, 2, limits(16));
        // One callback a minute for a day at each of two servers; one of them is down from the
        // sixth to the twelfth hour.
        for minute in 0..1440 {
            let due = world.start + 60 * SECOND * minute;
            for server in 0..2 {
                let mut callback = callback(i64::from(minute) * 2 + i64::from(server), server, 0);
                callback.transaction_id = minute.to_string();
                world.add(due, callback);
            }
        }
        let outage = world.start + 6 * HOUR..world.start + 12 * HOUR;
        let mut to_the_dead = 0;
        world.run(|callback, now| {
            if callback.server == "server 0" && outage.contains(&now) {
                to_the_dead += 1;
                (10 * SECOND, Health::Ill)
            } else {
                (SECOND / 10, Health::Well)
            }
        });
        assert_eq!(world.delivered, 2880);
        assert!(to_the_dead < 100, "{to_the_dead} requests to a dead server");
        let late = world
            .sent
            .iter()
            .filter(|(_, callback)| callback.server == "server 1")
            .map(|(at, callback)| *at - (world.start + 30 * SECOND * callback.id as u32))
            .max();
        assert!(
            late < Some(SECOND * 31),
            "the other server waits for nothing: {late:?}"
        );
        let last = world.sent.iter().map(|(at, _)| *at - world.start).max();
        assert!(
            last < Some(25 * HOUR),
            "all is delivered within the hour after: {last:?}"
        );
        let after = world
            .sent
            .iter()
            .filter(|(at, _)| *at >= outage.end)
            .map(|(at, _)| *at);
        let burst = after
            .clone()
            .filter(|at| *at < after.clone().min().unwrap() + SECOND / 10)
            .count();
        assert!(burst <= 4, "{burst} at once right after the outage");
    }
}
