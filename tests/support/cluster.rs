//! A throw-away cluster: a data folder of a private installation and its server, reached by a
//! Unix socket in the same temporary folder and by nothing else.
//!
//! Dropping it stops the server at once and removes the folder. A test that panics gets the end
//! of the server's log printed with it.

mod builder;
mod standby;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use super::installation::Installation;
use super::process::{as_server_user, give_to_server_user, run};
use super::wait_for;

pub use builder::Builder;

/// How long a server may take to start or stop where a test does not say.
const PATIENCE: Duration = Duration::from_secs(60);

/// No server listens on a port: it only names the socket's file.
const PORT: u16 = 5432;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When all clients have gone.
    Smart,
    /// Clients are sent away, what is theirs is rolled back.
    Fast,
    /// As if the power had gone; the next start recovers.
    Immediate,
}

/// A data folder and its server.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
}

impl Cluster {
    /// A cluster of the shared installation, with the extension preloaded, without `fsync`.
    pub fn builder() -> Builder<'static> {
        Cluster::builder_of(Installation::shared())
    }

    /// The same of another installation.
    pub fn builder_of(installation: &Installation) -> Builder<'_> {
        Builder::of(installation)
    }

    /// Starts the server and waits until it takes connections.
    #[track_caller]
    pub fn start(&self) {
        self.start_with(&[]);
    }

    /// Starts the server in the way in which `pg_upgrade` does.
    #[track_caller]
    pub fn start_as_pg_upgrade_does(&self) {
        self.start_with(&["-o", "-b"]);
    }

    #[track_caller]
    fn start_with(&self, options: &[&str]) {
        let log = self.log_file();
        let mut arguments = vec!["-l", log.to_str().expect("a path in UTF-8")];
        arguments.extend(options);
        arguments.push("start");
        let output = self.pg_ctl(PATIENCE, &arguments);
        assert!(
            output.status.success(),
            "the server does not start:\n{}",
            self.log()
        );
    }

    /// Stops the server.
    #[track_caller]
    pub fn stop(&self, mode: Mode) {
        assert!(
            self.stop_within(PATIENCE, mode),
            "the server does not stop:\n{}",
            self.log()
        );
    }

    /// Stops the server, if it does stop within the time, which counts in whole seconds.
    pub fn stop_within(&self, time: Duration, mode: Mode) -> bool {
        let mode = match mode {
            Mode::Smart => "smart",
            Mode::Fast => "fast",
            Mode::Immediate => "immediate",
        };
        let stopped = self.pg_ctl(time, &["-m", mode, "stop"]).status.success();
        if stopped {
            self.wait_until_gone();
        }
        stopped
    }

    /// Stops the server in the mode and starts it again.
    #[track_caller]
    pub fn restart(&self, mode: Mode) {
        self.stop(mode);
        self.start();
    }

    /// Lets the server read its configuration again.
    #[track_caller]
    pub fn reload(&self) {
        assert!(
            self.pg_ctl(PATIENCE, &["reload"]).status.success(),
            "no server to reload"
        );
    }

    /// Appends a line to `postgresql.conf`; `reload` or `restart` makes it count.
    pub fn configure(&self, line: &str) {
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new()
            .append(true)
            .open(path)
            .expect("postgresql.conf");
        writeln!(file, "{line}").expect("a line for postgresql.conf");
    }

    /// Sends SIGKILL to one process of this server, given by its id.
    pub fn kill(&self, pid: u32) {
        assert!(
            self.processes().contains(&pid),
            "{pid} is no process of this server"
        );
        run(Command::new("sh").args(["-c", "kill -KILL \"$1\"", "sh", &pid.to_string()]));
    }

    /// Sets how far into a file one process of this server may write; what lies beyond fails as on
    /// a full disk. `None` lifts that.
    ///
    /// The write-ahead log counts as well, where a failure is a crash: see
    /// [`Builder::small_wal_segments`].
    pub fn limit_file_size(&self, pid: u32, bytes: Option<u64>) {
        assert!(
            self.processes().contains(&pid),
            "{pid} is no process of this server"
        );
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        // The soft limit alone: who may not raise the hard one can lift it again.
        run(as_server_user("prlimit")
            .arg(format!("--pid={pid}"))
            .arg(format!("--fsize={limit}:")));
    }

    /// Sends SIGKILL to the postmaster, and waits until its children have noticed and its
    /// process id is free: a new one does not start while the old one is a zombie.
    pub fn kill_postmaster(&self) {
        let pid = self.postmaster_pid().expect("a server that runs");
        self.kill(pid);
        self.wait_until_gone();
        let process = PathBuf::from(format!("/proc/{pid}"));
        wait_for(PATIENCE, "the postmaster is reaped", || !process.exists());
    }

    /// The postmaster's process id; `None` if no server runs.
    pub fn postmaster_pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let pid = text.lines().next()?.parse().ok()?;
        self.processes().contains(&pid).then_some(pid)
    }

    /// A session of the superuser.
    #[track_caller]
    pub fn connect(&self, database: &str) -> Client {
        self.connect_as("postgres", database)
    }

    /// A session of any role.
    #[track_caller]
    pub fn connect_as(&self, user: &str, database: &str) -> Client {
        self.try_connect(user, database).unwrap_or_else(|error| {
            panic!(
                "no connection to {database} as {user}: {error:?}\n{}",
                self.log()
            )
        })
    }

    /// A session, or why there is none.
    pub fn try_connect(&self, user: &str, database: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config
            .host_path(&self.folder)
            .port(PORT)
            .user(user)
            .dbname(database);
        config.connect_timeout(PATIENCE).application_name("test");
        config.connect(NoTls)
    }

    /// A new database with the extension, and a session in it.
    #[track_caller]
    pub fn database(&self, name: &str) -> Client {
        let mut client = self.empty_database(name);
        client
            .batch_execute("create extension \"pgrx-ext\"")
            .expect("create extension");
        client
    }

    /// A new database without the extension, and a session in it.
    #[track_caller]
    pub fn empty_database(&self, name: &str) -> Client {
        let mut postgres = self.connect("postgres");
        postgres
            .batch_execute(&format!("create database {name}"))
            .expect("create database");
        self.connect(name)
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder of the socket, for `-h`; the port is [`Cluster::port`].
    pub fn socket_folder(&self) -> &Path {
        &self.folder
    }

    /// The port in the socket's name.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The folder of this PostgreSQL's programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// A new folder of the servers' user beside the data folder.
    pub fn new_folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).expect("a folder");
        give_to_server_user(&folder);
        folder
    }

    /// A client program (`psql`, `pg_dump`, …, or one by its whole path) with this cluster in its
    /// environment, to run as the servers' user.
    pub fn client(&self, program: impl AsRef<Path>) -> Command {
        let mut command = as_server_user(self.bin.join(program));
        command
            .env("PGHOST", &self.folder)
            .env("PGPORT", PORT.to_string());
        command.env("PGUSER", "postgres");
        command
    }

    /// The ids of all processes of this server: they work in its data folder.
    pub fn processes(&self) -> Vec<u32> {
        let data = self.data();
        let Ok(all) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        all.filter_map(Result::ok)
            .filter(|process| {
                fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == data)
            })
            .filter_map(|process| process.file_name().to_str()?.parse().ok())
            .collect()
    }

    fn wait_until_gone(&self) {
        wait_for(PATIENCE, "all processes of the server end", || {
            self.processes().is_empty()
        });
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn pg_ctl(&self, patience: Duration, arguments: &[&str]) -> Output {
        let mut command = as_server_user(self.bin.join("pg_ctl"));
        command
            .arg("-D")
            .arg(self.data())
            .args(["-w", "-t", &patience.as_secs().to_string()]);
        command.args(arguments).output().expect("pg_ctl")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the end of the server's log\n{end}\n---");
        }
        if self.postmaster_pid().is_some() {
            let _ = self.pg_ctl(PATIENCE, &["-m", "immediate", "stop"]);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
