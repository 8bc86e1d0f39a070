//! Whether a cached catalog look-up is still valid.
//!
//! PostgreSQL processes invalidation messages of other sessions at nearly any time: when it takes a
//! lock, when a database transaction starts. Invalidation callbacks only set a flag; whatever caches a
//! look-up checks it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use pgrx::pg_sys;

/// What a cached look-up depends on, and whether any of it has changed since.
pub struct Dependencies(Rc<Flagged>);

struct Flagged {
    /// The relations; `None` during the look-up: all of them.
    relations: RefCell<Option<Vec<pg_sys::Oid>>>,
    /// Foreign servers and foreign-data wrappers, too, and who may use them.
    servers: Cell<bool>,
    is_unchanged: Cell<bool>,
}

thread_local! {
    static REGISTERED: RefCell<Vec<Weak<Flagged>>> = const { RefCell::new(Vec::new()) };
    static HAS_CALLBACKS: Cell<bool> = const { Cell::new(false) };
}

impl Dependencies {
    /// To be made before the look-up: until [`Dependencies::only`], any change counts.
    pub fn everything() -> Dependencies {
        register_callbacks();
        let flagged = Rc::new(Flagged {
            relations: RefCell::new(None),
            servers: Cell::new(true),
            is_unchanged: Cell::new(true),
        });
        REGISTERED.with_borrow_mut(|all| {
            all.retain(|other| other.strong_count() > 0);
            all.push(Rc::downgrade(&flagged));
        });
        Dependencies(flagged)
    }

    /// To be called after the look-up: from now on only changes of these relations count, and those
    /// of servers, and of roles, if it used any.
    pub fn only(self, relations: Vec<pg_sys::Oid>, servers: bool) -> Dependencies {
        self.0.relations.replace(Some(relations));
        self.0.servers.set(servers);
        self
    }

    /// Whether the look-up is still valid.
    pub fn are_unchanged(&self) -> bool {
        self.0.is_unchanged.get()
    }
}

#[allow(unsafe_code)]
fn register_callbacks() {
    if HAS_CALLBACKS.replace(true) {
        return;
    }
    // SAFETY: the callbacks have the signatures that these functions ask for, and are part of the
    // library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(on_relation_change), pg_sys::Datum::null());
        for cache in [
            pg_sys::SysCacheIdentifier::FOREIGNSERVEROID,
            pg_sys::SysCacheIdentifier::FOREIGNDATAWRAPPEROID,
            pg_sys::SysCacheIdentifier::AUTHOID,
            pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE,
            pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM,
        ] {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as i32,
                Some(on_server_change),
                pg_sys::Datum::null(),
            );
        }
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_relation_change(_: pg_sys::Datum, relation: pg_sys::Oid) {
    set_flags(|flagged| match &*flagged.relations.borrow() {
        Some(relations) => relation == pg_sys::InvalidOid || relations.contains(&relation),
        None => true,
    });
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn on_server_change(_: pg_sys::Datum, _: i32, _: u32) {
    set_flags(|flagged| flagged.servers.get());
}

/// PostgreSQL is never called while any of the cells is borrowed, so a callback can borrow them all.
fn set_flags(depends: impl Fn(&Flagged) -> bool) {
    REGISTERED.with_borrow(|all| {
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|flagged| depends(flagged))
            .for_each(|flagged| flagged.is_unchanged.set(false));
    });
}
