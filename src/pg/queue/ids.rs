//! The ids of callbacks: those of a sequence that is ahead of every id ever used.
//!
//! Counting starts at the microseconds since 1970, at the first callback. No dump has the value of the
//! sequence, so that a restored database starts above all ids that the dump brings, also if triggers
//! queue callbacks while it is restored. A sequence that was set back starts in the same way again: by
//! `TRUNCATE … RESTART IDENTITY`, or by a dump of a release whose dumps have its value.

use pgrx::datum::IntoDatum;
use pgrx::direct_function_call;
use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;

/// A smaller id was counted from 1: the clock was here in 2001.
const FIRST: i64 = 1_000_000_000_000_000;

/// PostgreSQL's timestamps start in 2000.
const MICROSECONDS_TO_2000: i64 = 946_684_800_000_000;

/// Sessions that find the sequence set back wait for the first to set it ahead. `nextval` does not take
/// part.
const LOCK: pg_sys::LOCKMODE = pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE;

#[allow(unsafe_code)]
unsafe extern "C-unwind" {
    /// `nextval` with a choice whether to check privileges; not in pgrx's bindings.
    fn nextval_internal(relid: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// The sequence of `s2s.queue`.
pub struct Ids(pub pg_sys::Oid);

impl Ids {
    /// The next id, also in a database transaction that has become read-only since it wrote the row
    /// that is reported.
    #[allow(unsafe_code)]
    pub fn next(&self) -> i64 {
        // SAFETY: XactReadOnly is a variable of the database transaction; after an error the abort of
        // that, or of the subtransaction, restores it.
        unsafe {
            let is_read_only = pg_sys::XactReadOnly;
            pg_sys::XactReadOnly = false;
            let id = match self.count() {
                id if id >= FIRST => id,
                _ => self.start(),
            };
            pg_sys::XactReadOnly = is_read_only;
            id
        }
    }

    #[allow(unsafe_code)]
    fn count(&self) -> i64 {
        // SAFETY: the sequence is that of the queue, which is locked.
        unsafe { pg_guard_ffi_boundary(|| nextval_internal(self.0, false)) }
    }

    /// Sets the sequence ahead, unless another session has, and returns the next id.
    #[allow(unsafe_code)]
    fn start(&self) -> i64 {
        // SAFETY: within a database transaction, whose end releases the lock after an error.
        unsafe { pg_sys::LockRelationOid(self.0, LOCK) };
        let mut id = self.count();
        if id < FIRST {
            // SAFETY: reads the clock.
            let clock = unsafe { pg_sys::GetCurrentTimestamp() } + MICROSECONDS_TO_2000;
            let arguments = [self.0.into_datum(), clock.max(FIRST).into_datum()];
            super::as_owner(|| {
                // SAFETY: the arguments have the types of setval(regclass, bigint).
                unsafe { direct_function_call::<i64>(pg_sys::setval_oid, &arguments) }
            });
            id = self.count();
        }
        // SAFETY: it was locked above.
        unsafe { pg_sys::UnlockRelationOid(self.0, LOCK) };
        id
    }
}
