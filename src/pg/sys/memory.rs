//! Memory contexts of our own.

use std::ffi::CStr;

use pgrx::{PgMemoryContexts, pg_sys};

/// A memory context that is deleted when it is dropped. Unlike pgrx's it leaves nothing behind in
/// its parent, which counts where one is made for every statement.
pub struct OwnedContext(pg_sys::MemoryContext);

impl OwnedContext {
    /// One for what outlives database transactions.
    pub fn of_session(name: &'static CStr) -> OwnedContext {
        // SAFETY: TopMemoryContext lives as long as the process.
        #[allow(unsafe_code)]
        unsafe {
            OwnedContext::new(pg_sys::TopMemoryContext, name)
        }
    }

    /// One that PostgreSQL deletes at the end of the current subtransaction, unless it is dropped
    /// before. Its owner must be dropped before, too.
    pub fn of_subtransaction(name: &'static CStr) -> OwnedContext {
        // SAFETY: CurTransactionContext is set wherever SQL runs; the caller drops what owns this
        // before the subtransaction ends, at the latest when its error unwinds.
        #[allow(unsafe_code)]
        unsafe {
            OwnedContext::new(pg_sys::CurTransactionContext, name)
        }
    }

    /// # Safety
    ///
    /// `parent` is a context that lives as long as this.
    #[allow(unsafe_code)]
    unsafe fn new(parent: pg_sys::MemoryContext, name: &'static CStr) -> OwnedContext {
        // SAFETY: the parent is valid, as the caller says; PostgreSQL keeps the pointer to the name,
        // which is static.
        OwnedContext(unsafe {
            pg_sys::AllocSetContextCreateExtended(
                parent,
                name.as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            )
        })
    }

    /// The context, for PostgreSQL's functions.
    pub fn value(&self) -> pg_sys::MemoryContext {
        self.0
    }

    /// Runs `body` with this as the current context.
    ///
    /// # Safety
    ///
    /// What `body` allocates is not used after this context is reset or dropped.
    #[allow(unsafe_code)]
    pub unsafe fn switch_to<R>(&self, body: impl FnOnce() -> R) -> R {
        // SAFETY: the context is valid as long as `self`; the rest is as the caller says.
        unsafe { PgMemoryContexts::For(self.0).switch_to(|_| body()) }
    }
}

impl Drop for OwnedContext {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the context is this owner's, and valid. It is the current one only if an error
        // unwinds out of `switch_to`; then another, valid one takes its place.
        unsafe {
            if std::ptr::eq(pg_sys::CurrentMemoryContext, self.0) {
                pg_sys::CurrentMemoryContext = (*self.0).parent;
            }
            pg_sys::MemoryContextDelete(self.0);
        }
    }
}

/// Runs `body` with a context as the current one, then resets the context.
///
/// # Safety
///
/// The context is valid until the end of the call; what `body` allocates in it is not used
/// afterwards.
#[allow(unsafe_code)]
pub unsafe fn run_and_reset<R>(context: pg_sys::MemoryContext, body: impl FnOnce() -> R) -> R {
    // SAFETY: as the caller says.
    unsafe {
        let result = PgMemoryContexts::For(context).switch_to(|_| body());
        pg_sys::MemoryContextReset(context);
        result
    }
}
