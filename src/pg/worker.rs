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

use super::wake::{self, Slot};
use super::worker_sql;
use super::{queue, settings};
use crate::delivery::client::{Client, ClientSettings, MOST_KEPT, SystemRoots};
use crate::delivery::pool::{Finished, Pool, Request};
use crate::delivery::retry::{Fate, fate};
use crate::delivery::scheduler::Scheduler;
use crate::delivery::{Callback, Outcome, Reply, Timestamp, Verdict};
use crate::network::Server;
use crate::problem::Problem;

/// How many callbacks of each server are read at once.
const READ_AT_ONCE: usize = 500;

/// When fewer than so many wait in memory, and there are more, the next are read.
const REFILL_BELOW: usize = 100;

/// Nothing is missed for longer, whatever happened to a wake-up.
const SAFETY_LOOK: Duration = Duration::from_secs(60);

/// How often the queue is looked at while transactions are prepared.
const PREPARED_LOOK: Duration = Duration::from_secs(1);

/// Entry point of a worker; the argument is the database.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn pgrx_ext_worker_main(database: pg_sys::Datum) {
    let database = pg_sys::Oid::from(database.value() as u32);
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    let Some(board) = wake::board() else { return };
    if !worker_sql::transaction(queue::exists).unwrap_or(false) {
        if let Some(slot) = board.find(database) {
            slot.wanted.store(false, SeqCst);
        }
        return;
    }
    let Some(slot) = board.claim(database) else {
        return;
    };
    if !slot.occupy() {
        return;
    }
    // SAFETY: the callback has the right form; it runs before shared memory is detached.
    unsafe { pg_sys::before_shmem_exit(Some(vacate_slot), pg_sys::Datum::null()) };
    slot.wanted.store(true, SeqCst);
    worker_sql::introduce();
    let pool = match with_signals_blocked(|| Pool::start(settings::max_in_flight())) {
        Ok(pool) => pool,
        Err(error) => {
            warning!("s2s: cannot start the threads of the worker: {error}");
            end(1);
        }
    };
    log!("s2s: worker started");
    Worker::new(slot, pool).run();
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
    unsafe { pg_sys::proc_exit(code) }
}

/// Runs `start` with all signals blocked: threads started there inherit that, so that no handler
/// of PostgreSQL's ever runs on one of them.
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

/// A server and the connections to it.
struct Lane {
    server: Server,
    client: Result<Client, String>,
    settings: ClientSettings,
}

/// A callback in flight.
struct Flying {
    callback: Callback,
    url: String,
}

struct Worker {
    slot: &'static Slot,
    pool: Pool,
    roots: SystemRoots,
    scheduler: Scheduler,
    lanes: HashMap<String, Lane>,
    flying: HashMap<i64, Flying>,
    /// Judged, not yet on record.
    unrecorded: Vec<Outcome>,
    random: oorandom::Rand64,
    /// The wake-up calls that the last reading answered.
    seen_wakes: u64,
    seen_reloads: u64,
    /// The last reading left something unread.
    more_due: bool,
    /// When the queue is to be read again: something will be due.
    next_look: Instant,
    /// When servers and queue are to be read anew, whatever happens.
    next_safety_look: Instant,
    /// How often in a row reading or recording failed.
    failures: u32,
    /// After a failure: not to be tried before.
    not_before: Instant,
}

impl Worker {
    fn new(slot: &'static Slot, pool: Pool) -> Worker {
        let seed = u128::from(Timestamp::from(SystemTime::now()).0.unsigned_abs());
        Worker {
            slot,
            pool,
            roots: SystemRoots::load(),
            scheduler: Scheduler::new(settings::max_in_flight()),
            lanes: HashMap::new(),
            flying: HashMap::new(),
            unrecorded: Vec::new(),
            random: oorandom::Rand64::new(seed),
            // Not the present number: the first reading is due.
            seen_wakes: u64::MAX,
            seen_reloads: u64::MAX,
            more_due: false,
            next_look: Instant::now(),
            next_safety_look: Instant::now(),
            failures: 0,
            not_before: Instant::now(),
        }
    }

    fn run(mut self) {
        loop {
            match self.step() {
                Ok(()) => self.failures = 0,
                Err(error) => self.stumble(&error),
            }
            self.publish();
            let now = Instant::now();
            let next = match self.has_work() {
                true => now,
                false => self.next_look.min(self.next_safety_look),
            };
            let timeout = next.max(self.not_before).saturating_duration_since(now);
            if !worker_sql::wait(self.pool.bell(), timeout) {
                return self.stop();
            }
            if BackgroundWorker::sighup_received() {
                worker_sql::reload_settings();
                self.seen_reloads = u64::MAX;
            }
        }
    }

    /// Reads, sends and records what there is.
    fn step(&mut self) -> Result<(), String> {
        if Instant::now() < self.not_before {
            return Ok(());
        }
        if self.must_read() {
            self.read()?;
        }
        self.send();
        self.collect();
        self.record()?;
        // What was recorded has made room.
        self.send();
        Ok(())
    }

    /// There is something to read or to record.
    fn has_work(&self) -> bool {
        !self.unrecorded.is_empty() || self.must_read()
    }

    fn must_read(&self) -> bool {
        self.slot.wakes.load(SeqCst) != self.seen_wakes
            || self.slot.reloads.load(SeqCst) != self.seen_reloads
            || Instant::now() >= self.next_look.min(self.next_safety_look)
            || (self.more_due && self.scheduler.waiting() < REFILL_BELOW)
    }

    /// Reads servers, if they changed, and callbacks that are due.
    fn read(&mut self) -> Result<(), String> {
        let wakes = self.slot.wakes.load(SeqCst);
        let reloads = self.slot.reloads.load(SeqCst);
        let is_safety_look = Instant::now() >= self.next_safety_look;
        let reload = reloads != self.seen_reloads || is_safety_look;
        if reload {
            self.scheduler.forget_waiting();
        }
        let known = self.scheduler.known();
        let mut paused = self.paused();
        let was_prepared = self.slot.prepared.load(SeqCst) || self.seen_wakes == u64::MAX;
        let lanes = &mut self.lanes;
        let roots = &self.roots;
        let found = worker_sql::transaction(|| {
            if !queue::exists() {
                return None;
            }
            if reload {
                refresh(lanes, worker_sql::read_servers(), roots);
                paused = lanes
                    .values()
                    .filter(|lane| lane.server.pace.paused)
                    .map(|lane| lane.server.name.clone())
                    .collect();
            }
            let mut found = worker_sql::read_due(known, READ_AT_ONCE, paused);
            found.prepared = was_prepared && worker_sql::any_prepared();
            if is_safety_look {
                found.expired = worker_sql::expire_attempts(settings::attempt_retention());
            }
            Some(found)
        })?;
        let Some(found) = found else {
            log!("s2s: the extension is gone; the worker ends");
            self.slot.wanted.store(false, SeqCst);
            end(0);
        };
        self.seen_wakes = wakes;
        self.seen_reloads = reloads;
        if was_prepared && !found.prepared {
            self.slot.prepared.store(false, SeqCst);
        }
        self.more_due = found.limited;
        let now = Instant::now();
        if is_safety_look {
            // While there are attempts to delete, the next look is at once.
            self.next_safety_look = if found.expired {
                now
            } else {
                now + SAFETY_LOOK
            };
        }
        let mut pause = if found.prepared {
            PREPARED_LOOK
        } else {
            SAFETY_LOOK
        };
        if let Some(next) = found.next_due {
            pause = pause.min(Timestamp::from(SystemTime::now()).until(next));
        }
        self.next_look = now + pause;
        for callback in found.due {
            self.scheduler.offer(callback);
        }
        Ok(())
    }

    fn paused(&self) -> Vec<String> {
        let paused = |lane: &&Lane| lane.server.pace.paused;
        self.lanes
            .values()
            .filter(paused)
            .map(|lane| lane.server.name.clone())
            .collect()
    }

    /// Hands the pool all that may be sent now.
    fn send(&mut self) {
        let lanes = &self.lanes;
        let limit = |server: &str| match lanes.get(server) {
            Some(lane) if lane.server.pace.paused => 0,
            Some(lane) => lane.server.pace.max_in_flight,
            // It is not sent, but parked.
            None => usize::MAX,
        };
        while let Some(callback) = self.scheduler.next(limit) {
            match request(lanes, &callback) {
                Ok((client, url)) => {
                    self.pool.send(Request {
                        id: callback.id,
                        client,
                        url: url.clone(),
                    });
                    self.flying.insert(callback.id, Flying { callback, url });
                }
                Err(message) => self.unrecorded.push(unsendable(callback, message)),
            }
        }
    }

    /// Judges what the pool has finished.
    fn collect(&mut self) {
        for finished in self.pool.finished() {
            let Some(flying) = self.flying.remove(&finished.id) else {
                continue;
            };
            let outcome = self.judge(flying, finished);
            self.unrecorded.push(outcome);
        }
    }

    fn judge(&mut self, flying: Flying, finished: Finished) -> Outcome {
        let Flying { callback, url } = flying;
        let chance = self.random.rand_float();
        let (verdict, fate) = match self.lanes.get(&callback.server) {
            Some(lane) => {
                let verdict = lane.server.judge(&finished.reply);
                let fate = fate(&verdict, callback.attempts + 1, &lane.server.pace, chance);
                (verdict, fate)
            }
            None => {
                let message = "the server was dropped while the request was on the wire".to_owned();
                (Verdict::Failed { message }, Fate::Parked)
            }
        };
        let (status, response) = match finished.reply {
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
        }
    }

    /// Records all outcomes at hand in one transaction; if that fails, each in one of its own, so
    /// that one that cannot be recorded does not keep the others.
    fn record(&mut self) -> Result<(), String> {
        let outcomes = std::mem::take(&mut self.unrecorded);
        if outcomes.is_empty() {
            return Ok(());
        }
        if worker_sql::record(&outcomes).is_ok() {
            outcomes.iter().for_each(|outcome| self.recorded(outcome));
            return Ok(());
        }
        let mut result = Ok(());
        for outcome in outcomes {
            match worker_sql::record(std::slice::from_ref(&outcome)) {
                Ok(()) => self.recorded(&outcome),
                Err(error) => {
                    result = Err(format!("callback {}: {error}", outcome.callback.id));
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
                self.more_due |= callback.attempts > 0;
            }
            Fate::Later(pause) => self.next_look = self.next_look.min(Instant::now() + pause),
            Fate::Parked => log!(
                "s2s: callback {} for server \"{}\" is parked: {}",
                callback.id,
                callback.server,
                verdict.message()
            ),
        }
        self.scheduler.finished(callback, outcome.fate);
    }

    /// A transaction failed: the worker stays, and tries again in a while.
    fn stumble(&mut self, error: &str) {
        self.failures += 1;
        let pause = Duration::from_millis(100 << self.failures.min(8));
        warning!("s2s: {error}; the worker tries again in {pause:?}");
        self.not_before = Instant::now() + pause;
    }

    /// Shows sessions what the worker is doing.
    fn publish(&self) {
        let in_flight = self.scheduler.in_flight();
        self.slot
            .in_flight
            .store(u32::try_from(in_flight).unwrap_or(u32::MAX), SeqCst);
        let is_idle = in_flight == 0 && self.unrecorded.is_empty() && !self.more_due;
        if is_idle && self.failures == 0 {
            self.slot.idle_at.store(self.seen_wakes, SeqCst);
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
            worker_sql::wait(self.pool.bell(), left);
            self.collect();
        }
        if let Err(error) = self.record() {
            warning!("s2s: {error}; what could not be recorded is sent again");
        }
        log!("s2s: worker stopped");
        // With 1: the database still wants a worker, unless the whole server stops.
        end(1);
    }
}

/// Takes over the servers as they are now. Connections to those that did not change stay.
fn refresh(
    lanes: &mut HashMap<String, Lane>,
    servers: Vec<Result<Server, String>>,
    roots: &SystemRoots,
) {
    let mut old = std::mem::take(lanes);
    for server in servers {
        let server = match server {
            Ok(server) => server,
            Err(message) => {
                warning!("s2s: {message}");
                continue;
            }
        };
        let settings = ClientSettings {
            timeout: server.pace.timeout,
            connections: server.pace.max_in_flight,
            user_agent: settings::user_agent(),
            allow_private_addresses: settings::allow_private_addresses(),
            ca_file: server.pace.ca_file.clone(),
        };
        let lane = match old.remove(&server.name) {
            Some(lane) if lane.settings == settings && lane.client.is_ok() => {
                Lane { server, ..lane }
            }
            _ => Lane {
                client: Client::new(&settings, roots),
                server,
                settings,
            },
        };
        lanes.insert(lane.server.name.clone(), lane);
    }
}

/// The request for a callback, or why there is none.
fn request(lanes: &HashMap<String, Lane>, callback: &Callback) -> Result<(Client, String), String> {
    let lane = lanes
        .get(&callback.server)
        .ok_or_else(|| format!("server \"{}\" does not exist", callback.server))?;
    let url = lane
        .server
        .url(callback.action, &callback.parameters())
        .map_err(|problem| problem.one_line())?;
    Ok((lane.client.clone()?, url))
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
