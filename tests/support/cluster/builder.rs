//! What a cluster is to be like before it starts.

use super::{Cluster, PORT};
use crate::support::installation::Installation;
use crate::support::process::{as_server_user, run};

/// What a cluster is to be like.
pub struct Builder<'a> {
    installation: &'a Installation,
    preload: bool,
    fsync: bool,
    lines: Vec<String>,
}

impl<'a> Builder<'a> {
    /// With the extension preloaded, without `fsync`.
    pub(super) fn of(installation: &'a Installation) -> Builder<'a> {
        Builder {
            installation,
            preload: true,
            fsync: false,
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
