//! What to send next: a state machine without clock, threads or PostgreSQL.
//!
//! The worker says how servers are to be treated, offers callbacks that are due, asks for the next
//! to send, and says when it is answered and when that is on record. Then holds:
//!
//! - Callbacks of one (server, action, transaction id) that wait here together are sent one at a time,
//!   by number. They are offered by due time: the two orders differ if the clock was set back. One
//!   that was sent and must be tried again, or is parked, holds the later ones: they are forgotten here
//!   until the queue offers them again. One that was never sent holds none.
//! - A server has at most `max_in_flight` requests at once and `requests_per_second`.
//! - A broken server, and one that says "not now", rests and then gets one probe at a time (see
//!   [`super::breaker`]).
//! - A server of which much is answered and cannot be recorded, because another session has locked
//!   it, gets no more: after a crash all of that is sent again.
//! - Servers take turns. One that has more than its fair share of the pool's threads gets no more
//!   while fewer than a quarter of them are free, and the last eighth is for servers that have
//!   nothing in flight.
//! - While there are servers of several owners, an owner takes no more threads than it leaves free,
//!   however many servers it has; its first is any that is free. So each other owner halves what is
//!   free at most: of 32 threads, five owners whose servers never answer leave one to a sixth.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::time::{Duration, Instant};

use super::breaker::Health;
use super::lane::{Lane, Limits, START, TransactionIdHash};
use super::retry::Fate;
use super::{Callback, ServerKey};

/// How long nothing is sent if there is nothing to send with.
const REST: Duration = Duration::from_secs(1);

/// Callbacks that are due, and those in flight.
#[derive(Debug)]
pub struct Scheduler {
    /// How many requests the pool takes at once.
    threads: usize,
    /// By server.
    pub(super) lanes: BTreeMap<ServerKey, Lane>,
    /// The ids of all that wait here or are sent and not yet on record.
    known: HashSet<i64>,
    /// Requests on the wire.
    in_flight: usize,
    /// The same by owner, for each that has a server which is not paused or a request on the wire.
    owners: HashMap<u32, usize>,
    /// The server that was served last.
    turn: Option<ServerKey>,
    /// Nothing is sent before.
    rests_until: Option<Instant>,
}

/// What a server is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupation {
    /// Requests in flight.
    pub in_flight: usize,
    /// Nothing but probes goes there.
    pub is_broken: bool,
}

impl Occupation {
    /// That of a server to which nothing is on its way.
    pub const AT_REST: Occupation = Occupation {
        in_flight: 0,
        is_broken: false,
    };
}

/// The occupations to show where there is room for so many: broken servers first, then busy ones, and
/// whether broken ones are left out. Those that are neither need not be shown.
pub fn worth_showing<S>(
    occupations: impl Iterator<Item = (S, Occupation)>,
    room: usize,
) -> (Vec<(S, Occupation)>, bool) {
    let mut shown: Vec<_> = occupations
        .filter(|(_, it)| *it != Occupation::AT_REST)
        .collect();
    shown.sort_by_key(|(_, it)| !it.is_broken);
    let is_cut = shown.get(room).is_some_and(|(_, it)| it.is_broken);
    shown.truncate(room);
    (shown, is_cut)
}

impl Scheduler {
    /// A scheduler for a pool of so many threads.
    pub fn new(threads: usize) -> Scheduler {
        Scheduler {
            threads,
            lanes: BTreeMap::new(),
            known: HashSet::new(),
            in_flight: 0,
            owners: HashMap::new(),
            turn: None,
            rests_until: None,
        }
    }

    /// Takes over the servers that there are, and forgets what waits: the queue is to be read from
    /// the start. What is in flight, and what is known of a server's health, stays, also when it is
    /// renamed; servers that are not named are paused until that is on record.
    pub fn set_servers(&mut self, servers: &HashMap<ServerKey, Limits>, now: Instant) {
        self.lanes.retain(|server, lane| {
            for id in lane.forget(None) {
                self.known.remove(&id);
            }
            lane.rewind(START);
            lane.set_limits(servers.get(server).copied().unwrap_or(Limits::PAUSED), now);
            servers.contains_key(server) || !lane.is_empty()
        });
        for (server, limits) in servers {
            // With the name that it has now.
            let lane = self.lanes.remove(server);
            let lane = lane.unwrap_or_else(|| Lane::new(*limits, now));
            self.lanes.insert(server.clone(), lane);
        }
        let with_servers = servers.values();
        self.owners = with_servers
            .filter(|limits| limits.owner != 0 && limits.max_in_flight > 0)
            .map(|limits| (limits.owner, 0))
            .collect();
        for lane in self.lanes.values().filter(|lane| lane.in_flight > 0) {
            *self.owners.entry(lane.limits.owner).or_default() += lane.in_flight;
        }
    }

    /// Takes a callback of one of the servers that is due; one that is known already is left alone.
    ///
    /// A server's callbacks are offered in the order of sending; one that precedes a waiting callback of
    /// its transaction id is put before that.
    pub fn offer(&mut self, callback: Callback) {
        if let Some(lane) = self.lanes.get_mut(&callback.server)
            && self.known.insert(callback.id)
        {
            lane.wait(callback);
        }
    }

    /// How many callbacks are on the wire.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What each server is doing.
    pub fn occupations(&self) -> impl Iterator<Item = (&ServerKey, Occupation)> {
        self.lanes.iter().map(|(server, lane)| {
            let occupation = Occupation {
                in_flight: lane.in_flight,
                is_broken: lane.breaker.is_broken(),
            };
            (server, occupation)
        })
    }

    /// The next callback to send now, if there is one.
    pub fn next(&mut self, now: Instant) -> Option<Callback> {
        let free = self.threads.saturating_sub(self.in_flight);
        if free == 0 || self.rests_until.is_some_and(|until| now < until) {
            return None;
        }
        let fair_share = (self.threads / self.lanes.len().max(1)).max(1);
        let room = |lane: &Lane| match lane.in_flight {
            0 => true,
            some if some < fair_share => free > self.threads / 8,
            _ => free > self.threads / 4,
        };
        let owner_leaves_enough = |lane: &Lane| {
            self.owners.len() < 2
                || match self.owners.get(&lane.limits.owner) {
                    None | Some(0) => true,
                    Some(taken) => taken + 1 < free,
                }
        };
        let after = self.turn.as_ref().map_or(Unbounded, Excluded);
        let after_turn = self.lanes.range((after, Unbounded));
        let (server, index) = after_turn
            .chain(&self.lanes)
            .filter(|(_, lane)| !lane.waiting.is_empty())
            .filter(|(_, lane)| lane.has_room(now) && lane.has_token(now))
            .filter(|(_, lane)| room(lane) && owner_leaves_enough(lane))
            .find_map(|(server, lane)| Some((server.clone(), lane.first_free()?)))?;
        let lane = self.lanes.get_mut(&server)?;
        let (hash, callback) = lane.take(index)?;
        lane.busy.insert(hash);
        lane.in_flight += 1;
        if let Some(taken) = self.owners.get_mut(&lane.limits.owner) {
            *taken += 1;
        }
        if let Some(rate) = &mut lane.rate {
            rate.take(now);
        }
        self.in_flight += 1;
        self.turn = Some(server);
        Some(callback)
    }

    /// When to ask for the next again if nothing else happens: a token drops or a pause ends.
    pub fn next_at(&self, now: Instant) -> Option<Instant> {
        let of_lane = |lane: &Lane| {
            lane.first_free()?;
            match lane.breaker.rests_until().filter(|until| *until > now) {
                Some(until) => Some(until),
                None if lane.has_room(now) => lane.rate.as_ref()?.next(now),
                None => None,
            }
        };
        let next = self.lanes.values().filter_map(of_lane).min();
        let rests_until = self.rests_until.filter(|until| now < *until);
        next.into_iter().chain(rests_until).min()
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

    /// A callback that [`Scheduler::next`] returned was not tried, for want of something that all
    /// requests need: it waits again, and nothing is sent for a while.
    pub fn put_back(&mut self, callback: Callback, now: Instant) {
        self.rests_until = Some(now + REST);
        if let Some(lane) = self.make_room(&callback) {
            lane.busy.remove(&TransactionIdHash::of(&callback));
            lane.wait(callback);
        }
    }

    /// A callback is not on the wire any more. Returns its server's lane.
    fn make_room(&mut self, callback: &Callback) -> Option<&mut Lane> {
        self.in_flight -= 1;
        let lane = self.lanes.get_mut(&callback.server)?;
        lane.in_flight -= 1;
        if let Some(taken) = self.owners.get_mut(&lane.limits.owner) {
            *taken -= 1;
        }
        Some(lane)
    }

    /// The attempt of a callback cannot be recorded yet: another session has locked it. Until it is
    /// on record it is not sent again, nor are later ones of its transaction id sent.
    pub fn locked(&mut self, callback: &Callback) {
        if let Some(lane) = self.lanes.get_mut(&callback.server) {
            lane.locked.insert(callback.id);
        }
    }

    /// The attempt of a callback is on record: the next one of its transaction id may go. If the
    /// callback was sent and is not gone, later ones are forgotten instead: the queue holds them back.
    pub fn recorded(&mut self, callback: &Callback, fate: Fate) {
        self.known.remove(&callback.id);
        let Some(lane) = self.lanes.get_mut(&callback.server) else {
            return;
        };
        let recorded = TransactionIdHash::of(callback);
        lane.busy.remove(&recorded);
        lane.locked.remove(&callback.id);
        let holds = match fate {
            Fate::Gone => false,
            Fate::Later(_) | Fate::Parked => true,
            Fate::Unsent => callback.attempts > 0,
        };
        if holds {
            for id in lane.forget(Some(recorded)) {
                self.known.remove(&id);
            }
        } else if callback.attempts > 0 {
            // It may have held others of its transaction id, whenever they are due.
            lane.rewind(START);
        }
    }
}

#[cfg(test)]
mod tests;
