//! What to read next: which servers, from where, and how many callbacks of each.
//!
//! Each server's callbacks are read in the order in which they are due, up to a window full of
//! them, and then from where the last reading ended. A window is full of callbacks, or of bytes. A
//! reading starts earlier:
//!
//! - at the earliest due time of what was committed since the last one, which shared memory keeps,
//! - at the start if servers, or callbacks that may wait in memory, were changed; if the clock was
//!   set back; while database transactions are prepared; once a minute; and for one server if a
//!   callback is gone that may have held others.
//!
//! A commit increments a count of calls and may wake the worker; a reading answers the calls counted
//! before it began. Those to read everything anew, which each change of a server is one of, are answered
//! once a second at most when many come in a row: a tenant could otherwise keep the worker reading.

use std::collections::HashMap;
use std::time::Instant;

use super::lane::{Lane, Position, START, Window};
use super::rate::Rate;
use super::scheduler::Scheduler;
use super::{Callback, ServerKey, Timestamp};

/// Callbacks that wait in memory, of all servers together.
const WINDOW: usize = 4000;

/// Bounds of each server's part of it, which is what is read of a server at once.
const SERVER_WINDOW: (usize, usize) = (20, 500);

/// Bytes that a callback may take on average where a window is full of callbacks.
const CALLBACK_BYTES: usize = 2 << 10;

/// A server's next callbacks are read when fewer than this part of its window wait.
const RUNS_DRY: usize = 4;

/// How many calls to read everything anew are answered at once; then it is one a second.
const ANEW_AT_ONCE: f64 = 10.0;

/// What sessions asked for, as it is when a reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How often to look at the queue.
    pub wakes: u64,
    /// How often to read servers and queue anew.
    pub reloads: u64,
}

/// What a reading is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    calls: Calls,
    /// Servers are read anew.
    pub reads_servers: bool,
    /// Database transactions may be prepared.
    pub looks_for_prepared: bool,
}

/// Which callbacks to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Servers, and the positions after which to read.
    pub after: Vec<(ServerKey, Position)>,
    /// How much of each.
    pub window: Window,
    /// The servers whose next callback counts.
    pub active: Vec<ServerKey>,
}

/// What was read.
#[derive(Debug)]
pub struct Found {
    /// The time of the reading: what is due later was not looked at.
    pub at: Timestamp,
    /// When the next is due that is not due yet.
    pub next_due: Option<Timestamp>,
    due: Vec<Callback>,
    /// What was found of each server.
    parts: HashMap<ServerKey, Part>,
}

/// What was found of a server.
#[derive(Clone, Copy, Debug)]
struct Part {
    size: Window,
    last: Position,
}

impl Found {
    /// Nothing so far.
    pub fn new(at: Timestamp) -> Found {
        Found {
            at,
            next_due: None,
            due: Vec::new(),
            parts: HashMap::new(),
        }
    }

    /// Whether no more is wanted of a server. One callback of each is, whatever its size.
    pub fn fills(&self, server: &ServerKey, window: Window) -> bool {
        self.parts.get(server).is_some_and(|Part { size, .. }| {
            size.callbacks >= window.callbacks || size.bytes >= window.bytes
        })
    }

    /// Adds a callback that is due.
    pub fn add(&mut self, callback: Callback) {
        let part = self.parts.entry(callback.server.clone()).or_insert(Part {
            size: Window::default(),
            last: START,
        });
        part.size.callbacks += 1;
        part.size.bytes += callback.bytes();
        part.last = part.last.max((callback.due_at, callback.id));
        self.due.push(callback);
    }
}

/// What was read so far.
#[derive(Debug)]
pub struct Reading {
    /// The wake-up calls that the last reading answered; `None` before the first.
    seen_wakes: Option<u64>,
    /// The same for calls to read anew; `None`: everything is to be read anew.
    seen_reloads: Option<u64>,
    /// The wake-up calls up to which calls to read anew are answered, too.
    answered_wakes: Option<u64>,
    /// How often everything may be read anew because sessions ask for it.
    anew: Rate,
    /// When the last reading was, by the database's clock.
    read_at: Timestamp,
}

impl Reading {
    /// Nothing was read so far.
    pub fn new(now: Instant) -> Reading {
        Reading {
            seen_wakes: None,
            seen_reloads: None,
            answered_wakes: None,
            anew: Rate::with_capacity(ANEW_AT_ONCE, 1.0, now),
            read_at: START.0,
        }
    }

    /// The wake-up calls that are answered, with all that was asked for before them.
    pub fn answered_wakes(&self) -> Option<u64> {
        self.answered_wakes
    }

    /// Lets the next reading read everything anew.
    pub fn start_over(&mut self) {
        // Until then no call counts as answered: the worker is not idle.
        self.answered_wakes = None;
        self.seen_reloads = None;
    }

    /// Whether there is anything to read. Commits are not answered before the worker `is_rested`.
    pub fn is_needed(
        &self,
        calls: Calls,
        is_rested: bool,
        now: Instant,
        scheduler: &Scheduler,
    ) -> bool {
        (is_rested && Some(calls.wakes) != self.seen_wakes)
            || self.is_asked_anew(calls, now)
            || self.runs_dry(scheduler)
    }

    /// Whether everything is to be read anew now.
    fn is_asked_anew(&self, calls: Calls, now: Instant) -> bool {
        match self.seen_reloads {
            None => true,
            Some(seen) => seen != calls.reloads && self.anew.next(now).is_none(),
        }
    }

    /// When everything is to be read anew, if sessions asked for it and it is not time yet.
    pub fn next_at(&self, calls: Calls, now: Instant) -> Option<Instant> {
        match self.seen_reloads == Some(calls.reloads) {
            true => None,
            false => self.anew.next(now),
        }
    }

    /// Whether there is more to read of a server, and what waits of it runs dry.
    pub fn runs_dry(&self, scheduler: &Scheduler) -> bool {
        let Window { callbacks, bytes } = window(scheduler);
        let part = Window {
            callbacks: callbacks / RUNS_DRY,
            bytes: bytes / RUNS_DRY,
        };
        let runs_dry = |lane: &Lane| lane.read_from(part).is_some();
        scheduler.lanes.values().any(runs_dry)
    }

    /// Begins a reading. `earliest` is the earliest due time of what was committed since the last
    /// one began; `maybe_prepared`, whether a database transaction was prepared.
    pub fn begin(
        &mut self,
        now: Instant,
        calls: Calls,
        earliest: Timestamp,
        maybe_prepared: bool,
        is_safety_look: bool,
        scheduler: &mut Scheduler,
    ) -> Plan {
        let is_asked_anew = self.is_asked_anew(calls, now);
        let looks_for_prepared = maybe_prepared || is_safety_look;
        let from = match is_asked_anew || looks_for_prepared {
            true => START,
            false => (earliest, 0),
        };
        rewind_all(scheduler, from);
        let reads_servers = is_asked_anew || is_safety_look;
        if reads_servers {
            self.anew.take(now);
        }
        Plan {
            calls,
            reads_servers,
            looks_for_prepared,
        }
    }

    /// Which callbacks to read.
    pub fn query(&self, scheduler: &Scheduler) -> Query {
        let window = window(scheduler);
        let lanes = scheduler.lanes.iter();
        let after = lanes
            .clone()
            .filter_map(|(server, lane)| Some((server.clone(), lane.read_from(window)?)));
        let active = lanes.filter(|(_, lane)| !lane.is_paused());
        Query {
            window,
            after: after.collect(),
            active: active.map(|(server, _)| server.clone()).collect(),
        }
    }

    /// Takes over what was read.
    pub fn take(&mut self, query: Query, found: Found, scheduler: &mut Scheduler) {
        for (server, _) in query.after {
            if let Some(lane) = scheduler.lanes.get_mut(&server) {
                // If there is no more, all that is due by now was seen. What commits later and was
                // due before makes the next reading start earlier.
                match found.parts.get(&server) {
                    Some(part) if found.fills(&server, query.window) => {
                        lane.advance(part.last, true)
                    }
                    _ => lane.advance((found.at, i64::MAX), false),
                }
            }
        }
        for callback in found.due {
            scheduler.offer(callback);
        }
        if found.at < self.read_at {
            // By the clock as it is now, what is due may lie before the positions.
            rewind_all(scheduler, START);
        }
        self.read_at = found.at;
    }

    /// Ends a reading. After a failure the next one starts over: what was to be read is unknown.
    pub fn end(&mut self, plan: Plan, is_done: bool) {
        match is_done {
            true => {
                self.seen_wakes = Some(plan.calls.wakes);
                if plan.reads_servers {
                    self.seen_reloads = Some(plan.calls.reloads);
                }
                if self.seen_reloads == Some(plan.calls.reloads) {
                    self.answered_wakes = self.seen_wakes;
                }
            }
            false => self.start_over(),
        }
    }
}

/// How much of each server may wait.
fn window(scheduler: &Scheduler) -> Window {
    let (least, most) = SERVER_WINDOW;
    let callbacks = (WINDOW / scheduler.lanes.len().max(1)).clamp(least, most);
    Window {
        callbacks,
        bytes: callbacks * CALLBACK_BYTES,
    }
}

fn rewind_all(scheduler: &mut Scheduler, to: Position) {
    scheduler
        .lanes
        .values_mut()
        .for_each(|lane| lane.rewind(to));
}

#[cfg(test)]
mod tests;
