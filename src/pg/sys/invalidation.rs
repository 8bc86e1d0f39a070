//! Whether what was looked up in the catalogs still holds.
//!
//! PostgreSQL tells each session of changes that others made, in the midst of anything: when a
//! lock is taken, when a transaction starts. The news only marks; who keeps something asks.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use pgrx::pg_sys;

/// Watches over something that was looked up, as long as it is kept.
pub struct Watch(Rc<Watched>);

struct Watched {
    /// The relations that it depends on; `None` while it is looked up: on anything.
    relations: RefCell<Option<Vec<pg_sys::Oid>>>,
    /// It depends on servers, too.
    servers: Cell<bool>,
    holds: Cell<bool>,
}

thread_local! {
    static WATCHED: RefCell<Vec<Weak<Watched>>> = const { RefCell::new(Vec::new()) };
    static IS_LISTENING: Cell<bool> = const { Cell::new(false) };
}

impl Watch {
    /// Starts, before the look-up: until its end, any change counts.
    pub fn start() -> Watch {
        listen();
        let watched = Rc::new(Watched {
            relations: RefCell::new(None),
            servers: Cell::new(true),
            holds: Cell::new(true),
        });
        WATCHED.with_borrow_mut(|all| {
            all.retain(|other| other.strong_count() > 0);
            all.push(Rc::downgrade(&watched));
        });
        Watch(watched)
    }

    /// At the end of the look-up: from now on only changes of these relations count, and of servers
    /// if it depends on any.
    pub fn only(self, relations: Vec<pg_sys::Oid>, servers: bool) -> Watch {
        self.0.relations.replace(Some(relations));
        self.0.servers.set(servers);
        self
    }

    /// Whether nothing has changed since.
    pub fn holds(&self) -> bool {
        self.0.holds.get()
    }
}

#[allow(unsafe_code)]
fn listen() {
    if IS_LISTENING.replace(true) {
        return;
    }
    // SAFETY: the callbacks have the right forms and live as long as the process.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        for cache in [
            pg_sys::SysCacheIdentifier::FOREIGNSERVEROID,
            pg_sys::SysCacheIdentifier::FOREIGNDATAWRAPPEROID,
        ] {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as i32,
                Some(server_changed),
                pg_sys::Datum::null(),
            );
        }
    }
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn relation_changed(_: pg_sys::Datum, relation: pg_sys::Oid) {
    mark(|watched| match &*watched.relations.borrow() {
        Some(relations) => relation == pg_sys::InvalidOid || relations.contains(&relation),
        None => true,
    });
}

#[allow(unsafe_code)]
unsafe extern "C-unwind" fn server_changed(_: pg_sys::Datum, _: i32, _: u32) {
    mark(|watched| watched.servers.get());
}

/// Nothing here is borrowed while PostgreSQL is called, so all of it is free.
fn mark(concerns: impl Fn(&Watched) -> bool) {
    WATCHED.with_borrow(|all| {
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|watched| concerns(watched))
            .for_each(|watched| watched.holds.set(false));
    });
}
