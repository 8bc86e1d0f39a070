//! The worker comes back when the command ends in any way, and not before.

use std::thread;

use postgres::error::SqlState;

use super::{desert, deserted_shop, reopen, worker_of};
use crate::rights::hostile::error_of;
use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, Receiver, wait_for, wait_for_some};

#[test]
fn the_worker_is_back_after_a_command_that_failed() {
    let mut shop = deserted_shop(shared_cluster(), "failing");
    let before = wait_for_some(PATIENCE, "a worker", || {
        worker_of(&mut shop.client, "failing")
    });
    let (code, message) = error_of(&mut shop.client, "create database failing template failing");
    assert_eq!(code, SqlState::DUPLICATE_DATABASE, "{message}");
    assert_eq!(message, "database \"failing\" already exists");
    wait_for(PATIENCE, "another worker", || {
        worker_of(&mut shop.client, "failing").is_some_and(|pid| pid != before)
    });
    reopen(&mut shop);
}

#[test]
fn the_worker_is_back_after_a_command_that_was_rolled_back() {
    let mut shop = deserted_shop(shared_cluster(), "undecided");
    // A database transaction reads pg_stat_activity only once.
    let mut elsewhere = shop.cluster.connect("postgres");
    shop.sql("begin; savepoint before; alter database undecided rename to decided");
    assert_eq!(worker_of(&mut elsewhere, "undecided"), None);
    shop.sql("rollback to before");
    wait_for(
        PATIENCE,
        "the worker is back, within the transaction",
        || worker_of(&mut elsewhere, "undecided").is_some(),
    );
    shop.sql("alter database undecided rename to decided");
    shop.sql("rollback");
    reopen(&mut shop);
}

#[test]
fn no_worker_starts_while_a_command_has_the_database_to_itself() {
    let cluster = cluster().start();
    let mut shop = deserted_shop(&cluster, "held");
    shop.sql("begin; alter database held rename to kept");
    // A worker that connects too early waits for the command's lock.
    let too_early = "select count(*) from pg_locks
                     where classid = 'pg_database'::regclass and not granted";
    // The launcher checks all databases whenever it starts a worker, and at intervals.
    for name in ["neighbour", "second_neighbour", "third_neighbour"] {
        let mut neighbour = Shop::open(&cluster, name);
        neighbour.insert([1]);
        neighbour.wait_until_delivered();
        assert_eq!(neighbour.number(too_early), 0);
    }
    shop.sql("commit");
    shop.database = "kept";
    reopen(&mut shop);
}

#[test]
fn the_worker_is_back_after_a_command_that_was_cancelled_while_it_waited() {
    let cluster = cluster().conf("s2s.shutdown_grace = '1min'").start();
    let options = ", timeout '2min', retry_schedule '1s'";
    let mut shop = Shop::open_with(&cluster, "cancelled", options);
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert([1]);
    shop.receiver.wait_for(1, PATIENCE);
    desert(&mut shop);
    shop.sql("set statement_timeout = '200ms'");
    let (code, message) = error_of(&mut shop.client, "drop database cancelled");
    assert_eq!(code, SqlState::QUERY_CANCELED, "{message}");
    assert!(
        !cluster.log().contains("s2s: worker stopped"),
        "it still waits for an answer"
    );
    let address = shop.receiver.address();
    drop(std::mem::take(&mut shop.receiver));
    shop.receiver = Receiver::at(address);
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);
}

#[test]
fn a_command_that_waited_while_names_changed_is_about_the_database_that_has_the_name() {
    let cluster = shared_cluster();
    let mut other = Shop::open(cluster, "swapped_too");
    desert(&mut other);
    let mut shop = deserted_shop(cluster, "swapped");
    shop.sql("begin; alter database swapped rename to swapped_away");
    shop.sql("alter database swapped_too rename to swapped");
    let command = thread::spawn(|| {
        let mut session = cluster.connect("postgres");
        session.batch_execute("drop database swapped")
    });
    let waiting = "select count(*) from pg_stat_activity
                   where wait_event_type = 'Lock' and query = 'drop database swapped'";
    wait_for(PATIENCE, "the command waits", || other.number(waiting) == 1);
    shop.sql("commit");
    let done = command.join().expect("a thread");
    done.expect("no database any more");
    let left = "select string_agg(datname, ' ') from pg_database where datname like 'swapped%'";
    assert_eq!(shop.text(left), "swapped_away");
    shop.database = "swapped_away";
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}
