//! Shared memory: what workers and sessions know of each other.
//!
//! There is a slot for each database that has, or may want, a worker; [`crate::delivery::slot`] says how
//! slots are taken and freed. Everything in a slot is atomic: the commit callback may do nothing that can
//! fail. Only a process that takes a slot makes others that take one wait, for an instant.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::SystemTime;

use pgrx::pg_sys;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_shmem_init};

use crate::delivery::Timestamp;
use crate::delivery::reading::Calls;
use crate::delivery::scheduler::{Occupation, worth_showing};
use crate::delivery::slot::{self, SlotState};
use crate::pg::sys::latch::SharedLatch;
use crate::pg::sys::process;

/// What a worker and the sessions of its database know of each other.
#[derive(Default)]
pub struct Slot {
    /// Whose it is, and how often a session asked to look at the queue.
    pub state: SlotState,
    /// The last worker stopped because it was told to.
    pub was_told_to_stop: AtomicBool,
    /// The worker's latch.
    latch: SharedLatch,
    /// The worker sleeps, and has its latch set when it is called; else it looks by itself.
    pub is_listening: AtomicBool,
    /// The number of calls when the worker last had nothing to do.
    pub idle_at: AtomicU64,
    /// The earliest due time of what was committed since the worker last read.
    pub earliest: Earliest,
    /// How often servers, or callbacks that the worker may hold in memory, were changed.
    pub reloads: AtomicU64,
    /// A database transaction with callbacks was prepared and may be committed any time.
    pub prepared: AtomicBool,
    /// Requests in flight.
    pub in_flight: AtomicU32,
    /// When the worker started, as a `timestamptz`.
    pub started_at: AtomicI64,
    /// When the worker last delivered something, as a `timestamptz`; zero: never.
    pub last_delivery_at: AtomicI64,
    /// What the worker's servers are doing, as far as they are broken or busy.
    pub servers: ServerSlots,
}

/// The earliest of several points in time, as `timestamptz`.
pub struct Earliest(AtomicI64);

impl Default for Earliest {
    fn default() -> Earliest {
        Earliest(AtomicI64::new(i64::MAX))
    }
}

impl Earliest {
    /// Adds one.
    pub fn add(&self, time: i64) {
        self.0.fetch_min(time, SeqCst);
    }

    /// The earliest since the last call; `i64::MAX` if there was none.
    pub fn take(&self) -> i64 {
        self.0.swap(i64::MAX, SeqCst)
    }
}

/// Foreign servers of a database that can be shown as broken or busy.
const SERVERS: usize = 64;

/// What the foreign servers of a database are doing that are broken or busy.
pub struct ServerSlots {
    slots: [ServerSlot; SERVERS],
    /// More servers are broken than there are slots.
    is_cut: AtomicBool,
}

impl Default for ServerSlots {
    fn default() -> ServerSlots {
        ServerSlots {
            slots: std::array::from_fn(|_| ServerSlot::default()),
            is_cut: AtomicBool::new(false),
        }
    }
}

impl ServerSlots {
    /// All of them; those that are free have the server 0.
    pub fn iter(&self) -> impl Iterator<Item = &ServerSlot> {
        self.slots.iter()
    }

    /// Whether a server that has no slot may be broken.
    pub fn is_cut(&self) -> bool {
        self.is_cut.load(SeqCst)
    }

    /// Shows what foreign servers are doing.
    pub fn show(&self, servers: impl Iterator<Item = (pg_sys::Oid, Occupation)>) {
        let (shown, is_cut) = worth_showing(servers, SERVERS);
        let none = std::iter::repeat((pg_sys::InvalidOid, Occupation::AT_REST));
        for (slot, (server, occupation)) in self.iter().zip(shown.into_iter().chain(none)) {
            let in_flight = u32::try_from(occupation.in_flight).unwrap_or(u32::MAX);
            slot.server.store(server.to_u32(), SeqCst);
            slot.in_flight.store(in_flight, SeqCst);
            slot.is_broken.store(occupation.is_broken, SeqCst);
        }
        self.is_cut.store(is_cut, SeqCst);
    }
}

/// What a foreign server is doing.
#[derive(Default)]
pub struct ServerSlot {
    /// The foreign server's OID; zero: none.
    pub server: AtomicU32,
    /// Requests in flight.
    pub in_flight: AtomicU32,
    /// Nothing but probes goes there.
    pub is_broken: AtomicBool,
}

/// Databases that can have a worker, or want one, at once. Every worker needs one of PostgreSQL's
/// `max_worker_processes`, of which there are far fewer.
const SLOTS: usize = 256;

/// All slots, and the launcher's latch.
pub struct Board {
    slots: [Slot; SLOTS],
    /// A process takes a slot.
    is_claiming: AtomicBool,
    launcher: SharedLatch,
}

impl Default for Board {
    fn default() -> Board {
        Board {
            slots: std::array::from_fn(|_| Slot::default()),
            is_claiming: AtomicBool::new(false),
            launcher: SharedLatch::default(),
        }
    }
}

// SAFETY: atomics only; the latches are in shared memory, at the same address in every process.
#[allow(unsafe_code)]
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: the name is ours.
#[allow(unsafe_code)]
static BOARD: PgAtomic<Board> = unsafe { PgAtomic::new(c"pgrx-ext") };

/// The library was preloaded, so there is a board.
static PRELOADED: AtomicBool = AtomicBool::new(false);

/// Asks PostgreSQL for the memory. Only while libraries are preloaded.
#[allow(unsafe_code)]
pub fn request_memory() {
    pg_shmem_init!(BOARD);
    PRELOADED.store(true, SeqCst);
}

/// The board; `None` without preload.
pub fn board() -> Option<&'static Board> {
    PRELOADED.load(SeqCst).then(|| BOARD.get())
}

impl Board {
    /// Every slot, free ones too.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether no further database can have a worker.
    pub fn is_full(&self) -> bool {
        self.slots.iter().all(|slot| slot.database().is_some())
    }

    /// The slot of a database, if it has one.
    pub fn find(&self, database: pg_sys::Oid) -> Option<&Slot> {
        self.slots
            .iter()
            .find(|slot| slot.database() == Some(database))
    }

    /// The slot of a database; takes a free one, for which a worker is wanted, if it has none. `None` if
    /// there is no free one.
    pub fn claim(&self, database: pg_sys::Oid) -> Option<&Slot> {
        let states = self.slots.iter().map(|slot| &slot.state);
        slot::claim(states, &self.is_claiming, database.to_u32()).map(|found| &self.slots[found])
    }

    /// Tells a database's worker something and wakes it, or has one started. `None` if there is no
    /// room for one.
    pub fn wake(&self, database: pg_sys::Oid, tell: impl Fn(&Slot)) -> Option<&Slot> {
        loop {
            let slot = self.claim(database)?;
            tell(slot);
            match slot.state.call(database.to_u32()) {
                Some(0) => self.wake_launcher(),
                // Either the worker, which counts the calls after it has set `is_listening`, sees this
                // one, or this sees that it listens.
                Some(_) if slot.is_listening.load(SeqCst) => slot.latch.set(),
                Some(_) => {}
                // It was released in between, which takes a worker that gave it up.
                None => continue,
            }
            return Some(slot);
        }
    }

    /// This process is the launcher from now on.
    pub fn occupy_launcher(&self) {
        self.launcher.adopt();
    }

    /// Makes the launcher look at the slots.
    pub fn wake_launcher(&self) {
        self.launcher.set();
    }
}

impl Slot {
    /// The database it is for.
    pub fn database(&self) -> Option<pg_sys::Oid> {
        self.state.database().map(pg_sys::Oid::from)
    }

    /// What sessions have asked for so far.
    pub fn calls(&self) -> Calls {
        Calls {
            wakes: self.state.calls(),
            reloads: self.reloads.load(SeqCst),
        }
    }

    /// This process is the worker of the database, whose slot it is, from now on; false if there is one
    /// already.
    pub fn occupy(&self, database: pg_sys::Oid) -> bool {
        if !self.state.occupy(database.to_u32(), process::pid()) {
            return false;
        }
        self.is_listening.store(false, SeqCst);
        self.latch.adopt();
        self.in_flight.store(0, SeqCst);
        self.last_delivery_at.store(0, SeqCst);
        self.started_at
            .store(Timestamp::from(SystemTime::now()).0, SeqCst);
        true
    }

    /// The worker, this process, is gone.
    pub fn vacate(&self) {
        self.latch.clear();
        self.state.vacate(process::pid());
        BOARD.get().wake_launcher();
    }
}
