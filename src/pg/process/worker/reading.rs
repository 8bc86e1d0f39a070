//! Reading: which callbacks are due, and what their servers are like.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant, SystemTime};

use pgrx::prelude::*;

use super::lanes::Lane;
use super::sql::{self, Found, Position};
use super::{SAFETY_LOOK, Worker, end};
use crate::delivery::Timestamp;
use crate::pg::sys::catalog;
use crate::pg::sys::transaction::{SqlError, transaction};

/// How many callbacks are kept in memory, of all servers together.
const WINDOW: usize = 4000;

/// How many callbacks of one server are read at once, at most and at least.
const READ_AT_ONCE: (usize, usize) = (500, 20);

/// So many times as long as a reading took, commits are not answered with another one: they leave
/// the processor to those who commit.
const REST: u32 = 4;

/// The shortest and the longest rest: what a commit waits for it at most.
const REST_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));

/// How often the queue is looked at while transactions are prepared.
const PREPARED_LOOK: Duration = Duration::from_secs(1);

impl Worker {
    /// Somebody asked to look at the queue since the last reading.
    fn is_called(&self) -> bool {
        Some(self.slot.wakes.load(SeqCst)) != self.seen_wakes
    }

    pub(super) fn must_read_now(&self) -> bool {
        (self.is_called() && Instant::now() >= self.rested_at)
            || Some(self.slot.reloads.load(SeqCst)) != self.seen_reloads
            || Instant::now() >= self.next_look.min(self.next_safety_look)
            || self
                .lanes
                .iter()
                .any(|(server, lane)| self.wants_more(server, lane))
    }

    /// How many callbacks of each server are read at once.
    fn window(&self) -> usize {
        let (most, least) = READ_AT_ONCE;
        (WINDOW / self.lanes.len().max(1)).clamp(least, most)
    }

    /// There is more to read of a server, and what is in memory runs dry.
    pub(super) fn wants_more(&self, server: &str, lane: &Lane) -> bool {
        lane.has_more && !lane.is_paused() && self.scheduler.waiting(server) < self.window() / 4
    }

    /// Reads, and rests in proportion: when commits come thick and fast, one reading answers many
    /// of them.
    pub(super) fn read_and_rest(&mut self) -> Result<(), SqlError> {
        let start = Instant::now();
        let result = self.read();
        let end = Instant::now();
        let (shortest, longest) = REST_BOUNDS;
        self.rested_at = end + ((end - start) * REST).clamp(shortest, longest);
        result
    }

    /// Reads servers, if they changed, and callbacks that are due.
    fn read(&mut self) -> Result<(), SqlError> {
        // In this order: what is committed after the first two lines is seen by the next reading.
        let wakes = self.slot.wakes.load(SeqCst);
        let reloads = self.slot.reloads.load(SeqCst);
        let earliest = Timestamp(self.slot.earliest.take());
        let is_safety_look = Instant::now() >= self.next_safety_look;
        // Down before the look: a transaction that is prepared from here on raises it again.
        let looks_for_prepared = self.slot.prepared.swap(false, SeqCst) || is_safety_look;
        let has_reloads = Some(reloads) != self.seen_reloads;
        let from = match has_reloads || looks_for_prepared {
            true => sql::START,
            false => (earliest, 0),
        };
        self.lanes.rewind(from);
        let result = self.read_from_there(has_reloads || is_safety_look, looks_for_prepared);
        if result.is_err() {
            self.slot.prepared.store(looks_for_prepared, SeqCst);
            // What was to be read is unknown by now: the next reading starts over.
            self.seen_reloads = None;
            return result;
        }
        self.seen_wakes = Some(wakes);
        self.seen_reloads = Some(reloads);
        Ok(())
    }

    fn read_from_there(&mut self, reload: bool, looks_for_prepared: bool) -> Result<(), SqlError> {
        if reload {
            self.reload()?;
        }
        let window = self.window();
        let wanted = |(server, lane): &(&str, &Lane)| {
            lane.has_more && !lane.is_paused() && self.scheduler.waiting(server) < window
        };
        let after: Vec<(&str, Position)> = self
            .lanes
            .iter()
            .filter(wanted)
            .map(|(server, lane)| (server, lane.read_up_to))
            .collect();
        let active: Vec<&str> = self
            .lanes
            .iter()
            .filter(|(_, lane)| !lane.is_paused())
            .map(|(server, _)| server)
            .collect();
        if active.is_empty() && !looks_for_prepared {
            // All servers are paused: a commit costs no statement.
            self.next_look = Instant::now() + SAFETY_LOOK;
            return Ok(());
        }
        let (found, is_prepared) = transaction(|| {
            // In this order: what is not prepared any more is committed, and the reading sees it.
            let is_prepared = looks_for_prepared && sql::any_prepared();
            let found = self.statements.read_due(&after, window, &active);
            (found, is_prepared)
        })?;
        let after: Vec<String> = after
            .into_iter()
            .map(|(server, _)| server.to_owned())
            .collect();
        if is_prepared {
            self.slot.prepared.store(true, SeqCst);
        }
        let mut pause = if is_prepared {
            PREPARED_LOOK
        } else {
            SAFETY_LOOK
        };
        if let Some(next) = found.next_due {
            pause = pause.min(Timestamp::from(SystemTime::now()).until(next));
        }
        let now = Instant::now();
        self.next_look = now + pause;
        self.take(after, found, window, now);
        Ok(())
    }

    /// Takes over what was read of some servers.
    fn take(&mut self, servers: Vec<String>, found: Found, window: usize, now: Instant) {
        let was_set_back = found.at < self.read_at;
        self.read_at = found.at;
        let mut counts: HashMap<String, usize> =
            servers.into_iter().map(|server| (server, 0)).collect();
        for callback in found.due {
            if let Some(lane) = self.lanes.get_mut(&callback.server) {
                lane.read_up_to = lane.read_up_to.max((callback.due_at, callback.id));
            }
            if let Some(count) = counts.get_mut(&callback.server) {
                *count += 1;
            }
            self.scheduler.offer(callback, now);
        }
        for (server, count) in counts {
            if let Some(lane) = self.lanes.get_mut(&server) {
                lane.has_more = count >= window;
                // All that is due by then was seen. What commits later and was due before makes
                // the reading start earlier.
                if !lane.has_more {
                    lane.read_up_to = lane.read_up_to.max((found.at, i64::MAX));
                }
            }
        }
        if was_set_back {
            // By the clock as it is now, what is due may lie before the positions.
            self.lanes.rewind(sql::START);
        }
    }

    /// Reads the servers anew, and forgets what waits in memory.
    fn reload(&mut self) -> Result<(), SqlError> {
        // Before the look: who makes the extension anew is heard.
        self.slot.wanted.store(false, SeqCst);
        let found = transaction(|| {
            catalog::extension_exists().then(|| (sql::read_servers(), sql::queued_servers()))
        });
        if !matches!(found, Ok(None)) {
            self.slot.wanted.store(true, SeqCst);
        }
        let Some((servers, queued)) = found? else {
            log!("s2s: the extension is gone; the worker ends");
            end(0);
        };
        self.scheduler.forget_waiting();
        self.lanes.refresh(servers, queued);
        let now = Instant::now();
        self.scheduler.set_limits(&self.lanes.limits(), now);
        self.next_safety_look = now + SAFETY_LOOK;
        Ok(())
    }
}
