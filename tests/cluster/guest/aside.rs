//! The worker leaves its database for commands that need it to themselves, and comes back.

mod copies;
mod endings;
mod rights;

use std::thread;

use postgres::Client;
use postgres::error::SqlState;

use crate::rights::hostile::error_of;
use crate::shop::{PATIENCE, Shop, cluster, shared_cluster};
use crate::support::{Answer, Cluster, wait_for};

/// The worker process of a database, by pg_stat_activity.
fn worker_of(session: &mut Client, database: &str) -> Option<i32> {
    let query = "select pid from pg_stat_activity
                 where backend_type = 'pgrx-ext worker' and datname = $1";
    let row = session.query_opt(query, &[&database]).expect(query)?;
    Some(row.get(0))
}

/// Waits until a database has its worker (again).
fn wait_for_worker(session: &mut Client, database: &str) {
    wait_for(PATIENCE, "a worker", || {
        worker_of(session, database).is_some()
    });
}

/// Why there is no worker; empty if there is one.
fn hint(shop: &mut Shop) -> String {
    shop.text("select hint from s2s.worker_status()")
}

/// A shop with an idle worker and no session: the client has gone to another database.
fn deserted_shop<'a>(cluster: &'a Cluster, name: &'static str) -> Shop<'a> {
    let mut shop = Shop::open(cluster, name);
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.wait_until_idle();
    desert(&mut shop);
    shop
}

fn desert(shop: &mut Shop) {
    shop.client = shop.cluster.connect("postgres");
    // Without a worker that leaves, PostgreSQL fails such a command after five seconds.
    shop.sql(&format!("set statement_timeout = {}", PATIENCE.as_millis()));
}

/// The client is back in the shop, and so is the worker.
fn reopen(shop: &mut Shop) {
    shop.reconnect();
    shop.insert([2]);
    shop.wait_until_delivered();
}

#[test]
fn a_database_with_an_idle_worker_can_be_copied() {
    let mut shop = deserted_shop(shared_cluster(), "copied");
    shop.sql("create database copy template copied");
    wait_for_worker(&mut shop.client, "copied");
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn a_database_with_an_idle_worker_can_be_renamed() {
    let mut shop = deserted_shop(shared_cluster(), "renamed");
    shop.sql("alter database renamed rename to renewed");
    wait_for_worker(&mut shop.client, "renewed");
    shop.database = "renewed";
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn a_database_with_an_idle_worker_can_be_moved() {
    let cluster = shared_cluster();
    let mut shop = deserted_shop(cluster, "relocated");
    let place = cluster.new_folder("elsewhere");
    shop.sql(&format!(
        "create tablespace elsewhere location '{}'",
        place.display()
    ));
    shop.sql("alter database relocated set tablespace elsewhere");
    wait_for_worker(&mut shop.client, "relocated");
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn a_database_with_an_idle_worker_can_be_dropped() {
    let mut shop = deserted_shop(shared_cluster(), "discarded");
    shop.sql("drop database discarded");
    assert_eq!(worker_of(&mut shop.client, "discarded"), None);
}

#[test]
fn one_command_after_the_other_does_not_keep_the_worker_away() {
    let mut shop = deserted_shop(shared_cluster(), "in_a_row_0");
    for n in 0..6 {
        let (before, after) = (format!("in_a_row_{n}"), format!("in_a_row_{}", n + 1));
        wait_for_worker(&mut shop.client, &before);
        shop.sql(&format!("alter database {before} rename to {after}"));
    }
    shop.database = "in_a_row_6";
    reopen(&mut shop);
}

#[test]
fn a_command_waits_for_requests_in_flight_no_longer_than_a_stop_does() {
    let cluster = cluster().conf("s2s.shutdown_grace = '1s'").start();
    let mut shop = Shop::open_with(&cluster, "in_flight", ", timeout '2min'");
    shop.receiver.answer_with(|_| Answer::Stall);
    shop.insert(1..=3);
    shop.receiver.wait_for(3, PATIENCE);
    desert(&mut shop);
    shop.sql("alter database in_flight rename to landed");
    shop.receiver.answer_with(|_| Answer::ok());
    shop.database = "landed";
    shop.reconnect();
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 1, 2, 2, 3, 3]);
}

#[test]
fn the_worker_stands_aside_until_a_command_ends_and_says_so() {
    let cluster = cluster().start();
    let mut shop = Shop::open(&cluster, "dying");
    shop.insert([1]);
    shop.wait_until_delivered();
    shop.wait_until_idle();
    assert_eq!(hint(&mut shop), "");
    // When the command waits for this lock, it has already locked the database.
    let mut catalog = cluster.connect("postgres");
    catalog
        .batch_execute("begin; lock table pg_catalog.pg_database in share mode")
        .expect("a lock");
    thread::scope(|scope| {
        let command = scope.spawn(|| {
            let mut session = cluster.connect("postgres");
            session.batch_execute("alter database dying rename to dead")
        });
        wait_for(PATIENCE, "the hint", || {
            hint(&mut shop)
                == "The worker stands aside for a command that copies, renames, moves or drops the \
                    database, and is back afterwards."
        });
        shop.insert([2]);
        shop.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where query like 'alter database dying%'",
        );
        let ended = command.join().expect("a thread");
        let code = ended.expect_err("it was terminated").code().cloned();
        // The connection may be closed before the client has read why.
        assert!(
            code.is_none_or(|code| code == SqlState::ADMIN_SHUTDOWN),
            "it waited in vain"
        );
    });
    shop.wait_until_delivered();
    assert_eq!(hint(&mut shop), "");
    assert_eq!(shop.received(), [1, 2]);
}

#[test]
fn who_may_not_do_it_does_not_send_the_worker_away() {
    let cluster = shared_cluster();
    let mut shop = deserted_shop(cluster, "guarded");
    shop.sql("create role passer_by login createdb; create role settler login");
    shop.sql("alter database guarded owner to settler");
    let worker = worker_of(&mut shop.client, "guarded");
    assert!(worker.is_some());
    let mut passer_by = cluster.connect_as("passer_by", "postgres");
    for command in [
        "create database loot template guarded",
        "alter database guarded rename to loot",
        "alter database guarded set tablespace pg_default",
        "drop database guarded",
        "drop database guarded with (force)",
    ] {
        let (code, message) = error_of(&mut passer_by, command);
        assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE, "{message}");
    }
    let mut settler = cluster.connect_as("settler", "postgres");
    for command in [
        "create database loot template guarded",
        "alter database guarded rename to loot",
    ] {
        let (code, message) = error_of(&mut settler, command);
        assert_eq!(code, SqlState::INSUFFICIENT_PRIVILEGE, "{message}");
    }
    for (before, command, refusal) in [
        (
            "begin read only",
            "alter database guarded rename to loot",
            SqlState::READ_ONLY_SQL_TRANSACTION,
        ),
        (
            "rollback; begin",
            "create database loot template guarded",
            SqlState::ACTIVE_SQL_TRANSACTION,
        ),
        (
            "rollback; begin",
            "alter database guarded set tablespace pg_default",
            SqlState::ACTIVE_SQL_TRANSACTION,
        ),
        (
            "rollback; begin",
            "drop database guarded",
            SqlState::ACTIVE_SQL_TRANSACTION,
        ),
        (
            "rollback",
            "do $$ begin execute 'drop database guarded'; end $$",
            SqlState::ACTIVE_SQL_TRANSACTION,
        ),
        (
            "alter database guarded is_template true",
            "drop database guarded",
            SqlState::WRONG_OBJECT_TYPE,
        ),
        (
            "alter database guarded is_template false",
            "drop database nobody",
            SqlState::INVALID_CATALOG_NAME,
        ),
    ] {
        shop.sql(before);
        let (code, message) = error_of(&mut shop.client, command);
        assert_eq!(code, refusal, "{message}");
    }
    shop.reconnect();
    for command in [
        "alter database guarded rename to loot",
        "drop database guarded",
    ] {
        let (_, message) = error_of(&mut shop.client, command);
        assert!(message.contains("current"), "{message}");
    }
    reopen(&mut shop);
    assert_eq!(worker_of(&mut shop.client, "guarded"), worker);
}
