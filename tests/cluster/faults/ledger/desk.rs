//! What the writers share with each other and with the round: where the primary is, the numbers of
//! the orders, and the book.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};

use postgres::Client;

use super::book::{Book, Fate, Report};
use crate::support::Cluster;

/// The database of the orders.
pub const DATABASE: &str = "ledger";

/// It is shared by all of a round.
pub struct Desk {
    /// The primary of the moment.
    primary: Mutex<Arc<Cluster>>,
    book: Mutex<Book>,
    next_order: AtomicI64,
    is_closed: AtomicBool,
}

impl Desk {
    /// A desk with an empty book, at this primary.
    pub fn new(primary: Cluster) -> Desk {
        Desk {
            primary: Mutex::new(Arc::new(primary)),
            book: Mutex::default(),
            next_order: AtomicI64::new(1),
            is_closed: AtomicBool::new(false),
        }
    }

    /// The primary of the moment.
    pub fn primary(&self) -> Arc<Cluster> {
        Arc::clone(&self.primary.lock().expect("the primary"))
    }

    /// Another cluster is the primary from now on; the old one goes when nobody uses it any more.
    pub fn move_to(&self, primary: Cluster) {
        *self.primary.lock().expect("the primary") = Arc::new(primary);
    }

    /// A session, if the server takes one now.
    pub fn try_connect(&self) -> Option<Client> {
        self.primary().try_connect("postgres", DATABASE).ok()
    }

    /// Numbers for so many new orders; the first of them.
    pub fn new_orders(&self, count: i64) -> i64 {
        self.next_order.fetch_add(count, SeqCst)
    }

    /// Everybody's book.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("the book")
    }

    /// Notes what became of reports.
    pub fn note(&self, reports: &[Report], fate: Fate) {
        self.book().note(reports, fate);
    }

    /// Nobody begins another transaction.
    pub fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }

    /// Whether the writers are to end.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }
}
