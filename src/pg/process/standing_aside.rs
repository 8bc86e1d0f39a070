//! The worker stands aside for commands that need its database to themselves.
//!
//! The commands of `standing_aside/command.rs` wait five seconds for others to leave a database, then fail. A
//! hook before them takes the lock on the database that the command is about to take, and sends
//! the worker away. PostgreSQL lets nobody connect past that lock, and releases it when the
//! transaction ends, however it ends; the launcher starts no worker while it is held. So nothing
//! here has to be undone, whether the command succeeds, fails, is cancelled, or its session dies.

mod command;

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::prelude::*;

use self::command::{Change, Need};
use crate::pg::process::launcher;
use crate::pg::process::wake;
use crate::pg::settings;
use crate::pg::sys::latch;

/// How often a session looks whether the worker has left.
const LOOK: Duration = Duration::from_millis(2);

/// What a worker gets to record what it has, beyond `s2s.shutdown_grace`: as long as PostgreSQL
/// then waits for other sessions.
const MARGIN: Duration = Duration::from_secs(5);

/// The hook that was there before ours.
static PREVIOUS: OnceLock<pg_sys::ProcessUtility_hook_type> = OnceLock::new();

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// PostgreSQL's own, without the wrapper that pgrx puts around it: that makes a new error out
    /// of one that passes through, without its context and the constraint that it names.
    #[link_name = "standard_ProcessUtility"]
    fn unwrapped_process_utility(
        statement: *mut pg_sys::PlannedStmt,
        query: *const c_char,
        is_read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );
}

/// Sets the hook. Called once, while libraries are preloaded: else there is no worker.
#[allow(unsafe_code)]
pub fn watch_commands() {
    // SAFETY: the hook has the right form and lives as long as the process; the variable is read
    // in this thread only.
    unsafe {
        let _ = PREVIOUS.set(pg_sys::ProcessUtility_hook);
        pg_sys::ProcessUtility_hook = Some(process_utility);
    }
}

/// Runs a utility command, after the worker of the database that it is about has left.
///
/// An error in the command jumps over this function, which owns nothing.
#[allow(unsafe_code)]
#[allow(clippy::too_many_arguments)]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query: *const c_char,
    is_read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    parameters: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    use pg_sys::NodeTag::*;
    // SAFETY: as PostgreSQL calls the hook: the statement is a utility command.
    unsafe {
        let command = (*statement).utilityStmt;
        if let T_CreatedbStmt | T_RenameStmt | T_AlterDatabaseStmt | T_DropdbStmt = (*command).type_
        {
            clear_the_way(command, context);
        }
        let process_utility = match PREVIOUS.get().copied().flatten() {
            Some(previous) => previous,
            None => unwrapped_process_utility,
        };
        process_utility(
            statement,
            query,
            is_read_only_tree,
            context,
            parameters,
            environment,
            destination,
            completion,
        );
    }
}

/// Takes the lock that a command is about to take, and sends the worker away, if the command needs
/// that and the user may give it. What is wrong with the command is left to PostgreSQL to say.
#[allow(unsafe_code)]
#[pg_guard]
unsafe extern "C-unwind" fn clear_the_way(
    command: *mut pg_sys::Node,
    context: pg_sys::ProcessUtilityContext::Type,
) {
    // SAFETY: a command of PostgreSQL's parser; names are NUL-terminated; within a transaction.
    unsafe {
        let Some(Need { name, change }) = Need::of(command) else {
            return;
        };
        let is_top_level = context == pg_sys::ProcessUtilityContext::PROCESS_UTILITY_TOPLEVEL;
        let is_alone = change == Change::Rename || !pg_sys::IsInTransactionBlock(is_top_level);
        if !is_alone || pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() {
            return;
        }
        loop {
            let database = pg_sys::get_database_oid(name, true);
            // Without a slot there is no worker. Who may not give the command must not lock either.
            let has_slot = wake::board().is_some_and(|board| board.find(database).is_some());
            if !has_slot || !change.is_allowed(database) {
                return;
            }
            let lock = change.lock();
            pg_sys::LockSharedObject(pg_sys::DatabaseRelationId, database, 0, lock);
            // While this waited, another database may have got the name.
            if pg_sys::get_database_oid(name, true) == database {
                return send_workers_away(database);
            }
            pg_sys::UnlockSharedObject(pg_sys::DatabaseRelationId, database, 0, lock);
        }
    }
}

/// Tells a database's workers to stop, and waits until they are gone; not for ever: PostgreSQL
/// then says who is still there.
#[allow(unsafe_code)]
fn send_workers_away(database: pg_sys::Oid) {
    let deadline = Instant::now() + settings::shutdown_grace() + MARGIN;
    let mut told = Vec::new();
    loop {
        let connected = connected_workers(database);
        if connected.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in connected {
            if !told.contains(&pid) {
                // SAFETY: a system call.
                unsafe { libc::kill(pid, libc::SIGTERM) };
                told.push(pid);
            }
        }
        latch::sleep(LOOK);
    }
}

/// The process ids of the workers that are connected to a database, as PostgreSQL itself sees it:
/// also one that starts and has no slot yet, or one that has left its slot and is not gone.
#[allow(unsafe_code)]
fn connected_workers(database: pg_sys::Oid) -> Vec<i32> {
    let mut found = Vec::new();
    // SAFETY: the array is in shared memory for as long as the server runs. Its fields change at
    // any time: a process that comes or goes just now is seen by the next look, or stopped by the
    // lock on the database. The type is a NUL-terminated text that stays until the next call.
    unsafe {
        let all = &*pg_sys::ProcGlobal;
        for index in 0..all.allProcCount as usize {
            let process = all.allProcs.add(index);
            let pid = (&raw const (*process).pid).read_volatile();
            let place = (&raw const (*process).databaseId).read_volatile();
            if pid == 0 || place != database {
                continue;
            }
            let kind = pg_sys::GetBackgroundWorkerTypeByPid(pid);
            if !kind.is_null() && CStr::from_ptr(kind).to_bytes() == launcher::WORKER.as_bytes() {
                found.push(pid);
            }
        }
    }
    found
}
