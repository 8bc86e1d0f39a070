//! A server whose `ca_file` cannot be read: its callbacks wait, those of others do not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::shop::{PATIENCE, Shop, cluster};
use crate::support::wait_for;

#[test]
fn callbacks_wait_while_a_ca_file_cannot_be_read() {
    let cluster = cluster().start();
    let folder = cluster.new_folder("ca");
    let file = folder.join("own.pem");
    let path = file.to_str().expect("a path");
    let certificate = rcgen::generate_simple_self_signed(["own.example".to_owned()]);
    let pem = certificate.expect("a certificate").cert.pem();
    let write = || {
        fs::write(&file, &pem).expect("a ca_file");
        fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("readable");
    };
    write();
    let mut shop = Shop::open_with(&cluster, "no_ca_file", &format!(", ca_file '{path}'"));
    shop.sql(&format!(
        "create server other foreign data wrapper tradetracker options (
             campaign_id '1', product_id '2', lead_url '{}', allow_http 'true', click_ids 'any')",
        shop.receiver.url("/other")
    ));
    shop.wait_until_idle();
    fs::remove_file(&file).expect("no ca_file");
    shop.sql("select pg_terminate_backend(pid) from s2s.worker_status()");
    shop.insert(1..=20);
    shop.sql("select s2s.report_lead('other', '100', 'c')");
    wait_for(PATIENCE, "the other server's", || shop.received() == [100]);
    shop.wait_until_idle();
    let look = "select waiting || ' waiting, ' || parked || ' parked, ' || state
                from s2s.server_status where server = 'games_nl'";
    assert_eq!(shop.text(look), "20 waiting, 0 parked, broken");
    let problem = "select problem from s2s.server_status where server = 'games_nl'";
    assert_eq!(
        shop.text(problem),
        format!("ca_file {path}: No such file or directory (os error 2)")
    );
    assert_eq!(shop.number("select max(attempts) from s2s.queue"), 0);
    shop.sql("select s2s.wake()");
    shop.wait_until_idle();
    let complaint = "nothing can be sent to server \"games_nl\", its callbacks wait: ca_file";
    assert_eq!(cluster.log().matches(complaint).count(), 1);
    write();
    // As the worker looks each minute.
    shop.sql("select s2s.wake()");
    shop.wait_until_delivered();
    assert_eq!(shop.receiver.count(), 21);
    assert_eq!(shop.text(look), "0 waiting, 0 parked, active");
    assert_eq!(shop.text(problem), "");
}
