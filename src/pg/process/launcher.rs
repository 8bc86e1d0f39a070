//! The launcher: one process that starts a worker for each database that has the extension.
//!
//! Only a process connected to a database can know whether the extension is there. So at the
//! start each database gets a worker that looks, and ends if it is not. From then on the launcher
//! sleeps until it is woken by a commit with callbacks in a database without worker, or by a worker
//! that ended; or until it is time to look at a worker that could not be started yet, also because
//! a command has the database to itself, or the database takes no connections.
//!
//! At the start, templates get none: what they owe is for their copies. Later, one that asks gets
//! its worker as any other.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, DynamicBackgroundWorker, SignalWakeFlags,
};
use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::process::wake::{self, Board};
use crate::pg::sys::database::{self, Access};
use crate::pg::sys::process;

/// The library's name as it is installed: the control file's.
const LIBRARY: &str = "pgrx-ext";

/// What workers are to `pg_stat_activity`.
pub const WORKER: &str = "pgrx-ext worker";

/// Between two starts of a worker that ended by itself.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// The longest that pause gets while a worker ends soon after each start.
const LONGEST_RESTART_PAUSE: Duration = Duration::from_secs(60);

/// How often a database is looked at that a command has locked.
const LOCKED_LOOK: Duration = Duration::from_millis(100);

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
        let mut launcher = Launcher {
            board,
            unseen: BackgroundWorker::transaction(databases_at_start),
            starts: HashMap::new(),
            refused: HashSet::new(),
        };
        loop {
            let pause = launcher.start_wanted();
            if !BackgroundWorker::wait_latch(pause) {
                break;
            }
        }
    }
    // With 1, the postmaster starts it again, unless the whole server stops.
    process::exit(1)
}

/// What the launcher knows of databases.
struct Launcher {
    board: &'static Board,
    /// Databases that may have the extension and have no slot so far: no worker has looked yet.
    unseen: Vec<pg_sys::Oid>,
    starts: HashMap<pg_sys::Oid, Start>,
    /// Databases whose worker PostgreSQL had no room for; the log has a warning for each.
    refused: HashSet<pg_sys::Oid>,
}

/// When a worker was started, and how long to wait before it is started again.
struct Start {
    at: Instant,
    pause: Duration,
}

impl Launcher {
    /// Starts the workers that are wanted and not there, frees the slots of databases that want
    /// none; says how long to sleep at most.
    fn start_wanted(&mut self) -> Option<Duration> {
        self.look_at_unseen();
        let without_worker: Vec<_> = BackgroundWorker::transaction(|| {
            let slots = self.board.slots().iter();
            let without_worker = slots.filter_map(|slot| {
                let database = slot.database().filter(|_| slot.state.process().is_none())?;
                Some((slot, database, Access::of(database)))
            });
            without_worker.collect()
        });
        let now = Instant::now();
        let mut sleep = None;
        for (slot, database, access) in without_worker {
            let pause = match access {
                Access::Gone => {
                    slot.state.free(database.to_u32());
                    self.forget(database);
                    continue;
                }
                // It ended because there is no extension: when there is one, there is no need to
                // wait.
                _ if slot.state.release(database.to_u32()) => {
                    self.forget(database);
                    continue;
                }
                Access::Locked => LOCKED_LOOK,
                Access::Closed => CLOSED_LOOK,
                Access::Open => {
                    if slot.was_told_to_stop.swap(false, SeqCst) {
                        self.starts.remove(&database);
                    }
                    self.start_in_time(database, now)
                }
            };
            sleep = Some(sleep.map_or(pause, |sleep: Duration| sleep.min(pause)));
        }
        sleep
    }

    /// Has workers look whether databases have the extension, as far as there are slots. One that
    /// does not find it ends, and its slot is free again.
    fn look_at_unseen(&mut self) {
        while let Some(database) = self.unseen.last() {
            if self.board.claim(*database).is_none() {
                return;
            }
            self.unseen.pop();
        }
    }

    /// Starts a worker unless it was started a moment ago; says when to look again.
    fn start_in_time(&mut self, database: pg_sys::Oid, now: Instant) -> Duration {
        let pause = match self.starts.get(&database) {
            Some(start) if now < start.at + start.pause => return start.at + start.pause - now,
            // It ended soon after its last start.
            Some(start) if now < start.at + 10 * start.pause => {
                (start.pause * 2).min(LONGEST_RESTART_PAUSE)
            }
            _ => RESTART_PAUSE,
        };
        if start(database).is_some() {
            self.starts.insert(database, Start { at: now, pause });
            self.refused.remove(&database);
            return pause;
        }
        // It was not started: the end of another worker may make room for it at any time.
        if self.refused.insert(database) {
            let name = BackgroundWorker::transaction(|| database::name(database));
            warning!(
                "s2s: cannot start a worker for database \"{name}\": raise max_worker_processes"
            );
        }
        RESTART_PAUSE
    }

    fn forget(&mut self, database: pg_sys::Oid) {
        self.starts.remove(&database);
        self.refused.remove(&database);
    }
}

/// Registers a worker for a database; `None` if there is no room for one.
fn start(database: pg_sys::Oid) -> Option<DynamicBackgroundWorker> {
    BackgroundWorkerBuilder::new(&format!("{WORKER} {}", database.to_u32()))
        .set_type(WORKER)
        .set_library(LIBRARY)
        .set_function("pgrx_ext_worker_main")
        .set_argument(database.into_datum())
        .enable_spi_access()
        .set_restart_time(None)
        .set_notify_pid(process::pid())
        .load_dynamic()
        .ok()
}

/// All databases that take connections, less templates. Within a database transaction.
fn databases_at_start() -> Vec<pg_sys::Oid> {
    let rows = database::rows().into_iter();
    rows.filter(|row| database::takes_connections(row) && !row.datistemplate)
        .map(|row| row.oid)
        .collect()
}
