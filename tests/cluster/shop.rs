//! The scene of most tests: the manual's online gaming site, whose new players are leads, and a
//! receiver that stands for the network.

use std::sync::OnceLock;
use std::time::Duration;

use postgres::Client;

use crate::support::{Builder, Cluster, Receiver, wait_for};

/// How long anything may take that does happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What every cluster of these tests needs; the rest is as users have it.
pub fn cluster() -> Builder<'static> {
    Cluster::builder()
        .conf("s2s.allow_private_addresses = on")
        .conf("max_worker_processes = 128")
}

/// The cluster of the tests that leave the server running.
pub fn shared_cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| cluster().start())
}

/// A database with the extension, a server `games_nl`, and a table whose rows are leads.
pub struct Shop<'a> {
    pub cluster: &'a Cluster,
    pub database: &'static str,
    pub receiver: Receiver,
    pub client: Client,
}

impl<'a> Shop<'a> {
    /// Opens a shop in a new database.
    pub fn open(cluster: &'a Cluster, database: &'static str) -> Shop<'a> {
        Shop::open_with(cluster, database, "")
    }

    /// Opens a shop whose server has more options: `", paused 'true'"`.
    pub fn open_with(cluster: &'a Cluster, database: &'static str, options: &str) -> Shop<'a> {
        Shop::open_in(cluster, database, cluster.database(database), options)
    }

    /// Opens a shop in a database that has the extension, with a session there.
    pub fn open_in(
        cluster: &'a Cluster,
        database: &'static str,
        mut client: Client,
        options: &str,
    ) -> Shop<'a> {
        let receiver = Receiver::new();
        let (leads, sales) = (receiver.url("/l"), receiver.url("/s"));
        let sql = format!(
            "create server games_nl foreign data wrapper tradetracker options (
                 campaign_id '1234', product_id '56', lead_url '{leads}', sale_url '{sales}',
                 allow_http 'true', click_ids 'any'{options});
             create table players (id bigint primary key, name text, click_id s2s.click_id);
             create trigger report_player after insert on players for each row
                 execute function s2s.report_lead(
                     'games_nl', 'transaction_id={{id}}', 'description=new player');"
        );
        client.batch_execute(&sql).expect("the shop's tables");
        Shop {
            cluster,
            database,
            receiver,
            client,
        }
    }

    /// Inserts players with click ids, one statement, in the transaction that is open, if any.
    pub fn insert(&mut self, ids: impl IntoIterator<Item = i64>) {
        let ids: Vec<i64> = ids.into_iter().collect();
        let sql = "insert into players
                   select id, 'J. Smith', '0::12345::abc::::1405418672' from unnest($1::bigint[]) id";
        self.client.execute(sql, &[&ids]).expect("an insert");
    }

    /// Runs statements.
    pub fn sql(&mut self, sql: &str) {
        self.client
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// A number that a query returns.
    pub fn number(&mut self, query: &str) -> i64 {
        let row = self
            .client
            .query_one(&format!("select ({query})::bigint"), &[]);
        row.unwrap_or_else(|error| panic!("{query}: {error:?}"))
            .get(0)
    }

    /// A text that a query returns.
    pub fn text(&mut self, query: &str) -> String {
        let row = self.client.query_one(query, &[]);
        let row = row.unwrap_or_else(|error| panic!("{query}: {error:?}"));
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    /// What became of a player's callback.
    pub fn status(&mut self, id: i64) -> String {
        self.status_of(&id.to_string())
    }

    /// What became of a transaction's callback.
    pub fn status_of(&mut self, transaction_id: &str) -> String {
        let query = "select max(status) from s2s.callback where transaction_id =";
        self.text(&format!("{query} '{transaction_id}'"))
    }

    /// Waits until the worker has nothing left to do.
    pub fn wait_until_idle(&mut self) {
        let query = "select s2s.wait_until_idle('20s')";
        let idle: bool = self.client.query_one(query, &[]).expect(query).get(0);
        assert!(
            idle,
            "callbacks are still on their way: {:?}",
            self.callbacks()
        );
    }

    /// Waits until the queue is empty: everything is delivered.
    pub fn wait_until_delivered(&mut self) {
        let what = format!("{}: the queue is empty", self.database);
        wait_for(PATIENCE, &what, || {
            self.number("select count(*) from s2s.queue") == 0
        });
    }

    /// The transaction ids that the receiver got, as often as it got them, in order of number.
    pub fn received(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.receiver.values("tid").iter().map(number).collect();
        ids.sort_unstable();
        ids
    }

    /// The process id of this database's worker, if one runs.
    pub fn worker_pid(&mut self) -> Option<i32> {
        let query = "select pid from s2s.worker_status() where running";
        self.client
            .query_opt(query, &[])
            .expect(query)
            .and_then(|row| row.get(0))
    }

    /// Waits until this database has no worker process, whatever the extension says of it.
    pub fn wait_until_worker_is_gone(&mut self) {
        let workers = "select count(*) from pg_stat_activity
                       where backend_type = 'pgrx-ext worker' and datname = current_database()";
        wait_for(PATIENCE, "the worker has ended", || {
            self.number(workers) == 0
        });
    }

    /// A new session, after the server was stopped.
    pub fn reconnect(&mut self) {
        self.client = self.cluster.connect(self.database);
    }

    /// `s2s.callback`, for messages.
    fn callbacks(&mut self) -> Vec<String> {
        let query = "select callback::text from s2s.callback order by id desc limit 20";
        let rows = self.client.query(query, &[]).expect(query);
        rows.iter().map(|row| row.get(0)).collect()
    }
}

fn number(text: &String) -> i64 {
    text.parse()
        .unwrap_or_else(|error| panic!("transaction id {text}: {error}"))
}
