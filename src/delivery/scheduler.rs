//! What to send next: a state machine without clock, threads or PostgreSQL.
//!
//! The worker offers callbacks that are due, asks for the next to send, and says when one is
//! finished. Callbacks of one (server, action, transaction) go out one after the other in the
//! order of their ids; one that must be tried again, or is parked, holds the later ones back, which
//! are forgotten here until the queue offers them again. A server has at most `max_in_flight`
//! requests at once; servers take turns.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Excluded, Unbounded};

use super::Callback;
use super::retry::Fate;

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

/// Callbacks that are due, and those in flight.
#[derive(Debug)]
pub struct Scheduler {
    /// How many requests the pool takes at once.
    threads: usize,
    /// By server.
    lanes: BTreeMap<String, Lane>,
    /// The ids of all that wait here or are in flight, with their servers.
    known: HashMap<i64, String>,
    in_flight: usize,
    /// The server that was served last.
    turn: String,
}

/// The callbacks of one server.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(TransactionHash, Callback)>,
    in_flight: HashSet<TransactionHash>,
}

impl Scheduler {
    /// A scheduler for a pool of so many threads.
    pub fn new(threads: usize) -> Scheduler {
        Scheduler {
            threads,
            lanes: BTreeMap::new(),
            known: HashMap::new(),
            in_flight: 0,
            turn: String::new(),
        }
    }

    /// Takes a callback that is due; one that is known already is left alone.
    ///
    /// Callbacks of one server are offered in the order in which they are to go out.
    pub fn offer(&mut self, callback: Callback) {
        if self
            .known
            .insert(callback.id, callback.server.clone())
            .is_none()
        {
            let lane = self.lanes.entry(callback.server.clone()).or_default();
            lane.waiting
                .push_back((TransactionHash::of(&callback), callback));
        }
    }

    /// Ids of the callbacks that wait here or are in flight.
    pub fn known(&self) -> Vec<i64> {
        self.known.keys().copied().collect()
    }

    /// How many callbacks wait here.
    pub fn waiting(&self) -> usize {
        self.known.len() - self.in_flight
    }

    /// How many callbacks are in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Forgets what waits, so that it is read again; what is in flight stays.
    pub fn forget_waiting(&mut self) {
        for lane in self.lanes.values_mut() {
            for (_, callback) in lane.waiting.drain(..) {
                self.known.remove(&callback.id);
            }
        }
        self.lanes.retain(|_, lane| !lane.in_flight.is_empty());
    }

    /// The next callback to send, if there is one. `max_in_flight` says how many requests a
    /// server takes at once: zero while it is paused.
    pub fn next(&mut self, max_in_flight: impl Fn(&str) -> usize) -> Option<Callback> {
        if self.in_flight >= self.threads {
            return None;
        }
        let turn = self.turn.as_str();
        let after_turn = self.lanes.range::<str, _>((Excluded(turn), Unbounded));
        let (server, place) = after_turn
            .chain(&self.lanes)
            .filter(|(server, lane)| lane.in_flight.len() < max_in_flight(server))
            .find_map(|(server, lane)| Some((server.clone(), lane.first_free()?)))?;
        let lane = self.lanes.get_mut(&server)?;
        let (transaction, callback) = lane.waiting.remove(place)?;
        lane.in_flight.insert(transaction);
        self.in_flight += 1;
        self.turn = server;
        Some(callback)
    }

    /// A callback that [`Scheduler::next`] returned has its outcome, on record. Unless it is gone,
    /// later ones of its transaction are forgotten: the queue holds them back.
    pub fn finished(&mut self, callback: &Callback, fate: Fate) {
        if self.known.remove(&callback.id).is_none() {
            return;
        }
        self.in_flight -= 1;
        if let Some(lane) = self.lanes.get_mut(&callback.server) {
            let finished = TransactionHash::of(callback);
            lane.in_flight.remove(&finished);
            if fate != Fate::Gone {
                lane.waiting.retain(|(transaction, waiting)| {
                    let stays = *transaction != finished;
                    if !stays {
                        self.known.remove(&waiting.id);
                    }
                    stays
                });
            }
            if lane.waiting.is_empty() && lane.in_flight.is_empty() {
                self.lanes.remove(&callback.server);
            }
        }
    }
}

impl Lane {
    /// The place of the first waiting callback whose transaction is not in flight. An earlier one
    /// of the same transaction would stand before it, so the order within a transaction is kept.
    fn first_free(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|(transaction, _)| !self.in_flight.contains(transaction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Action;
    use crate::delivery::Timestamp;
    use proptest::prelude::*;
    use std::time::Duration;

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

    fn drain(scheduler: &mut Scheduler, most: usize) -> Vec<i64> {
        std::iter::from_fn(|| scheduler.next(|_| most))
            .map(|callback| callback.id)
            .collect()
    }

    #[test]
    fn one_transaction_goes_out_in_order_and_one_at_a_time() {
        let mut scheduler = Scheduler::new(10);
        for (id, transaction) in [(1, 7), (2, 7), (3, 8)] {
            scheduler.offer(callback(id, 0, transaction));
        }
        assert_eq!(drain(&mut scheduler, 10), [1, 3]);
        scheduler.finished(&callback(1, 0, 7), Fate::Gone);
        assert_eq!(drain(&mut scheduler, 10), [2]);
    }

    #[test]
    fn a_callback_that_is_tried_again_or_parked_holds_the_later_ones() {
        for fate in [Fate::Parked, Fate::Later(Duration::from_secs(5))] {
            let mut scheduler = Scheduler::new(10);
            for (id, transaction) in [(1, 7), (2, 7), (3, 8), (4, 7)] {
                scheduler.offer(callback(id, 0, transaction));
            }
            assert_eq!(drain(&mut scheduler, 1), [1]);
            scheduler.finished(&callback(1, 0, 7), fate);
            assert_eq!(drain(&mut scheduler, 10), [3]);
            assert_eq!(scheduler.known(), [3]);
            scheduler.offer(callback(2, 0, 7));
            assert_eq!(drain(&mut scheduler, 10), [2]);
        }
    }

    #[test]
    fn servers_take_turns_within_their_limits() {
        let mut scheduler = Scheduler::new(10);
        for id in 0..100 {
            scheduler.offer(callback(id, 0, id as u8));
        }
        scheduler.offer(callback(100, 1, 0));
        scheduler.offer(callback(101, 1, 1));
        assert_eq!(drain(&mut scheduler, 3), [0, 100, 1, 101, 2]);
        assert_eq!(scheduler.in_flight(), 5);
        assert!(scheduler.next(|_| 0).is_none());
    }

    #[test]
    fn what_is_in_flight_is_not_taken_again() {
        let mut scheduler = Scheduler::new(10);
        scheduler.offer(callback(1, 0, 1));
        scheduler.offer(callback(2, 0, 2));
        assert_eq!(drain(&mut scheduler, 1), [1]);
        scheduler.forget_waiting();
        scheduler.offer(callback(1, 0, 1));
        assert_eq!(drain(&mut scheduler, 10), [] as [i64; 0]);
        scheduler.offer(callback(2, 0, 2));
        assert_eq!(drain(&mut scheduler, 10), [2]);
    }

    proptest! {
        #[test]
        fn random_histories_keep_order_and_limits(
            callbacks in prop::collection::vec((0..3u8, 0..4u8), 0..80),
            finishing in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
            threads in 1..8usize,
            most in 1..5usize,
        ) {
            let mut scheduler = Scheduler::new(threads);
            for (id, (server, transaction)) in callbacks.iter().enumerate() {
                scheduler.offer(callback(id as i64, *server, *transaction));
            }
            let mut flying: Vec<Callback> = Vec::new();
            let mut sent: Vec<Callback> = Vec::new();
            let mut finishing = finishing.into_iter();
            loop {
                while let Some(next) = scheduler.next(|_| most) {
                    let same = |other: &&Callback| {
                        (&other.server, &other.transaction_id) == (&next.server, &next.transaction_id)
                    };
                    prop_assert!(flying.iter().find(same).is_none());
                    prop_assert!(sent.iter().filter(same).all(|earlier| earlier.id < next.id));
                    let at_server = flying.iter().filter(|other| other.server == next.server);
                    prop_assert!(at_server.count() < most && flying.len() < threads);
                    flying.push(next.clone());
                    sent.push(next);
                }
                if flying.is_empty() {
                    break;
                }
                let place = finishing.next().map_or(0, |index| index.index(flying.len()));
                scheduler.finished(&flying.swap_remove(place), Fate::Gone);
            }
            prop_assert_eq!(sent.len(), callbacks.len());
            prop_assert_eq!((scheduler.waiting(), scheduler.in_flight()), (0, 0));
        }
    }
}
