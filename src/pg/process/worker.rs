//! The worker of one database: reads what is due, lets the pool send it, and records the attempts.
//!
//! This is the main thread, the only one that talks to PostgreSQL. It sleeps on its latch (a
//! commit, a signal), on the pool's bell (replies), and until the next alarm. Reading and recording
//! are short database transactions of their own; none is open while a request is on the wire. What
//! to do next is decided in [`crate::delivery`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant, SystemTime};

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys;
use pgrx::prelude::*;

mod read;
mod record;
mod send;
mod servers;
mod session;

use crate::delivery::Timestamp;
use crate::delivery::alarms::{Alarms, Expiry};
use crate::delivery::reading::Reading;
use crate::delivery::recording::Recording;
use crate::delivery::scheduler::{Occupation, Scheduler};
use crate::http::client::Clients;
use crate::http::pool::Pool;
use crate::pg::process::wake::{self, Slot};
use crate::pg::queue;
use crate::pg::settings;
use crate::pg::sys::catalog;
use crate::pg::sys::transaction::{SqlError, transaction};
use crate::pg::sys::{latch, process, signal};
use send::{InFlight, Judged};
use servers::Servers;

/// Entry point of a worker; the argument is the database.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn pgrx_ext_worker_main(database: pg_sys::Datum) {
    let database = pg_sys::Oid::from(database.value() as u32);
    signal::listen();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    // Before the look: nobody takes the slot from under this process, and no other worker looks.
    let Some(slot) = wake::occupy(database) else {
        return;
    };
    session::set_up();
    let calls = slot.calls();
    match transaction(|| Ok(catalog::extension_exists())) {
        Ok(true) => {}
        Ok(false) => {
            slot.state.give_up(calls.wakes);
            return;
        }
        Err(error) => {
            warning!("s2s: cannot look whether the extension is there: {error}");
            // Another worker looks again.
            process::exit(1);
        }
    }
    let descriptors = process::most_descriptors();
    // Each has a connection.
    let threads = settings::max_in_flight().min(descriptors / 4).max(1);
    let pool = match signal::with_signals_blocked(|| Pool::start(threads)) {
        Ok(pool) => pool,
        Err(error) => {
            warning!("s2s: cannot start the threads of the worker: {error}");
            process::exit(1);
        }
    };
    log!("s2s: worker started");
    Worker::new(slot, pool, threads, Clients::idle_of(descriptors, threads)).run();
}

struct Worker {
    slot: &'static Slot,
    pool: Pool<Judged>,
    /// Of the pool.
    threads: usize,
    servers: Servers,
    scheduler: Scheduler,
    reading: Reading,
    recording: Recording,
    alarms: Alarms,
    /// What the pool has, by number.
    in_flight: HashMap<i64, Arc<InFlight>>,
    random: oorandom::Rand64,
}

impl Worker {
    fn new(slot: &'static Slot, pool: Pool<Judged>, threads: usize, idle: usize) -> Worker {
        let now = Instant::now();
        let seed = u128::from(Timestamp::from(SystemTime::now()).0.unsigned_abs());
        Worker {
            slot,
            pool,
            threads,
            servers: Servers::new(idle),
            scheduler: Scheduler::new(threads),
            reading: Reading::new(now),
            recording: Recording::new(now),
            alarms: Alarms::new(now),
            in_flight: HashMap::new(),
            random: oorandom::Rand64::new(seed),
        }
    }

    fn run(mut self) {
        while !signal::is_stop_requested() {
            if let Err(error) = self.step() {
                let pause = self.alarms.failed(Instant::now());
                warning!("s2s: {error}; the worker tries again in {pause:?}");
            }
            self.publish();
            let now = Instant::now();
            // Before the check whether there is anything to do.
            let is_rested = self.alarms.is_rested(now);
            self.slot.is_listening.store(is_rested, SeqCst);
            let is_work = self.recording.to_record() > 0 || self.must_read(now);
            let others = [
                self.scheduler.next_at(now),
                self.recording.next_at(),
                self.servers.close_idle(now),
                self.reading.next_at(self.slot.calls(), now),
            ];
            let timeout = match signal::is_stop_requested() {
                // The latch that SIGTERM set may have been reset within a database transaction.
                true => Duration::ZERO,
                false => self
                    .alarms
                    .sleep(now, is_work, others.into_iter().flatten()),
            };
            latch::sleep_until_bell(self.pool.bell(), timeout);
            self.slot.is_listening.store(false, SeqCst);
            if BackgroundWorker::sighup_received() {
                process::reload_settings();
                self.reading.start_over();
            }
        }
        self.stop();
    }

    /// Records, reads and sends what there is; after a failure, not before a pause.
    fn step(&mut self) -> Result<(), SqlError> {
        // Also during the pause, or the bell would go on ringing.
        self.collect();
        let now = Instant::now();
        if self.alarms.is_pausing(now) {
            return Ok(());
        }
        // What cannot be read must not keep back what can be recorded.
        let read = match self.must_read(now) {
            true => self.read(),
            false => Ok(()),
        };
        // Before the record, so that the pool has something to do meanwhile.
        self.send();
        self.recording.retry_locked(Instant::now());
        if self.recording.to_record() > 0 {
            self.record()?;
            self.send();
        }
        read?;
        if self.alarms.is_expiry_due(Instant::now()) {
            self.expire();
        }
        self.alarms.succeeded();
        Ok(())
    }

    /// Deletes a batch of attempts that are too old. If that fails, deliveries go on.
    fn expire(&mut self) {
        let retention = settings::attempt_retention();
        let expired = transaction(|| queue::record::expire(retention));
        let expiry = match expired {
            Ok(true) => Expiry::More,
            Ok(false) => Expiry::Done,
            Err(_) => Expiry::Failed,
        };
        let warns = self.alarms.expired(expiry, Instant::now());
        if let Err(error) = expired
            && warns
        {
            warning!("s2s: attempts that are too old cannot be deleted: {error}");
        }
    }

    /// Shows sessions what the worker is doing.
    fn publish(&self) {
        // What is not on record counts: after a crash it would be sent again.
        let in_flight =
            self.scheduler.in_flight() + self.recording.to_record() + self.recording.locked();
        self.slot
            .in_flight
            .store(u32::try_from(in_flight).unwrap_or(u32::MAX), SeqCst);
        self.slot.servers.show(
            self.scheduler
                .occupations()
                .filter_map(|(server, occupation)| {
                    let is_broken = occupation.is_broken || self.servers.is_cut_off(server);
                    let occupation = Occupation {
                        is_broken,
                        ..occupation
                    };
                    Some((pg_sys::Oid::from(server.oid?), occupation))
                }),
        );
        let is_idle = in_flight == 0
            && !self.alarms.has_failed()
            && !self.reading.runs_dry(&self.scheduler)
            && !self.scheduler.waits_for_a_token(Instant::now());
        if let Some(wakes) = self.reading.answered_wakes().filter(|_| is_idle) {
            self.slot.idle_at.store(wakes, SeqCst);
        }
    }

    /// Waits for replies as long as `s2s.shutdown_grace` allows, and records them.
    fn stop(mut self) {
        let deadline = Instant::now() + settings::shutdown_grace();
        while !self.in_flight.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            latch::sleep_until_bell(self.pool.bell(), left);
            self.collect();
        }
        if let Err(error) = self.record_last() {
            warning!("s2s: {error}; what could not be recorded is sent again");
        }
        log!("s2s: worker stopped");
        self.slot.was_told_to_stop.store(true, SeqCst);
        // With 1: the database still wants a worker, unless the whole server stops.
        process::exit(1);
    }
}
