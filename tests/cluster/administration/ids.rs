//! An id is never used twice, whatever becomes of the sequence.

use std::process::Command;
use std::thread;

use crate::shop::{Shop, shared_cluster};
use crate::support::run;

#[test]
fn a_restore_of_data_alone_with_triggers_on_reuses_no_id() {
    let cluster = shared_cluster();
    let mut shop = Shop::open(cluster, "data_from");
    shop.insert([1, 2, 3]);
    shop.wait_until_delivered();
    shop.sql("alter server games_nl options (add paused 'true')");
    shop.insert([4, 5]);
    let dump = cluster.new_folder("data_from").join("dump");
    let dump = dump.to_str().expect("a path");
    let restore = |database: &str, part: &str| -> Command {
        let mut command = cluster.client("pg_restore");
        command.args(["--exit-on-error", part, "-d", database, dump]);
        command
    };
    run(cluster
        .client("pg_dump")
        .args(["-Fc", "-f", dump, "data_from"]));
    let history = ids(&mut shop);

    // The worker is at work while the data comes.
    shop.sql("create database data_to");
    run(&mut restore("data_to", "--schema-only"));
    shop.database = "data_to";
    shop.reconnect();
    shop.sql("alter server games_nl options (drop paused)");
    run(&mut restore("data_to", "--data-only"));
    // What came without a trigger is looked for once a minute.
    shop.sql("select s2s.wake()");
    shop.wait_until_delivered();
    let restored = ids(&mut shop);
    assert_eq!(restored.len(), 10, "{restored:?}");
    assert_eq!(restored[..5], history);
    let query = "select count(*) from s2s.callback where status = 'delivered'";
    assert_eq!(shop.number(query), 10);
    assert_eq!(shop.received(), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    // What comes next is above all of them.
    shop.insert([6]);
    assert_eq!(ids(&mut shop)[..10], restored);

    // As the README says.
    shop.sql("create database data_alone");
    run(&mut restore("data_alone", "--schema-only"));
    run(restore("data_alone", "--data-only").env("PGOPTIONS", "-c s2s.enabled=off"));
    shop.database = "data_alone";
    shop.reconnect();
    assert_eq!(ids(&mut shop), history);
}

#[test]
fn sessions_that_find_the_sequence_set_back_at_the_same_time_reuse_no_id() {
    let mut shop = Shop::open_with(shared_cluster(), "set_back", ", paused 'true'");
    for round in 0..20 {
        // As the dump of a release whose dumps had its value.
        shop.sql("select setval('s2s.queue_id_seq', 1)");
        let (cluster, database) = (shop.cluster, shop.database);
        thread::scope(|scope| {
            for session in 0..4 {
                scope.spawn(move || {
                    let first = (round * 4 + session) * 10;
                    let sql = format!(
                        "insert into players select n, '', 'c' from generate_series({first}, {first} + 9) n"
                    );
                    cluster.connect(database).batch_execute(&sql).expect("an insert");
                });
            }
        });
    }
    let ids = ids(&mut shop);
    assert_eq!(ids.len(), 800);
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!(distinct, ids);
}

/// The ids of all callbacks, in order.
fn ids(shop: &mut Shop) -> Vec<i64> {
    let query = "select id from s2s.callback order by id";
    let rows = shop.client.query(query, &[]).expect(query);
    rows.iter().map(|row| row.get(0)).collect()
}
