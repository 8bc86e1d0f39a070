//! A cluster as a merchant has it, with `fsync`, and a shop whose new players are leads.

use postgres::Client;

use crate::support::{Cluster, Receiver};

/// A shop, its receiver and a session.
pub struct Shop {
    cluster: Cluster,
    pub receiver: Receiver,
    pub client: Client,
}

impl Shop {
    /// Opens a shop whose server has further options: `", max_in_flight '4'"`.
    pub fn open(options: &str) -> Shop {
        let cluster = Cluster::builder()
            .with_fsync()
            .conf("s2s.allow_private_addresses = on")
            .conf("shared_buffers = 512MB")
            .conf("max_wal_size = 4GB")
            .start();
        let receiver = Receiver::new();
        let mut client = cluster.database("shop");
        let url = receiver.url("/l");
        client
            .batch_execute(&format!(
                "create server games_nl foreign data wrapper tradetracker options (
                     campaign_id '1234', product_id '56', lead_url '{url}', allow_http 'true'{options});
                 create table players (id bigint, name text, click_id s2s.click_id);
                 create trigger report_player after insert on players for each row
                     execute function s2s.report_lead(
                         'games_nl', 'transaction_id={{id}}', 'description=new player');"
            ))
            .expect("the shop's tables");
        Shop {
            cluster,
            receiver,
            client,
        }
    }

    /// Another session.
    pub fn connect(&self) -> Client {
        self.cluster.connect("shop")
    }

    /// Inserts players with ids from 1 to `count`, in one statement.
    pub fn insert(&mut self, count: usize) {
        self.client
            .execute(
                "insert into players
                 select id, 'J. Smith', '0::12345::abc::::1405418672'
                 from generate_series(1, $1::bigint) id",
                &[&(count as i64)],
            )
            .expect("an insert");
    }

    /// Runs a script over and over; returns its transactions per second.
    pub fn pgbench(&self, clients: u32, seconds: u32, script: &str) -> f64 {
        let file = self.cluster.socket_folder().join("script.sql");
        std::fs::write(&file, script).expect("a script");
        let output = self
            .cluster
            .client(self.cluster.bin().join("pgbench"))
            .args(["--no-vacuum", "--protocol=prepared", "--username=postgres"])
            .arg(format!("--host={}", self.cluster.socket_folder().display()))
            .arg(format!("--port={}", self.cluster.port()))
            .arg(format!("--client={clients}"))
            .arg(format!("--time={seconds}"))
            .arg(format!("--file={}", file.display()))
            .arg("shop")
            .output()
            .expect("pgbench");
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said
            .split_once("tps = ")
            .and_then(|(_, rate)| rate.split_whitespace().next());
        match rate.and_then(|rate| rate.parse().ok()) {
            Some(rate) => rate,
            None => panic!("{said}{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Waits until the worker has nothing left to do.
    pub fn wait_until_idle(&mut self) {
        let query = "select s2s.wait_until_idle('2min')";
        let idle: bool = self.client.query_one(query, &[]).expect(query).get(0);
        assert!(idle, "callbacks are still on their way");
    }
}
