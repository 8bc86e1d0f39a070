//! A foreign server's limits and health, its callbacks in memory, and how far its queue is read.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use super::breaker::Breaker;
use super::rate::Rate;
use super::{Callback, Timestamp};

/// Most callbacks of a server that are answered and not on record because another session has locked
/// them.
pub const MAX_LOCKED: usize = 64;

/// How far the queue is read: up to this due time and number.
pub type Position = (Timestamp, i64);

/// Before all callbacks.
pub const START: Position = (Timestamp(i64::MIN), 0);

/// How much of a server may wait in memory: so many callbacks, and no more once they take so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Callbacks.
    pub callbacks: usize,
    /// Bytes of memory, as [`Callback::bytes`] counts them.
    pub bytes: usize,
}

/// How much a server may be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// OID of the role that owns the server; zero if the server does not exist.
    pub owner: u32,
    /// Requests at once; zero while it is paused.
    pub max_in_flight: usize,
    /// Requests per second, if there is a limit.
    pub requests_per_second: Option<f64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            owner: 0,
            max_in_flight: 16,
            requests_per_second: None,
        }
    }
}

impl Limits {
    /// Those of a server that does not exist: its callbacks fail without a request.
    pub const NONE: Limits = Limits {
        owner: 0,
        max_in_flight: usize::MAX,
        requests_per_second: None,
    };

    /// Those of a server that is sent nothing, and of which nothing is read.
    pub const PAUSED: Limits = Limits {
        owner: 0,
        max_in_flight: 0,
        requests_per_second: None,
    };
}

/// Hash of an action and a transaction id. Two with the same hash merely wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TransactionIdHash(u64);

impl TransactionIdHash {
    pub(super) fn of(callback: &Callback) -> TransactionIdHash {
        let mut hasher = DefaultHasher::new();
        (callback.action, &callback.transaction_id).hash(&mut hasher);
        TransactionIdHash(hasher.finish())
    }
}

/// What the scheduler and the readings know of one server.
#[derive(Debug)]
pub struct Lane {
    pub(super) limits: Limits,
    pub(super) rate: Option<Rate>,
    pub(super) breaker: Breaker,
    pub(super) waiting: VecDeque<(TransactionIdHash, Callback)>,
    /// How many bytes of memory those take.
    bytes: usize,
    /// The highest number added since `waiting` was last empty.
    highest: i64,
    /// Requests on the wire.
    pub(super) in_flight: usize,
    /// Transaction ids with a callback that is sent and not yet on record.
    pub(super) busy: HashSet<TransactionIdHash>,
    /// The numbers of those that are answered and cannot be recorded because another session has
    /// locked them.
    pub(super) locked: HashSet<i64>,
    read_up_to: Position,
    /// There may be more to read.
    has_more: bool,
}

impl Lane {
    pub(super) fn new(limits: Limits, now: Instant) -> Lane {
        let mut lane = Lane {
            limits,
            rate: None,
            breaker: Breaker::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            highest: i64::MIN,
            in_flight: 0,
            busy: HashSet::new(),
            locked: HashSet::new(),
            read_up_to: START,
            has_more: true,
        };
        lane.set_limits(limits, now);
        lane
    }

    pub(super) fn set_limits(&mut self, limits: Limits, now: Instant) {
        // What is in flight to a server that was dropped still counts for its owner.
        let owner = match limits.owner {
            0 => self.limits.owner,
            owner => owner,
        };
        self.limits = Limits { owner, ..limits };
        if self.rate.as_ref().map(Rate::per_second) != limits.requests_per_second {
            self.rate = limits
                .requests_per_second
                .map(|per_second| Rate::new(per_second, now));
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.limits.max_in_flight == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.busy.is_empty()
    }

    /// Lets a callback wait: after the others, but before later ones of its transaction id.
    pub(super) fn wait(&mut self, callback: Callback) {
        if self.waiting.is_empty() {
            self.highest = i64::MIN;
        }
        self.bytes += callback.bytes();
        let hash = TransactionIdHash::of(&callback);
        let is_later = |(other, waiting): &(TransactionIdHash, Callback)| {
            *other == hash && waiting.id > callback.id
        };
        // Nearly always it is the last, and there is nothing to look through.
        let index = match callback.id > self.highest {
            true => None,
            false => self.waiting.iter().position(is_later),
        };
        self.highest = self.highest.max(callback.id);
        let index = index.unwrap_or(self.waiting.len());
        self.waiting.insert(index, (hash, callback));
    }

    /// Takes one that waits, by its index.
    pub(super) fn take(&mut self, index: usize) -> Option<(TransactionIdHash, Callback)> {
        let (hash, callback) = self.waiting.remove(index)?;
        self.bytes -= callback.bytes();
        Some((hash, callback))
    }

    /// Forgets those that wait, of this transaction id or all; returns their numbers.
    pub(super) fn forget(&mut self, of: Option<TransactionIdHash>) -> Vec<i64> {
        let mut forgotten = Vec::new();
        self.waiting.retain(|(hash, callback)| {
            let stays = of.is_some_and(|of| *hash != of);
            if !stays {
                self.bytes -= callback.bytes();
                forgotten.push(callback.id);
            }
            stays
        });
        forgotten
    }

    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.in_flight < self.breaker.at_once(self.limits.max_in_flight, now)
            && self.locked.len() < MAX_LOCKED
    }

    pub(super) fn has_token(&self, now: Instant) -> bool {
        self.rate
            .as_ref()
            .is_none_or(|rate| rate.next(now).is_none())
    }

    /// The index of the first waiting callback whose transaction id is not busy. An earlier one of
    /// the same transaction id would stand before it, so their order is kept.
    pub(super) fn first_free(&self) -> Option<usize> {
        self.waiting
            .iter()
            .position(|(hash, _)| !self.busy.contains(hash))
    }

    /// Where to go on reading, if less than this part of a window waits, and there may be more.
    pub(super) fn read_from(&self, window: Window) -> Option<Position> {
        let is_dry = self.waiting.len() < window.callbacks && self.bytes < window.bytes;
        (self.has_more && !self.is_paused() && is_dry).then_some(self.read_up_to)
    }

    /// Lets the next reading start there, if it would start later.
    pub(super) fn rewind(&mut self, to: Position) {
        self.read_up_to = self.read_up_to.min(to);
        self.has_more = true;
    }

    /// The queue is read up to here, at least; after that there may be more or not.
    pub(super) fn advance(&mut self, to: Position, has_more: bool) {
        self.read_up_to = self.read_up_to.max(to);
        self.has_more = has_more;
    }
}
