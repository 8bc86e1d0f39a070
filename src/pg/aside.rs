//! The worker stands aside for commands that need its database to themselves.
//!
//! `create database … template`, `alter database … rename`, `alter database … set tablespace` and
//! `drop database` wait five seconds for others to leave the database, then fail. A hook before
//! them takes the lock on the database that the command is about to take, and sends the worker
//! away. PostgreSQL lets nobody connect past that lock, and releases it when the transaction ends,
//! however it ends; the launcher starts no worker while it is held. So nothing here has to be
//! undone, whether the command succeeds, fails, is cancelled, or its session dies.

use std::ffi::{CStr, c_char};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pgrx::list::old_list::PgList;
use pgrx::pg_sys;
use pgrx::prelude::*;

use super::{launcher, pause, settings, wake};

/// How often a session looks whether the worker has left.
const LOOK: Duration = Duration::from_millis(2);

/// What a worker gets to record what it has, beyond `s2s.shutdown_grace`: as long as PostgreSQL
/// then waits for other sessions.
const MARGIN: Duration = Duration::from_secs(5);

/// What a process takes on its database while it connects.
const CONNECT_LOCK: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

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
            clear_the_way(command);
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
unsafe extern "C-unwind" fn clear_the_way(command: *mut pg_sys::Node) {
    // SAFETY: a command of PostgreSQL's parser; names are NUL-terminated; within a transaction.
    unsafe {
        let Some(Need { name, lock }) = need_of(command) else {
            return;
        };
        if pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() {
            return;
        }
        let database = pg_sys::get_database_oid(name, true);
        // The session's own can be copied, and nothing else.
        let is_refused = database == pg_sys::MyDatabaseId && lock != COPY_LOCK;
        // Without a slot there is no worker. Who may not give the command must not lock either.
        let has_slot = wake::board().is_some_and(|board| board.find(database).is_some());
        if is_refused || !has_slot || !is_owner(database) {
            return;
        }
        pg_sys::LockSharedObject(pg_sys::DatabaseRelationId, database, 0, lock);
        send_workers_away(database);
    }
}

/// A database that a command needs to itself.
struct Need {
    name: *const c_char,
    /// What the command takes on it.
    lock: pg_sys::LOCKMODE,
}

const COPY_LOCK: pg_sys::LOCKMODE = pg_sys::ShareLock as pg_sys::LOCKMODE;
const CHANGE_LOCK: pg_sys::LOCKMODE = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;

/// What a command needs; `None`: no database.
///
/// # Safety
///
/// It is a node of the parser's.
#[allow(unsafe_code)]
unsafe fn need_of(command: *mut pg_sys::Node) -> Option<Need> {
    use pg_sys::NodeTag::*;
    let change = |name: *mut c_char| Need {
        name,
        lock: CHANGE_LOCK,
    };
    // SAFETY: a node has the form that its tag says.
    unsafe {
        match (*command).type_ {
            T_CreatedbStmt => {
                let options = (*command.cast::<pg_sys::CreatedbStmt>()).options;
                let template = find_option(options, c"template")?;
                // `template default` has no argument.
                (!(*template).arg.is_null()).then(|| Need {
                    name: pg_sys::defGetString(template),
                    lock: COPY_LOCK,
                })
            }
            T_RenameStmt => {
                let rename = &*command.cast::<pg_sys::RenameStmt>();
                (rename.renameType == pg_sys::ObjectType::OBJECT_DATABASE)
                    .then(|| change(rename.subname))
            }
            T_AlterDatabaseStmt => {
                let alter = &*command.cast::<pg_sys::AlterDatabaseStmt>();
                find_option(alter.options, c"tablespace")?;
                Some(change(alter.dbname))
            }
            T_DropdbStmt => Some(change((*command.cast::<pg_sys::DropdbStmt>()).dbname)),
            _ => None,
        }
    }
}

/// # Safety
///
/// It is a list of the parser's options.
#[allow(unsafe_code)]
unsafe fn find_option(options: *mut pg_sys::List, name: &CStr) -> Option<*mut pg_sys::DefElem> {
    // SAFETY: elements and their names are the parser's.
    unsafe {
        PgList::<pg_sys::DefElem>::from_pg(options)
            .iter_ptr()
            .find(|option| CStr::from_ptr((**option).defname) == name)
    }
}

/// Whether the current user owns a database, as a superuser does.
#[allow(unsafe_code)]
fn is_owner(database: pg_sys::Oid) -> bool {
    // SAFETY: looks into a catalog, within a transaction.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        return pg_sys::pg_database_ownercheck(database, pg_sys::GetUserId());
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        return pg_sys::object_ownercheck(
            pg_sys::DatabaseRelationId,
            database,
            pg_sys::GetUserId(),
        );
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
        pause::sleep(LOOK);
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

/// Whether a command has, or waits for, a database to itself, so that nobody can connect to it.
/// Within a transaction.
#[allow(unsafe_code)]
pub fn is_held(database: pg_sys::Oid) -> bool {
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0, // a shared object is in no database
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    // SAFETY: within a transaction; the lock is released at once.
    unsafe {
        let taken = pg_sys::LockAcquire(&tag, CONNECT_LOCK, false, true);
        if taken == pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL {
            return true;
        }
        pg_sys::LockRelease(&tag, CONNECT_LOCK, false);
    }
    false
}
