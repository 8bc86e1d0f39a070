//! A round of the ledger test: a cluster, writers, a receiver that keeps every request, and the
//! balance at the end.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use oorandom::Rand64;
use postgres::Client;

use super::book::{Fate, Report};
use super::desk::{DATABASE, Desk};
use super::inbox::Inbox;
use super::writers::{Style, Writers, insert};
use crate::support::{Answer, Builder, Cluster, Receiver, wait_for, wait_for_some};

/// How long anything may take that does happen; a broken server is probed after pauses.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The worker's `s2s.max_in_flight`.
pub const MAX_IN_FLIGHT: usize = 8;

/// What came of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Callbacks whose transactions committed.
    pub committed: usize,
    /// Callbacks that were received, once or more often.
    pub received: usize,
    /// Committed and not received.
    pub lost: usize,
    /// Received and not committed.
    pub invented: usize,
    /// Requests beyond the first for each callback that was received.
    pub repeated: usize,
    /// How many of those there may be: one for each request that was in flight at a fault.
    pub bound: usize,
}

impl Balance {
    /// All is as it should be.
    pub fn is_right(&self) -> bool {
        self.lost == 0 && self.invented == 0 && self.repeated <= self.bound
    }
}

/// How a round begins.
pub struct Setting {
    pub style: Style,
    /// The server's `timeout`.
    pub timeout: &'static str,
    /// How the receiver answers some requests while it is told to.
    pub fault: Option<fn() -> Answer>,
    /// Changes the cluster before it starts.
    pub cluster: fn(Builder<'static>) -> Builder<'static>,
}

impl Default for Setting {
    fn default() -> Setting {
        Setting {
            style: Style::Mixed,
            timeout: "60s",
            fault: None,
            cluster: |builder| builder,
        }
    }
}

/// A round while it goes on.
pub struct Scene {
    pub random: Rand64,
    // Dropped in this order: writers end before their cluster does.
    writers: Option<Writers>,
    desk: Arc<Desk>,
    receiver: Option<Receiver>,
    address: SocketAddr,
    inbox: Arc<Inbox>,
    bound: usize,
}

impl Scene {
    /// Starts the cluster, the receiver and the writers.
    pub fn start(setting: &Setting, seed: u64) -> Scene {
        let mut random = Rand64::new(u128::from(seed));
        let builder = Cluster::builder()
            .conf("s2s.allow_private_addresses = on")
            .conf(format!("s2s.max_in_flight = {MAX_IN_FLIGHT}"))
            .conf("max_prepared_transactions = 20");
        let cluster = (setting.cluster)(builder).start();
        let receiver = Receiver::new();
        let (url, timeout) = (receiver.url("/l"), setting.timeout);
        let mut client = cluster.database(DATABASE);
        client
            .batch_execute(&format!(
                "create server shop foreign data wrapper tradetracker options (
                     campaign_id '1', product_id '2', lead_url '{url}', allow_http 'true',
                     max_attempts '50', retry_schedule '100ms', timeout '{timeout}');
                 create table orders (id bigint primary key, step int, click_id s2s.click_id);
                 create trigger report_order after insert or update on orders for each row
                     execute function s2s.report_lead(
                         'shop', 'transaction_id={{id}}', 'description={{step}}')"
            ))
            .expect("the orders");
        let mut scene = Scene {
            writers: None,
            desk: Arc::new(Desk::new(cluster)),
            address: receiver.address(),
            receiver: Some(receiver),
            inbox: Arc::new(Inbox::new(setting.fault, random.rand_u64())),
            bound: 0,
            random,
        };
        scene.keep_requests();
        let seed = scene.random.rand_u64();
        scene.writers = Some(Writers::start(&scene.desk, setting.style, seed));
        scene
    }

    /// The primary.
    pub fn cluster(&self) -> Arc<Cluster> {
        self.desk.primary()
    }

    /// Another cluster is the primary from now on; the old one goes when nobody uses it any more.
    pub fn move_to(&self, cluster: Cluster) {
        self.desk.move_to(cluster);
    }

    /// A session of the superuser, as soon as the server takes one.
    pub fn session(&self) -> Client {
        wait_for_some(PATIENCE, "a session", || self.desk.try_connect())
    }

    /// A number that a query returns.
    pub fn number(&self, query: &str) -> i64 {
        let row = self
            .session()
            .query_one(&format!("select ({query})::bigint"), &[]);
        row.unwrap_or_else(|error| panic!("{query}: {error:?}"))
            .get(0)
    }

    /// Waits until so many more requests came, as chance will have it.
    pub fn traffic(&mut self) {
        let count = self.received() + self.random.rand_range(20..150) as usize;
        wait_for(PATIENCE, "requests come", || self.received() >= count);
    }

    /// How many requests came.
    pub fn received(&self) -> usize {
        self.inbox.count()
    }

    fn keep_requests(&self) {
        let inbox = Arc::clone(&self.inbox);
        let receiver = self.receiver.as_ref().expect("a receiver that is up");
        receiver.answer_with(move |request| inbox.take(request));
    }

    /// From now on the receiver faults some requests, or none.
    pub fn fault_some_requests(&self, is_on: bool) {
        self.inbox.fault_some(is_on);
    }

    /// How many requests the receiver faulted.
    pub fn faulted(&self) -> usize {
        self.inbox.faulted()
    }

    /// Nobody listens any more. What was not answered yet never is.
    pub fn take_receiver_down(&mut self) {
        self.receiver = None;
        self.bound += MAX_IN_FLIGHT;
    }

    /// The receiver is back at its address.
    pub fn bring_receiver_up(&mut self) {
        self.receiver = Some(Receiver::at(self.address));
        self.keep_requests();
    }

    /// The worker is about to end without a farewell: what is on the wire then, and what is
    /// answered and not yet on record, may be received again.
    pub fn worker_crashes(&mut self) {
        self.bound += 2 * MAX_IN_FLIGHT;
    }

    /// One of the processes that a query returns, as chance will have it.
    pub fn some_process(&mut self, query: &str) -> u32 {
        let pids = wait_for_some(PATIENCE, query, || {
            let pids = self.processes(query);
            (!pids.is_empty()).then_some(pids)
        });
        pids[self.random.rand_range(0..pids.len() as u64) as usize]
    }

    fn processes(&self, query: &str) -> Vec<u32> {
        let rows = self.session().query(query, &[]).expect(query);
        let pids = rows.iter().map(|row| row.get::<_, i32>(0).cast_unsigned());
        pids.collect()
    }

    /// Sets how far into a file the processes that a query returns may write.
    pub fn limit_file_size(&self, query: &str, bytes: Option<u64>) {
        for pid in self.processes(query) {
            self.cluster().limit_file_size(pid, bytes);
        }
    }

    /// Makes the queue's file larger than so many bytes, with nothing in it.
    pub fn grow_queue(&self, bytes: u64) {
        // A row has 96 bytes.
        let rows = bytes / 50;
        let grown = self.session().batch_execute(&format!(
            "begin;
             insert into s2s.queue (server, action, transaction_id, parameters)
                 select 'shop', 'lead', n::text, '{{}}' from generate_series(1, {rows}) n;
             rollback"
        ));
        grown.expect("a larger queue");
        let size = self.number("select pg_relation_size('s2s.queue')");
        assert!(size.cast_unsigned() > bytes, "the queue has {size} bytes");
    }

    /// Writes many orders in one transaction.
    pub fn write_many(&self, count: i64) {
        let first = self.desk.new_orders(count);
        let reports: Vec<_> = (first..first + count)
            .map(|order| Report { order, step: 1 })
            .collect();
        let done = self.session().batch_execute(&insert(first, count));
        done.expect("many orders");
        self.desk.note(&reports, Fate::Committed);
    }

    /// Ends the writers, waits until nothing is owed any more, and compares the books.
    pub fn settle(mut self) -> Balance {
        self.writers = None;
        self.fault_some_requests(false);
        self.end_prepared();
        self.wait_until_nothing_is_owed();
        let rows = self
            .session()
            .query("select id, step from orders", &[])
            .expect("the orders");
        let table: HashMap<i64, i32> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let committed: HashSet<Report> = self.desk.book().committed(&table).into_iter().collect();
        let requests = self.inbox.received();
        let received: HashSet<Report> = requests.iter().copied().collect();
        Balance {
            committed: committed.len(),
            received: received.len(),
            lost: committed.difference(&received).count(),
            invented: received.difference(&committed).count(),
            repeated: requests.len() - received.len(),
            bound: self.bound + self.faulted(),
        }
    }

    /// Commits some of the transactions that a fault left prepared, and rolls the others back.
    fn end_prepared(&mut self) {
        let mut session = self.session();
        let rows = session
            .query("select gid from pg_prepared_xacts order by gid", &[])
            .expect("what is prepared");
        for row in rows {
            let name: String = row.get(0);
            let (end, fate) = match self.random.rand_range(0..2) {
                0 => ("commit", Fate::Committed),
                _ => ("rollback", Fate::RolledBack),
            };
            let ended = session.batch_execute(&format!("{end} prepared '{name}'"));
            ended.expect("the end of a prepared transaction");
            self.desk.book().resolve(&name, fate);
        }
    }

    fn wait_until_nothing_is_owed(&self) {
        let mut session = self.session();
        wait_for(PATIENCE, "the queue is empty", || {
            let query =
                "select count(*), count(*) filter (where due_at = 'infinity'), max(last_error)
                         from s2s.queue";
            let row = session.query_one(query, &[]).expect(query);
            let (owed, parked): (i64, i64) = (row.get(0), row.get(1));
            let error: Option<String> = row.get(2);
            assert_eq!(parked, 0, "callbacks are parked: {error:?}");
            owed == 0
        });
    }
}
