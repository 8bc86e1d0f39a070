//! Where the value of a setting comes from.
//!
//! Check hooks get the source of a new value. What they attach to the value comes back with it at each
//! assignment, also when the value is restored at the end of a database transaction.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pgrx::guc::GucEnum;
use pgrx::pg_sys::{self, GucSource};
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

/// What is attached to a value.
#[derive(Clone, Copy)]
struct Attached {
    source: GucSource::Type,
    /// The database transaction that set it, or 0.
    transaction: pg_sys::LocalTransactionId,
}

/// Where the current value comes from.
pub struct Origin {
    source: AtomicU32,
    transaction: AtomicU32,
}

/// Those of the settings that are defined here, by the number that they are defined with.
static ORIGINS: [Origin; 2] = [const { Origin::new() }; 2];

/// That of the setting that was defined with a number.
pub fn origin(number: usize) -> &'static Origin {
    &ORIGINS[number]
}

impl Origin {
    const fn new() -> Origin {
        Origin {
            source: AtomicU32::new(GucSource::PGC_S_DEFAULT),
            transaction: AtomicU32::new(0),
        }
    }

    /// Whether the value was chosen: in `postgresql.conf`, for a role, a function or a session, say.
    pub fn is_explicit(&self) -> bool {
        self.source.load(Relaxed) > GucSource::PGC_S_DEFAULT
    }

    /// The number of the database transaction that set the value, if that was an earlier one of this
    /// session: by SET, which is not undone at its end.
    pub fn earlier_transaction(&self) -> Option<u32> {
        let transaction = self.transaction.load(Relaxed);
        let is_left_over = self.source.load(Relaxed) == GucSource::PGC_S_SESSION
            && transaction != current_transaction();
        is_left_over.then_some(transaction)
    }
}

/// Defines a setting that any user may set, reported to clients, whose [`origin`] is kept under the
/// number `N`.
#[allow(unsafe_code)]
pub fn define_bool<const N: usize>(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<bool>,
) {
    // SAFETY: the hooks have the signatures of those of a bool, raise no error and do not panic.
    unsafe {
        GucRegistry::define_bool_guc_with_hooks(
            name,
            short,
            long,
            setting,
            GucContext::Userset,
            GucFlags::REPORT,
            Some(attach::<bool>),
            Some(assign::<bool, N>),
            None,
        );
    }
}

/// The same of an enum.
#[allow(unsafe_code)]
pub fn define_enum<T: GucEnum, const N: usize>(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<T>,
) {
    // SAFETY: as above; the value of an enum is an int.
    unsafe {
        GucRegistry::define_enum_guc_with_hooks(
            name,
            short,
            long,
            setting,
            GucContext::Userset,
            GucFlags::REPORT,
            Some(attach::<i32>),
            Some(assign::<i32, N>),
            None,
        );
    }
}

/// Check hook: every value is right.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn attach<T>(
    _: *mut T,
    extra: *mut *mut c_void,
    source: GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL frees what `extra` points to with its own function, which belongs to the
    // one that allocates here; both have alignment for any type.
    unsafe {
        let attached = allocate(size_of::<Attached>()).cast::<Attached>();
        if attached.is_null() {
            return false;
        }
        attached.write(Attached {
            source,
            transaction: current_transaction(),
        });
        *extra = attached.cast();
    }
    true
}

/// Assign hook.
#[allow(unsafe_code)]
unsafe extern "C-unwind" fn assign<T, const N: usize>(_: T, extra: *mut c_void) {
    // SAFETY: what `attach` has attached to the value.
    let attached = unsafe { *extra.cast::<Attached>() };
    ORIGINS[N].source.store(attached.source, Relaxed);
    ORIGINS[N].transaction.store(attached.transaction, Relaxed);
}

/// Memory that PostgreSQL frees; null if there is none.
#[allow(unsafe_code)]
unsafe fn allocate(size: usize) -> *mut c_void {
    // SAFETY: at this level `guc_malloc` raises no error.
    unsafe {
        #[cfg(feature = "pg15")]
        return libc::malloc(size);
        #[cfg(not(feature = "pg15"))]
        return pg_sys::guc_malloc(pg_sys::LOG as i32, size);
    }
}

/// The number of the current database transaction among those of this process; 0 outside of any.
#[allow(unsafe_code)]
fn current_transaction() -> pg_sys::LocalTransactionId {
    // SAFETY: a process that is connected has an entry of its own, which only it changes.
    unsafe {
        match pg_sys::MyProc.as_ref() {
            #[cfg(any(feature = "pg15", feature = "pg16"))]
            Some(process) => process.lxid,
            #[cfg(not(any(feature = "pg15", feature = "pg16")))]
            Some(process) => process.vxid.lxid,
            None => 0,
        }
    }
}
