//! A streaming standby, and its promotion.

use std::fs;

use super::{Cluster, PATIENCE, PORT};
use crate::support::installation::Installation;
use crate::support::process::run;
use crate::support::wait_for;

/// What a standby calls itself to its primary.
const NAME: &str = "standby";

impl Cluster {
    /// A standby of this server that streams from it and takes connections. From then on each
    /// commit here waits until the standby has it on disk.
    pub fn synchronous_standby(&self) -> Cluster {
        let standby = Cluster {
            bin: self.bin.clone(),
            folder: Installation::shared().new_folder(),
        };
        run(self
            .client("pg_basebackup")
            .args([
                "--checkpoint=fast",
                "--wal-method=stream",
                "--no-sync",
                "-D",
            ])
            .arg(standby.data()));
        fs::write(standby.data().join("standby.signal"), "").expect("standby.signal");
        standby.configure(&format!(
            "unix_socket_directories = '{}'",
            standby.folder.display()
        ));
        standby.configure(&format!(
            "primary_conninfo = 'host={} port={PORT} user=postgres application_name={NAME}'",
            self.folder.display()
        ));
        standby.start();
        self.configure(&format!("synchronous_standby_names = '{NAME}'"));
        self.reload();
        let mut session = self.connect("postgres");
        wait_for(PATIENCE, "the standby is synchronous", || {
            let query = "select from pg_stat_replication where sync_state = 'sync'";
            session.query(query, &[]).expect(query).len() == 1
        });
        standby
    }

    /// Makes a standby a primary.
    #[track_caller]
    pub fn promote(&self) {
        let promoted = self.pg_ctl(PATIENCE, &["promote"]).status.success();
        assert!(promoted, "the standby is not promoted:\n{}", self.log());
    }
}
