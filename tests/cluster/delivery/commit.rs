//! What commits is sent, what does not is not, in every database, and by a new worker too.

use crate::shop::{PATIENCE, Shop, shared_cluster};
use crate::support::{wait_for, wait_for_some};

#[test]
fn commit_sends_the_callback() {
    let mut shop = Shop::open(shared_cluster(), "commit_sends");
    shop.sql(
        "insert into players values (123456, 'J. Smith', '0::12345::reference::::1405418672')",
    );
    shop.wait_until_idle();
    assert_eq!(
        shop.receiver.targets(),
        [
            "/l?s2s=1&cid=1234&pid=56&tgi=&tid=123456&descrMerchant=new%20player\
          &descrAffiliate=new%20player&data=0%3A%3A12345%3A%3Areference%3A%3A%3A%3A1405418672"
        ]
    );
    let request = &shop.receiver.requests()[0];
    assert_eq!(request.method, "GET");
    assert!(
        request
            .header("user-agent")
            .is_some_and(|name| name.starts_with("pgrx-ext/"))
    );
    assert_eq!(shop.number("select count(*) from s2s.queue"), 0);
    assert_eq!(
        shop.number(
            "select count(*) from s2s.callback
             where transaction_id = '123456' and status = 'delivered' and attempts = 1"
        ),
        1
    );
}

#[test]
fn a_bulk_insert_is_delivered_whole_and_each_row_once() {
    let mut shop = Shop::open(shared_cluster(), "bulk");
    shop.insert(1..=5000);
    shop.wait_until_idle();
    assert_eq!(shop.received(), (1..=5000).collect::<Vec<_>>());
}

#[test]
fn rollback_sends_nothing() {
    let mut shop = Shop::open(shared_cluster(), "rollback_sends");
    shop.sql("begin");
    shop.insert([1]);
    shop.sql("rollback");
    shop.sql("begin");
    shop.insert([2]);
    shop.sql("savepoint s");
    shop.insert([3]);
    shop.sql("rollback to s");
    shop.insert([4]);
    shop.sql("commit");
    shop.wait_until_idle();
    assert_eq!(shop.received(), [2, 4]);
    assert_eq!(shop.number("select count(*) from s2s.callback"), 2);
}

#[test]
fn callbacks_of_a_new_database_are_delivered_without_restart() {
    let cluster = shared_cluster();
    let postmaster = cluster.postmaster_pid();
    let mut shops = ["new_database_a", "new_database_b"].map(|name| Shop::open(cluster, name));
    for shop in &mut shops {
        shop.insert(1..=3);
    }
    for shop in &mut shops {
        shop.wait_until_delivered();
        assert_eq!(shop.received(), [1, 2, 3], "{}", shop.database);
    }
    assert_eq!(cluster.postmaster_pid(), postmaster);
}

#[test]
fn killed_worker_comes_back() {
    let mut shop = Shop::open(shared_cluster(), "killed_worker");
    let first = wait_for_some(PATIENCE, "a worker runs", || shop.worker_pid());
    shop.sql(&format!("select pg_terminate_backend({first})"));
    wait_for(PATIENCE, "another worker runs", || {
        shop.worker_pid().is_some_and(|pid| pid != first)
    });
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}
