//! Whose commands the worker leaves its database for.

use super::{deserted_shop, reopen, worker_of};
use crate::shop::{PATIENCE, shared_cluster};
use crate::support::wait_for;

#[test]
fn an_owner_who_is_no_superuser_gets_the_database() {
    let cluster = shared_cluster();
    let mut shop = deserted_shop(cluster, "owned");
    shop.sql("create role owner login createdb");
    shop.sql("alter database owned owner to owner");
    let mut owner = cluster.connect_as("owner", "postgres");
    for command in [
        "create database owned_too template owned",
        "alter database owned rename to own",
        "alter database own rename to owned",
    ] {
        let done = owner.batch_execute(command);
        done.unwrap_or_else(|error| panic!("{command}: {error:?}"));
        wait_for(PATIENCE, "the worker is back", || {
            worker_of(&mut shop.client, "owned").is_some()
                || worker_of(&mut shop.client, "own").is_some()
        });
    }
    owner
        .batch_execute("drop database owned")
        .expect("no database any more");
}

#[test]
fn an_owner_drops_the_database_with_force() {
    let cluster = shared_cluster();
    let mut shop = deserted_shop(cluster, "forced");
    shop.sql("create role enforcer login");
    shop.sql("alter database forced owner to enforcer");
    assert!(worker_of(&mut shop.client, "forced").is_some());
    let mut left_open = cluster.connect_as("enforcer", "forced");
    let mut enforcer = cluster.connect_as("enforcer", "postgres");
    // Only a superuser may terminate a superuser's process, which the worker is.
    enforcer
        .batch_execute("drop database forced with (force)")
        .expect("no database any more");
    assert!(left_open.batch_execute("select").is_err());
}

#[test]
fn who_may_create_databases_may_copy_a_template() {
    let cluster = shared_cluster();
    let mut shop = deserted_shop(cluster, "shared_template");
    shop.sql("create role copyist login createdb");
    shop.sql("alter database shared_template is_template true");
    let mut copyist = cluster.connect_as("copyist", "postgres");
    copyist
        .batch_execute("create database transcript template shared_template")
        .expect("a copy");
    reopen(&mut shop);
    assert_eq!(shop.received(), [1, 2]);
}
