//! Reading: which callbacks are due, and what their servers are like.

#![forbid(unsafe_code)]

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Instant, SystemTime};

use pgrx::prelude::*;

use super::{Worker, servers};
use crate::delivery::Timestamp;
use crate::delivery::reading::Plan;
use crate::pg::queue;
use crate::pg::sys::catalog;
use crate::pg::sys::process;
use crate::pg::sys::transaction::{SqlError, transaction};

impl Worker {
    pub(super) fn must_read(&self, now: Instant) -> bool {
        let is_rested = self.alarms.is_rested(now);
        self.alarms.is_look_due(now)
            || self
                .reading
                .is_needed(self.slot.calls(), is_rested, now, &self.scheduler)
    }

    /// Reads servers, if they changed, and callbacks that are due, and rests.
    pub(super) fn read(&mut self) -> Result<(), SqlError> {
        let start = Instant::now();
        // In this order: what is committed after the calls were counted is read the next time, and
        // so is a database transaction that is prepared from here on.
        let calls = self.slot.calls();
        let earliest = Timestamp(self.slot.earliest.take());
        let plan = self.reading.begin(
            start,
            calls,
            earliest,
            self.slot.prepared.swap(false, SeqCst),
            self.alarms.is_safety_look_due(start),
            &mut self.scheduler,
        );
        let result = self.read_plan(plan);
        if result.is_err() && plan.looks_for_prepared {
            self.slot.prepared.store(true, SeqCst);
        }
        self.reading.end(plan, result.is_ok());
        self.alarms.rest(start, Instant::now());
        result
    }

    fn read_plan(&mut self, plan: Plan) -> Result<(), SqlError> {
        if plan.reads_servers {
            self.read_servers()?;
        }
        let clock = || Timestamp::from(SystemTime::now());
        let query = self.reading.query(&self.scheduler);
        if query.active.is_empty() && !plan.looks_for_prepared {
            // All servers are paused: a commit costs no statement.
            let now = Instant::now();
            self.alarms.queue_is_read(now, clock(), None, false);
            return Ok(());
        }
        let (is_prepared, found) = transaction(|| {
            // In this order: what is not prepared any more is committed, and the reading sees it.
            let is_prepared = plan.looks_for_prepared && queue::read::any_prepared()?;
            Ok((is_prepared, queue::read::due(&query)?))
        })?;
        if is_prepared {
            self.slot.prepared.store(true, SeqCst);
        }
        let now = Instant::now();
        self.alarms
            .queue_is_read(now, clock(), found.next_due, is_prepared);
        self.reading.take(query, found, &mut self.scheduler);
        Ok(())
    }

    /// Reads the servers anew, and forgets what waits in memory.
    fn read_servers(&mut self) -> Result<(), SqlError> {
        // Before the look: a session that makes the extension anew is not missed.
        let calls = self.slot.calls();
        let found = transaction(|| match catalog::extension_exists() {
            true => {
                // Names first, each query with a snapshot of its own: otherwise a server created in
                // between, with callbacks, would look dropped, and they would be parked.
                let queued = queue::read::servers()?;
                Ok(Some((servers::read()?, queued)))
            }
            false => Ok(None),
        });
        let Some(((servers, others), queued)) = found? else {
            self.slot.state.give_up(calls.wakes);
            log!("s2s: the extension is gone; the worker ends");
            process::exit(0);
        };
        self.servers.refresh(servers, others, queued);
        let now = Instant::now();
        self.scheduler.set_servers(&self.servers.limits(), now);
        self.alarms.servers_are_read(now);
        Ok(())
    }
}
