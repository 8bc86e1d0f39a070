//! The worker leaves its database for commands that need the database to themselves.
//!
//! Such a [`command`] waits five seconds for other sessions to leave the database, then fails. A
//! hook takes the lock on the database that the command is about to take, and terminates the worker
//! first. PostgreSQL lets no session connect past that lock, and releases it when the database transaction
//! ends in any way; the launcher starts no worker while it is held. So nothing here has to be undone,
//! whether the command succeeds, fails, is cancelled, or its session dies.
//!
//! PostgreSQL 19: BGWORKER_INTERRUPTIBLE makes this unnecessary. These commands terminate background
//! workers with that flag themselves, and wait for them within their five seconds.

mod command;

use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::prelude::*;

use self::command::{DatabaseCommand, Kind};
use crate::pg::process::launcher;
use crate::pg::process::wake;
use crate::pg::settings;
use crate::pg::sys::hook;
use crate::pg::sys::latch;

/// How often a session checks whether the worker has left.
const CHECK_INTERVAL: Duration = Duration::from_millis(2);

/// Time that a worker gets to record its attempts, beyond `s2s.shutdown_grace`: as long as PostgreSQL
/// then waits for other sessions.
const RECORDING_TIME: Duration = Duration::from_secs(5);

/// Sets the hook. To be called once, while libraries are preloaded: there is no worker otherwise.
pub fn watch_commands() {
    hook::before_utility_command(before_command);
}

/// # Safety
///
/// `command` is a parse tree; a database transaction is open.
#[allow(unsafe_code)]
unsafe fn before_command(command: *mut pg_sys::Node, context: pg_sys::ProcessUtilityContext::Type) {
    use pg_sys::NodeTag::*;
    // SAFETY: as the caller says.
    unsafe {
        if let T_CreatedbStmt | T_RenameStmt | T_AlterDatabaseStmt | T_DropdbStmt = (*command).type_
        {
            clear_database(command, context);
        }
    }
}

/// Locks the database as the command is about to lock it, and terminates its worker, if the command
/// needs the database to itself and the user may issue it. Other errors are left to PostgreSQL.
///
/// # Safety
///
/// As of [`before_command`].
#[allow(unsafe_code)]
#[pg_guard]
unsafe extern "C-unwind" fn clear_database(
    command: *mut pg_sys::Node,
    context: pg_sys::ProcessUtilityContext::Type,
) {
    // SAFETY: as the caller says. The name lives as long as the parse tree, and the locks are on an
    // object of a shared catalog.
    unsafe {
        let Some(command) = DatabaseCommand::of(command) else {
            return;
        };
        let name = command.database.as_ptr();
        let is_top_level = context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL;
        let can_run = command.kind == Kind::Rename || !pg_sys::IsInTransactionBlock(is_top_level);
        if !can_run || pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() {
            return;
        }
        loop {
            let database = pg_sys::get_database_oid(name, true);
            // Without a slot there is no worker. Check the privilege before taking the lock.
            let has_slot = wake::board().is_some_and(|board| board.find(database).is_some());
            if !has_slot || !command.kind.is_allowed(database) {
                return;
            }
            let lock = command.kind.lock();
            pg_sys::LockSharedObject(pg_sys::DatabaseRelationId, database, 0, lock);
            // While this waited, another database may have been given the name.
            if pg_sys::get_database_oid(name, true) == database {
                return terminate_workers(database);
            }
            pg_sys::UnlockSharedObject(pg_sys::DatabaseRelationId, database, 0, lock);
        }
    }
}

/// Terminates a database's workers, and waits until they are gone, or long enough: PostgreSQL then
/// says which sessions are left.
#[allow(unsafe_code)]
fn terminate_workers(database: pg_sys::Oid) {
    let deadline = Instant::now() + settings::shutdown_grace() + RECORDING_TIME;
    let mut signalled = Vec::new();
    loop {
        let connected = connected_workers(database);
        if connected.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in connected {
            if !signalled.contains(&pid) {
                // SAFETY: a system call without pointers.
                unsafe { libc::kill(pid, libc::SIGTERM) };
                signalled.push(pid);
            }
        }
        latch::sleep(CHECK_INTERVAL);
    }
}

/// The process ids of the workers that PostgreSQL counts as connected to a database: also one that
/// starts and has no slot yet, or one that has left its slot and has not exited yet.
#[allow(unsafe_code)]
fn connected_workers(database: pg_sys::Oid) -> Vec<i32> {
    let mut found = Vec::new();
    // SAFETY: the array is in shared memory for as long as the server runs. Other processes write its
    // fields at any time: one that connects or exits just now is found by the next look, or stopped
    // by the lock on the database. The worker's type is a NUL-terminated text that is valid until the
    // next call.
    unsafe {
        let all = &*pg_sys::ProcGlobal;
        for number in 0..all.allProcCount as usize {
            let process = all.allProcs.add(number);
            let pid = (&raw const (*process).pid).read_volatile();
            let connected_to = (&raw const (*process).databaseId).read_volatile();
            if pid == 0 || connected_to != database {
                continue;
            }
            let worker_type = pg_sys::GetBackgroundWorkerTypeByPid(pid);
            if !worker_type.is_null()
                && CStr::from_ptr(worker_type).to_bytes() == launcher::WORKER.as_bytes()
            {
                found.push(pid);
            }
        }
    }
    found
}
