//! The usual ways to copy a database, and what the copy sends.

use super::{desert, deserted_shop, hint, reopen, wait_for_worker, worker_of};
use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::wait_for;

#[test]
fn a_copy_sends_what_the_original_owes_when_its_own_worker_starts() {
    let mut shop = Shop::open_with(shared_cluster(), "original", ", paused 'true'");
    shop.insert([1, 2]);
    shop.wait_until_idle();
    desert(&mut shop);
    shop.sql("create database duplicate template original");
    shop.sql("create database beginner template original");
    shop.database = "duplicate";
    shop.reconnect();
    assert_eq!(
        hint(&mut shop),
        "The worker starts with the next callback that is queued here, with s2s.wake(), or with \
         the server."
    );
    shop.insert([3]);
    shop.wait_until_idle();
    assert_eq!(shop.received(), [] as [i64; 0], "it is paused as well");
    shop.sql("alter server games_nl options (drop paused)");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3]);
    shop.database = "beginner";
    shop.reconnect();
    shop.sql("delete from s2s.queue; alter server games_nl options (drop paused)");
    shop.insert([4]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2, 3, 4]);
    shop.database = "original";
    shop.reconnect();
    shop.sql("alter server games_nl options (drop paused)");
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1, 2, 2, 3, 4]);
}

#[test]
fn the_worker_of_a_database_that_is_made_a_template_and_copied_is_back() {
    let mut shop = deserted_shop(shared_cluster(), "pattern");
    shop.sql("alter database pattern is_template true");
    shop.sql("create database from_pattern template pattern");
    wait_for_worker(&mut shop.client, "pattern");
    shop.sql("create database from_pattern_too template pattern");
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn the_worker_of_a_database_that_is_closed_and_copied_is_back_when_it_is_open() {
    let mut shop = deserted_shop(shared_cluster(), "closed");
    shop.sql("alter database closed allow_connections false");
    shop.sql("create database from_closed template closed");
    assert_eq!(worker_of(&mut shop.client, "closed"), None);
    shop.sql("alter database closed allow_connections true");
    wait_for_worker(&mut shop.client, "closed");
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn no_worker_tries_a_database_that_takes_no_connections_and_the_hint_says_so() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "shut");
    wait_for(PATIENCE, "a worker", || shop.worker_pid().is_some());
    let mut elsewhere = cluster.connect("postgres");
    elsewhere
        .batch_execute("alter database shut allow_connections false")
        .expect("a closed database");
    shop.sql("select pg_terminate_backend(pid) from s2s.worker_status()");
    wait_for(PATIENCE, "the hint", || {
        hint(&mut shop)
            == "The database takes no connections: the worker starts seconds after alter database \
                … allow_connections true."
    });
    // The launcher checks all databases whenever it starts a worker.
    Shop::open(&cluster, "open").wait_until_idle();
    shop.insert([1]);
    elsewhere
        .batch_execute("alter database shut allow_connections true")
        .expect("an open database");
    shop.wait_until_delivered();
    assert!(!cluster.log().contains("FATAL:  database"), "it was tried");
}

#[test]
fn the_worker_of_a_template_starts_with_a_callback_and_says_so() {
    let mut shop = Shop::open_with(shared_cluster(), "mould", ", paused 'true'");
    shop.wait_until_idle();
    desert(&mut shop);
    shop.sql("create database from_mould template mould is_template true");
    shop.database = "from_mould";
    shop.reconnect();
    assert_eq!(
        hint(&mut shop),
        "The worker starts with the next callback that is queued here, or with s2s.wake(); not \
         with the server, since the database is a template."
    );
    shop.sql("alter server games_nl options (drop paused)");
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(hint(&mut shop), "");
}

#[test]
fn what_is_copied_by_default_may_have_a_worker() {
    let cluster = cluster().start();
    cluster
        .connect("template1")
        .batch_execute("create extension \"pgrx-ext\"")
        .expect("create extension");
    let mut session = cluster.connect("postgres");
    wait_for_worker(&mut session, "template1");
    cluster.empty_database("plain");
    wait_for_worker(&mut session, "template1");
}
