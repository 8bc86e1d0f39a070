//! The extension in a folder of its own, which PostgreSQL 18 and later find by settings.

use std::fs;

use crate::shop::Shop;
use crate::support::{Cluster, Installation, install_extension};

#[test]
fn the_extension_is_used_from_a_folder_of_its_own_by_settings_alone() {
    let installation = Installation::without_extension();
    let folder = installation.new_folder();
    let [libraries, share] = ["lib", "share"].map(|name| folder.join(name));
    let extensions = share.join("extension");
    for folder in [&libraries, &extensions] {
        fs::create_dir_all(folder).expect("a folder of the extension");
    }
    install_extension(&libraries, &extensions);
    let release = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/pgrx-ext--0.2.0.sql"
    );
    fs::copy(release, extensions.join("pgrx-ext--0.2.0.sql")).expect("the last release");
    let cluster = Cluster::builder_of(&installation)
        .conf("s2s.allow_private_addresses = on")
        .conf(format!(
            "extension_control_path = '{}:$system'",
            share.display()
        ))
        .conf(format!(
            "dynamic_library_path = '{}:$libdir'",
            libraries.display()
        ))
        .start();

    let client = cluster.database("fresh");
    let mut shop = Shop::open_in(&cluster, "fresh", client, "");
    shop.insert([1]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1]);

    let mut client = cluster.empty_database("updated");
    client
        .batch_execute(
            "create extension \"pgrx-ext\" version '0.2.0';
             -- As a release before this one has named the library.
             update pg_proc set probin = '$libdir/pgrx-ext' where probin = 'pgrx-ext'",
        )
        .expect("the last release");
    let mut shop = Shop::open_in(&cluster, "updated", client, "");
    shop.insert([1]);
    shop.sql("alter extension \"pgrx-ext\" update");
    shop.insert([2]);
    shop.wait_until_delivered();
    assert_eq!(shop.received(), [1, 2]);
    let names = "select string_agg(distinct probin, ' ' order by probin) from pg_proc where probin like '%pgrx-ext'";
    assert_eq!(shop.text(names), "$libdir/pgrx-ext pgrx-ext");
}
