//! The worker of one database: reads what is due, lets the pool send it, records what came of it.
//!
//! This is the main thread, the only one that talks to PostgreSQL. It sleeps on its latch (a
//! commit, a signal), on the pool's bell (answers), and until the next callback is due. Reading
//! and recording are short transactions of their own; none is open while a request is on the wire.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant, SystemTime};

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::process::wake::{self, Slot};
use crate::pg::settings;

mod crash;
mod lanes;
mod reading;
mod sending;
mod session;
pub mod sql;

use crate::delivery::locked::Locked;
use crate::delivery::pool::Pool;
use crate::delivery::scheduler::Scheduler;
use crate::delivery::{Outcome, Timestamp};
use crate::pg::sys::catalog;
use crate::pg::sys::signal as stop;
use crate::pg::sys::transaction::{SqlError, transaction};
use lanes::Lanes;
use sending::Flying;
use sql::Statements;

/// Nothing is missed for longer, whatever happened to a wake-up.
const SAFETY_LOOK: Duration = Duration::from_secs(60);

/// Between two batches of attempts that are too old.
const EXPIRE_PAUSE: Duration = Duration::from_millis(100);

/// After attempts that are too old could not be deleted.
const EXPIRE_AGAIN: Duration = Duration::from_secs(600);

/// Between two warnings of that.
const EXPIRE_WARNING: Duration = Duration::from_secs(3600);

/// Entry point of a worker; the argument is the database.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn pgrx_ext_worker_main(database: pg_sys::Datum) {
    let database = pg_sys::Oid::from(database.value() as u32);
    stop::listen();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    let Some(board) = wake::board() else { return };
    // Before the look: who wants a worker from here on is heard.
    if let Some(slot) = board.find(database) {
        slot.wanted.store(false, SeqCst);
    }
    if !transaction(catalog::extension_exists).unwrap_or(false) {
        return;
    }
    let Some(slot) = board.claim(database) else {
        warning!("s2s: there is no room for the worker of another database");
        return;
    };
    slot.wanted.store(true, SeqCst);
    if !slot.occupy() {
        return;
    }
    // SAFETY: the callback has the right form; it runs before shared memory is detached.
    unsafe { pg_sys::before_shmem_exit(Some(vacate_slot), pg_sys::Datum::null()) };
    session::introduce();
    let threads = settings::max_in_flight();
    crash::watch();
    let pool = match with_signals_blocked(|| Pool::start(threads, crash::watch_thread)) {
        Ok(pool) => pool,
        Err(error) => {
            warning!("s2s: cannot start the threads of the worker: {error}");
            end(1);
        }
    };
    log!("s2s: worker started");
    Worker::new(slot, pool, threads).run();
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn vacate_slot(_: i32, _: pg_sys::Datum) {
    if let Some(slot) = wake::my_slot() {
        slot.vacate();
    }
}

/// Ends the process; other than 0, PostgreSQL's log says so.
#[allow(unsafe_code)]
fn end(code: i32) -> ! {
    // SAFETY: called from the main function of the process, with no transaction open.
    unsafe { pg_sys::proc_exit(code) };
    // To the bindings of some versions of PostgreSQL it is a function that returns.
    #[allow(unreachable_code)]
    {
        unreachable!("the process has ended")
    }
}

/// Runs `start` with all signals blocked: threads started there inherit that, so that no handler
/// of PostgreSQL's ever runs on one of them. They let in what `crash` is about by themselves.
#[allow(unsafe_code)]
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by sigfillset and by pthread_sigmask itself.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}

struct Worker {
    slot: &'static Slot,
    pool: Pool,
    statements: Statements,
    scheduler: Scheduler,
    lanes: Lanes,
    flying: HashMap<i64, Flying>,
    /// Judged, not yet on record.
    unrecorded: Vec<Outcome>,
    /// The same, but somebody else has locked their callbacks.
    locked: Locked,
    random: oorandom::Rand64,
    /// Of the pool.
    threads: usize,
    /// The wake-up calls that the last reading answered; `None` before the first.
    seen_wakes: Option<u64>,
    /// The calls to read servers anew that the last reading answered; `None`: there is one to
    /// answer.
    seen_reloads: Option<u64>,
    /// When the queue is to be read again: something will be due.
    next_look: Instant,
    /// When the last reading was, by the clock of what is queued.
    read_at: Timestamp,
    /// Commits are not answered with another reading before.
    rested_at: Instant,
    /// When servers and queue are to be read anew, whatever happens.
    next_safety_look: Instant,
    /// When attempts that are too old are to be deleted.
    next_expiry: Instant,
    /// When it may be said again that they cannot be deleted.
    next_expiry_warning: Instant,
    /// How often in a row reading or recording failed.
    failures: u32,
    /// After a failure: not to be tried before.
    not_before: Instant,
}

impl Worker {
    fn new(slot: &'static Slot, pool: Pool, threads: usize) -> Worker {
        let now = Instant::now();
        let seed = u128::from(Timestamp::from(SystemTime::now()).0.unsigned_abs());
        Worker {
            slot,
            pool,
            statements: Statements::new(),
            scheduler: Scheduler::new(threads),
            lanes: Lanes::new(),
            flying: HashMap::new(),
            unrecorded: Vec::new(),
            locked: Locked::new(now),
            random: oorandom::Rand64::new(seed),
            threads,
            seen_wakes: None,
            seen_reloads: None,
            next_look: now,
            read_at: sql::START.0,
            rested_at: now,
            next_safety_look: now,
            next_expiry: now,
            next_expiry_warning: now,
            failures: 0,
            not_before: now,
        }
    }

    fn run(mut self) {
        while !stop::is_requested() {
            if let Err(error) = self.step() {
                self.stumble(&error);
            }
            self.publish();
            let now = Instant::now();
            let is_rested = now >= self.rested_at;
            // Before the look at what is there to do.
            self.slot.is_listening.store(is_rested, SeqCst);
            let next = match !self.unrecorded.is_empty() || self.must_read_now() {
                true => now,
                false => {
                    let looks = [self.next_look, self.next_safety_look, self.next_expiry];
                    looks
                        .into_iter()
                        .chain((!is_rested).then_some(self.rested_at))
                        .chain(self.scheduler.next_at(now))
                        .chain(self.locked.next_at())
                        .fold(looks[0], Instant::min)
                }
            };
            let timeout = match stop::is_requested() {
                // The latch that SIGTERM set may have been reset within a transaction.
                true => Duration::ZERO,
                false => next.max(self.not_before).saturating_duration_since(now),
            };
            self.sleep(timeout);
            self.slot.is_listening.store(false, SeqCst);
            if BackgroundWorker::sighup_received() {
                session::reload_settings();
                self.seen_reloads = None;
            }
        }
        self.stop();
    }

    /// Sleeps until there may be something to do. Ends the process if a thread of the pool crashed,
    /// before anything is asked of the pool: that thread may hold what the pool needs.
    fn sleep(&self, timeout: Duration) {
        crate::pg::sys::latch::wait(self.pool.bell(), timeout);
        if let Some(signal) = crash::seen() {
            warning!(
                "s2s: a thread of the worker crashed with {signal}; the worker starts anew, and what was in flight is sent again"
            );
            end(1);
        }
    }

    /// Records, reads and sends what there is; after a failure, not before a pause.
    fn step(&mut self) -> Result<(), SqlError> {
        // Also during the pause, or the bell would go on ringing.
        let has_answers = self.collect();
        if Instant::now() < self.not_before {
            return Ok(());
        }
        // What cannot be read must not keep back what can be recorded.
        let read = match self.must_read_now() {
            true => self.read_and_rest(),
            false => Ok(()),
        };
        // Before the record, so that the pool has something to do meanwhile.
        self.send();
        self.unrecorded.extend(self.locked.take_due(Instant::now()));
        if has_answers || !self.unrecorded.is_empty() {
            self.record()?;
            self.send();
        }
        read?;
        if Instant::now() >= self.next_expiry {
            self.expire();
        }
        self.failures = 0;
        Ok(())
    }

    /// Deletes a batch of attempts that are too old. If that fails, deliveries go on.
    fn expire(&mut self) {
        let retention = settings::attempt_retention();
        let expired = transaction(|| sql::expire_attempts(retention));
        let now = Instant::now();
        let pause = match expired {
            Ok(true) => EXPIRE_PAUSE,
            Ok(false) => SAFETY_LOOK,
            Err(error) => {
                if now >= self.next_expiry_warning {
                    warning!("s2s: attempts that are too old cannot be deleted: {error}");
                    self.next_expiry_warning = now + EXPIRE_WARNING;
                }
                EXPIRE_AGAIN
            }
        };
        self.next_expiry = now + pause;
    }

    /// A transaction failed: the worker stays, and tries again in a while.
    fn stumble(&mut self, error: &SqlError) {
        self.failures += 1;
        // Perhaps the extension is gone: that is looked at first.
        self.next_safety_look = Instant::now();
        let pause = Duration::from_millis(100 << self.failures.min(8));
        warning!("s2s: {error}; the worker tries again in {pause:?}");
        self.not_before = Instant::now() + pause;
    }

    /// Shows sessions what the worker is doing.
    fn publish(&self) {
        // What is not on record counts: after a crash it would be sent again.
        let in_flight = self.scheduler.in_flight() + self.unrecorded.len() + self.locked.len();
        self.slot
            .in_flight
            .store(u32::try_from(in_flight).unwrap_or(u32::MAX), SeqCst);
        self.slot.servers.show(
            self.scheduler
                .occupations()
                .filter_map(|(server, occupation)| {
                    Some((
                        self.lanes.oid(server)?,
                        occupation.in_flight,
                        occupation.is_broken || self.lanes.is_cut_off(server),
                    ))
                }),
        );
        let is_idle = in_flight == 0
            && self.failures == 0
            && !self
                .lanes
                .iter()
                .any(|(server, lane)| self.wants_more(server, lane))
            && !self.scheduler.waits_for_a_token(Instant::now());
        if let Some(wakes) = self.seen_wakes.filter(|_| is_idle) {
            self.slot.idle_at.store(wakes, SeqCst);
        }
    }

    /// Waits for answers as long as `s2s.shutdown_grace` allows, and records them.
    fn stop(mut self) {
        let deadline = Instant::now() + settings::shutdown_grace();
        while !self.flying.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.sleep(left);
            self.collect();
        }
        if let Err(error) = self.record_last() {
            warning!("s2s: {error}; what could not be recorded is sent again");
        }
        log!("s2s: worker stopped");
        self.slot.was_told_to_stop.store(true, SeqCst);
        // With 1: the database still wants a worker, unless the whole server stops.
        end(1);
    }
}
