//! What a cluster is to be like before it starts.

use super::{Cluster, PORT};
use crate::support::installation::Installation;
use crate::support::process::{as_server_user, run};

/// What a cluster is to be like.
pub struct Builder<'a> {
    installation: &'a Installation,
    preload: bool,
    fsync: bool,
    small_wal_segments: bool,
    lines: Vec<String>,
}

impl<'a> Builder<'a> {
    /// With the extension preloaded, without `fsync`.
    pub(super) fn of(installation: &'a Installation) -> Builder<'a> {
        Builder {
            installation,
            preload: true,
            fsync: false,
            small_wal_segments: false,
            lines: Vec::new(),
        }
    }

    /// Without the extension in `shared_preload_libraries`: no worker, callbacks wait.
    pub fn without_preload(mut self) -> Self {
        self.preload = false;
        self
    }

    /// With `fsync`, which tests of what survives a crash of the server do not need: what it
    /// wrote stays in the kernel's cache.
    pub fn with_fsync(mut self) -> Self {
        self.fsync = true;
        self
    }

    /// With files of 1 MB for the write-ahead log, so that a limit on the size of files above that
    /// is one for tables alone.
    pub fn small_wal_segments(mut self) -> Self {
        self.small_wal_segments = true;
        self
    }

    /// With one more line in `postgresql.conf`.
    pub fn conf(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Makes the cluster and starts its server.
    pub fn start(self) -> Cluster {
        let cluster = self.make();
        cluster.start();
        cluster
    }

    /// Makes the cluster; its server does not run yet.
    pub fn make(self) -> Cluster {
        let folder = self.installation.new_folder();
        let cluster = Cluster {
            bin: self.installation.bin().to_owned(),
            folder,
        };
        let template = self.installation.template();
        run(as_server_user("cp")
            .arg("-a")
            .arg(template)
            .arg(cluster.data()));
        if self.small_wal_segments {
            run(self
                .installation
                .program("pg_resetwal")
                .args(["--wal-segsize=1", "-D"])
                .arg(cluster.data()));
            cluster.configure("min_wal_size = 2MB");
        }
        cluster.configure(&format!("port = {PORT}"));
        cluster.configure("listen_addresses = ''");
        cluster.configure(&format!(
            "unix_socket_directories = '{}'",
            cluster.folder.display()
        ));
        cluster.configure("log_line_prefix = '%m [%p] %b %q%u@%d '");
        if !self.fsync {
            cluster.configure("fsync = off");
        }
        if self.preload {
            cluster.configure("shared_preload_libraries = 'pgrx-ext'");
        }
        for line in &self.lines {
            cluster.configure(line);
        }
        cluster
    }
}
