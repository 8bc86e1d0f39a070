//! The worker of one database: reads what is due, lets the pool send it, records what came of it.
//!
//! This is the main thread, the only one that talks to PostgreSQL. It sleeps on its latch (a
//! commit, a signal), on the pool's bell (answers), and until the next callback is due. Reading
//! and recording are short transactions of their own; none is open while a request is on the wire.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant, SystemTime};

use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::wake::{self, Slot};
use super::{queue, settings};

mod crash;
mod lanes;
pub mod sql;
mod stop;

use crate::delivery::breaker::Health;
use crate::delivery::client::MOST_KEPT;
use crate::delivery::pool::{Finished, Pool};
use crate::delivery::retry::{Fate, fate};
use crate::delivery::scheduler::Scheduler;
use crate::delivery::{Callback, Outcome, Reply, Timestamp, Verdict};
use crate::network::Server;
use crate::network::secret::Secret;
use lanes::{Lane, Lanes, Sending};
use sql::{Found, Position, SqlError, Statements};

/// How many callbacks are kept in memory, of all servers together.
const WINDOW: usize = 4000;

/// How many callbacks of one server are read at once, at most and at least.
const READ_AT_ONCE: (usize, usize) = (500, 20);

/// Nothing is missed for longer, whatever happened to a wake-up.
const SAFETY_LOOK: Duration = Duration::from_secs(60);

/// So many times as long as a reading took, commits are not answered with another one: they leave
/// the processor to those who commit.
const REST: u32 = 4;

/// The shortest and the longest rest: what a commit waits for it at most.
const REST_BOUNDS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(5));

/// Between two batches of attempts that are too old.
const EXPIRE_PAUSE: Duration = Duration::from_millis(100);

/// How often the queue is looked at while transactions are prepared.
const PREPARED_LOOK: Duration = Duration::from_secs(1);

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
    if !sql::transaction(queue::exists).unwrap_or(false) {
        return;
    }
    let Some(slot) = board.claim(database) else {
        return;
    };
    slot.wanted.store(true, SeqCst);
    if !slot.occupy() {
        return;
    }
    // SAFETY: the callback has the right form; it runs before shared memory is detached.
    unsafe { pg_sys::before_shmem_exit(Some(vacate_slot), pg_sys::Datum::null()) };
    sql::introduce();
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

/// A callback in flight, with its server and password as they were when it was sent.
struct Flying {
    callback: Callback,
    server: Rc<Server>,
    password: Option<Secret>,
    /// Without the password.
    url: String,
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
    /// Commits are not answered with another reading before.
    rested_at: Instant,
    /// When servers and queue are to be read anew, whatever happens.
    next_safety_look: Instant,
    /// When attempts that are too old are to be deleted.
    next_expiry: Instant,
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
            random: oorandom::Rand64::new(seed),
            threads,
            seen_wakes: None,
            seen_reloads: None,
            next_look: now,
            rested_at: now,
            next_safety_look: now,
            next_expiry: now,
            failures: 0,
            not_before: now,
        }
    }

    fn run(mut self) {
        loop {
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
            if stop::is_requested() {
                return self.stop();
            }
            if BackgroundWorker::sighup_received() {
                sql::reload_settings();
                self.seen_reloads = None;
            }
        }
    }

    /// Sleeps until there may be something to do. Ends the process if a thread of the pool crashed,
    /// before anything is asked of the pool: that thread may hold what the pool needs.
    fn sleep(&self, timeout: Duration) {
        sql::wait(self.pool.bell(), timeout);
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
        if has_answers || !self.unrecorded.is_empty() {
            self.record()?;
            self.send();
        }
        read?;
        if Instant::now() >= self.next_expiry {
            self.expire()?;
        }
        self.failures = 0;
        Ok(())
    }

    /// Somebody asked to look at the queue since the last reading.
    fn is_called(&self) -> bool {
        Some(self.slot.wakes.load(SeqCst)) != self.seen_wakes
    }

    fn must_read_now(&self) -> bool {
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
    fn wants_more(&self, server: &str, lane: &Lane) -> bool {
        lane.has_more && !lane.is_paused() && self.scheduler.waiting(server) < self.window() / 4
    }

    /// Reads, and rests in proportion: when commits come thick and fast, one reading answers many
    /// of them.
    fn read_and_rest(&mut self) -> Result<(), SqlError> {
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
        let (found, is_prepared) = sql::transaction(|| {
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
    }

    /// Reads the servers anew, forgets what waits in memory, and tidies up the attempts.
    fn reload(&mut self) -> Result<(), SqlError> {
        let found = sql::transaction(|| {
            queue::exists().then(|| (sql::read_servers(), sql::queued_servers()))
        })?;
        let Some((servers, queued)) = found else {
            log!("s2s: the extension is gone; the worker ends");
            self.slot.wanted.store(false, SeqCst);
            end(0);
        };
        self.scheduler.forget_waiting();
        self.lanes.refresh(servers, queued);
        let now = Instant::now();
        self.scheduler.set_limits(&self.lanes.limits(), now);
        self.next_safety_look = now + SAFETY_LOOK;
        Ok(())
    }

    /// Deletes a batch of attempts that are too old.
    fn expire(&mut self) -> Result<(), SqlError> {
        let retention = settings::attempt_retention();
        let has_more = sql::transaction(|| sql::expire_attempts(retention))?;
        self.next_expiry = Instant::now() + if has_more { EXPIRE_PAUSE } else { SAFETY_LOOK };
        Ok(())
    }

    /// Hands the pool all that may be sent now.
    fn send(&mut self) {
        let now = Instant::now();
        // A crash sends again what is not on record: there must not be much of it.
        while self.unrecorded.len() < self.threads
            && let Some(callback) = self.scheduler.next(now)
        {
            match self.lanes.sending(&callback) {
                Ok(Sending {
                    request,
                    server,
                    password,
                    url,
                }) => {
                    self.pool.send(request);
                    let flying = Flying {
                        callback,
                        server,
                        password,
                        url,
                    };
                    self.flying.insert(flying.callback.id, flying);
                }
                Err(message) => {
                    self.scheduler.answered(&callback, Health::Unknown, now);
                    self.unrecorded.push(unsendable(callback, message));
                }
            }
        }
    }

    /// Judges what the pool has finished; false if that is nothing.
    fn collect(&mut self) -> bool {
        let now = Instant::now();
        let all_finished = self.pool.finished();
        let found = !all_finished.is_empty();
        for finished in all_finished {
            let Some(flying) = self.flying.remove(&finished.id) else {
                continue;
            };
            let outcome = self.judge(flying, finished);
            let Outcome {
                callback,
                verdict,
                health,
                ..
            } = &outcome;
            if self.scheduler.answered(callback, *health, now) {
                let server = &callback.server;
                match health {
                    Health::Ill => log!(
                        "s2s: server \"{server}\" is broken, it is probed: {}",
                        verdict.message()
                    ),
                    _ => log!("s2s: server \"{server}\" is back"),
                }
            }
            self.unrecorded.push(outcome);
        }
        found
    }

    fn judge(&mut self, flying: Flying, finished: Finished) -> Outcome {
        let Flying {
            callback,
            server,
            password,
            url,
        } = flying;
        let chance = self.random.rand_float();
        let health = Health::of(&finished.reply);
        let (verdict, reply) = server.judge_redacted(
            callback.action,
            &callback.parameters(),
            finished.reply,
            password.as_ref(),
        );
        let fate = fate(&verdict, callback.attempts + 1, &server.pace, chance);
        let (status, response) = match reply {
            Reply::Answer(answer) => (Some(answer.status), Some(shorten(answer.body))),
            Reply::Failure(_) => (None, None),
        };
        Outcome {
            callback,
            url: Some(url),
            started_at: finished.started_at,
            duration: finished.duration,
            status,
            verdict,
            response,
            fate,
            health,
        }
    }

    /// Records all outcomes at hand in one transaction; if that fails, each in one of its own, so
    /// that one that cannot be recorded does not keep the others.
    fn record(&mut self) -> Result<(), SqlError> {
        let outcomes = std::mem::take(&mut self.unrecorded);
        if outcomes.is_empty() {
            return Ok(());
        }
        match self.statements.record(&outcomes) {
            Ok(()) => {
                outcomes.iter().for_each(|outcome| self.recorded(outcome));
                return Ok(());
            }
            Err(error) if !error.is_about_values() => {
                self.unrecorded = outcomes;
                return Err(error);
            }
            Err(_) => {}
        }
        let mut result = Ok(());
        for outcome in outcomes {
            match self.statements.record(std::slice::from_ref(&outcome)) {
                Ok(()) => self.recorded(&outcome),
                Err(error) => {
                    result = Err(error);
                    self.unrecorded.push(outcome);
                }
            }
        }
        result
    }

    /// An outcome is on record: the next callback of its transaction may go.
    fn recorded(&mut self, outcome: &Outcome) {
        let Outcome {
            callback, verdict, ..
        } = outcome;
        match outcome.fate {
            Fate::Gone => {
                let at = outcome.started_at.0 + outcome.duration.as_micros() as i64;
                self.slot.last_delivery_at.store(at, SeqCst);
                // It may have held later ones of its transaction: read them now.
                if callback.attempts > 0
                    && let Some(lane) = self.lanes.get_mut(&callback.server)
                {
                    lane.rewind((callback.created_at, 0));
                }
            }
            Fate::Later(pause) => self.next_look = self.next_look.min(Instant::now() + pause),
            Fate::Parked => log!(
                "s2s: callback {} for server \"{}\" is parked: {}",
                callback.id,
                callback.server,
                verdict.message()
            ),
        }
        self.scheduler.recorded(callback, outcome.fate);
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
        let in_flight = self.scheduler.in_flight() + self.unrecorded.len();
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
                        occupation.is_broken,
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
        if let Err(error) = self.record() {
            warning!("s2s: {error}; what could not be recorded is sent again");
        }
        log!("s2s: worker stopped");
        self.slot.was_told_to_stop.store(true, SeqCst);
        // With 1: the database still wants a worker, unless the whole server stops.
        end(1);
    }
}

/// The outcome of a callback that could not be sent at all.
fn unsendable(callback: Callback, message: String) -> Outcome {
    Outcome {
        callback,
        url: None,
        started_at: SystemTime::now().into(),
        duration: Duration::ZERO,
        status: None,
        verdict: Verdict::Failed { message },
        response: None,
        fate: Fate::Parked,
        health: Health::Unknown,
    }
}

/// So much of a body as is kept, cut between characters and without NUL.
fn shorten(mut body: String) -> String {
    body.retain(|c| c != '\0');
    let end = (0..=MOST_KEPT.min(body.len()))
        .rev()
        .find(|end| body.is_char_boundary(*end));
    body.truncate(end.unwrap_or_default());
    body
}
