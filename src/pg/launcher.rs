//! The launcher: one process that starts a worker for each database that has the extension.
//!
//! Only a process connected to a database can know whether the extension is there. So at the
//! start each database gets a worker that looks, and ends if it is not. From then on the launcher
//! sleeps until somebody wakes it: a commit with callbacks in a database without worker, a worker
//! that ended, or one that could not be started yet, also because a command has the database to
//! itself, or the database takes no connections.
//!
//! At the start, templates get none: what they owe is for their copies. Later, one that asks gets
//! its worker as any other.

use std::collections::HashMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, DynamicBackgroundWorker, SignalWakeFlags,
};
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::database::{self, State};
use super::wake::{self, Board};

/// The library's name: cargo-pgrx names it after the control file.
const LIBRARY: &str = "pgrx-ext";

/// What workers are to `pg_stat_activity`.
pub const WORKER: &str = "pgrx-ext worker";

/// Between two starts of a worker that ended by itself.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The longest that pause gets while a worker ends soon after each start.
const LONGEST_RESTART_PAUSE: Duration = Duration::from_secs(60);

/// How often a database is looked at that a command has to itself.
const HELD_LOOK: Duration = Duration::from_millis(100);

/// How often a database is looked at that takes no connections: that may last.
const CLOSED_LOOK: Duration = Duration::from_secs(2);

/// Registers the launcher with the postmaster.
pub fn register() {
    BackgroundWorkerBuilder::new("pgrx-ext launcher")
        .set_type("pgrx-ext launcher")
        .set_library(LIBRARY)
        .set_function("pgrx_ext_launcher_main")
        .enable_spi_access()
        .set_restart_time(Some(RESTART_PAUSE))
        .load();
}

/// Entry point of the launcher.
#[unsafe(no_mangle)]
#[allow(unsafe_code)]
#[pg_guard]
pub extern "C-unwind" fn pgrx_ext_launcher_main(_argument: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    BackgroundWorker::connect_worker_to_spi(None, None);
    if let Some(board) = wake::board() {
        board.occupy_launcher();
        for database in BackgroundWorker::transaction(databases_at_start) {
            // One that does not have the extension ends the worker, which is then not wanted.
            if let Some(slot) = board.claim(database) {
                slot.wanted.store(true, SeqCst);
            }
        }
        let mut starts = HashMap::new();
        loop {
            let pause = start_wanted(board, &mut starts);
            if !BackgroundWorker::wait_latch(pause) {
                break;
            }
        }
    }
    // With 1, the postmaster starts it again, unless the whole server stops.
    // SAFETY: the end of the main function of the process, with no transaction open.
    unsafe { pg_sys::proc_exit(1) }
}

/// When a worker was started, and how long to wait before it is started again.
struct Start {
    at: Instant,
    pause: Duration,
}

/// Starts the workers that are wanted and not there, frees the slots of databases that are gone;
/// says how long to sleep at most.
fn start_wanted(board: &Board, starts: &mut HashMap<pg_sys::Oid, Start>) -> Option<Duration> {
    let without_worker: Vec<_> = BackgroundWorker::transaction(|| {
        let slots = board.slots().iter();
        let without_worker = slots.filter_map(|slot| {
            let database = slot.database().filter(|_| slot.pid.load(SeqCst) == 0)?;
            Some((slot, database, State::of(database)))
        });
        without_worker.collect()
    });
    let now = Instant::now();
    let mut sleep = None;
    for (slot, database, state) in without_worker {
        if state == State::Gone {
            slot.free();
            starts.remove(&database);
        } else if slot.wanted.load(SeqCst) {
            if slot.was_told_to_stop.swap(false, SeqCst) {
                starts.remove(&database);
            }
            let pause = match state {
                State::Held => HELD_LOOK,
                State::Closed => CLOSED_LOOK,
                State::Open | State::Gone => start_in_time(database, starts, now),
            };
            sleep = Some(sleep.map_or(pause, |sleep: Duration| sleep.min(pause)));
        } else {
            // It ended because there is no extension: when there is one, there is no need to wait.
            starts.remove(&database);
        }
    }
    sleep
}

/// Starts a worker unless it was started a moment ago; says when to look again.
fn start_in_time(
    database: pg_sys::Oid,
    starts: &mut HashMap<pg_sys::Oid, Start>,
    now: Instant,
) -> Duration {
    let pause = match starts.get(&database) {
        Some(start) if now < start.at + start.pause => return start.at + start.pause - now,
        // It ended soon after its last start.
        Some(start) if now < start.at + 10 * start.pause => {
            (start.pause * 2).min(LONGEST_RESTART_PAUSE)
        }
        _ => RESTART_PAUSE,
    };
    if start(database).is_none() && pause == RESTART_PAUSE {
        warning!(
            "s2s: cannot start a worker for database {}: raise max_worker_processes",
            database.to_u32()
        );
    }
    starts.insert(database, Start { at: now, pause });
    pause
}

/// Registers a worker for a database; `None` if there is no room for one.
#[allow(unsafe_code)]
fn start(database: pg_sys::Oid) -> Option<DynamicBackgroundWorker> {
    // SAFETY: a constant of this process.
    let own_pid = unsafe { pg_sys::MyProcPid };
    BackgroundWorkerBuilder::new(&format!("{WORKER} {}", database.to_u32()))
        .set_type(WORKER)
        .set_library(LIBRARY)
        .set_function("pgrx_ext_worker_main")
        .set_argument(database.into_datum())
        .enable_spi_access()
        .set_restart_time(None)
        .set_notify_pid(own_pid)
        .load_dynamic()
        .ok()
}

/// All databases that take connections, less templates. Within a transaction.
fn databases_at_start() -> Vec<pg_sys::Oid> {
    let rows = database::rows().into_iter();
    rows.filter(|row| database::takes_connections(row) && !row.datistemplate)
        .map(|row| row.oid)
        .collect()
}
