//! The scheduler before a simulated network, by a simulated clock.

use proptest::prelude::*;

use super::*;

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
    in_flight: Vec<(Instant, (Instant, i64), Health)>,
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
            in_flight: Vec::new(),
            sent: Vec::new(),
            delivered: 0,
        }
    }

    fn add(&mut self, due: Instant, callback: Callback) {
        self.queue.insert((due, callback.id), callback);
    }

    fn transaction(callback: &Callback) -> (ServerKey, String) {
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
                self.scheduler.offer(callback.clone());
            }
        }
    }

    /// Sends all that can be sent now; checks what must hold of each.
    fn send(&mut self, answer: &mut impl FnMut(&Callback, Instant) -> (Duration, Health)) {
        while let Some(callback) = self.scheduler.next(self.now) {
            let due = self.queue.range(..=(self.now, i64::MAX));
            let place = due.clone().find(|(_, queued)| queued.id == callback.id);
            let place = *place.expect("it is queued and due").0;
            let in_flight = |at: &(Instant, i64)| &self.queue[at];
            let same =
                |other: &Callback| World::transaction(other) == World::transaction(&callback);
            assert!(
                self.in_flight.iter().all(|(_, at, _)| !same(in_flight(at))),
                "one at a time"
            );
            let mut earlier = self.queue.values().filter(|other| other.id < callback.id);
            assert!(!earlier.any(same), "in order");
            let at_server = self
                .in_flight
                .iter()
                .filter(|(_, at, _)| in_flight(at).server == callback.server);
            assert!(at_server.count() < self.limits.max_in_flight);
            assert!(self.in_flight.len() < self.threads);
            let (time, health) = answer(&callback, self.now);
            self.in_flight.push((self.now + time, place, health));
            self.sent.push((self.now, callback));
        }
    }

    /// Lets time pass up to the next thing that happens.
    fn step(&mut self, answer: &mut impl FnMut(&Callback, Instant) -> (Duration, Health)) {
        self.offer_due();
        self.send(answer);
        let answers = self.in_flight.iter().map(|(at, ..)| *at);
        let after_now = (Excluded((self.now, i64::MAX)), Unbounded);
        let due = self.queue.range(after_now).next().map(|((due, _), _)| *due);
        let next = self.scheduler.next_at(self.now);
        let at = answers.chain(due).chain(next).min();
        self.now = at
            .unwrap_or_else(|| panic!("forgotten: {:?}", self.queue))
            .max(self.now);
        let (done, in_flight): (Vec<_>, Vec<_>) = self
            .in_flight
            .drain(..)
            .partition(|(at, ..)| *at <= self.now);
        self.in_flight = in_flight;
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
            .filter(|(_, callback)| callback.server.name == server);
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
        let limits = Limits { max_in_flight, requests_per_second: rate, ..Limits::default() };
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
        if callback.server.name == "server 0" && outage.contains(&now) {
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
        .filter(|(_, callback)| callback.server.name == "server 1")
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
