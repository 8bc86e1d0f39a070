//! Commands as a user whom PostgreSQL accepts: oneself, or `postgres` if one is root.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The user who owns data folders and runs servers when root runs the tests.
const SERVER_USER: &str = "postgres";

/// User and group id of the servers' user, if it is another than our own.
pub fn server_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        let id = |arguments: &[&str]| -> u32 {
            let id = run(Command::new("id").args(arguments));
            id.trim().parse().expect("a number from id")
        };
        (id(&["-u"]) == 0).then(|| (id(&["-u", SERVER_USER]), id(&["-g", SERVER_USER])))
    })
}

/// A command that runs as the servers' user, in a folder that every user can enter, without
/// what the caller's environment says about PostgreSQL, locale and backtraces.
pub fn as_server_user(program: impl AsRef<OsStr>) -> Command {
    let mut command = if server_user().is_some() {
        let mut command = Command::new("runuser");
        command.args(["-u", SERVER_USER, "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["PG", "LC_", "LANG"]
            .iter()
            .any(|prefix| text.starts_with(prefix));
        if ours {
            command.env_remove(&name);
        }
    }
    // Whatever a service has in its environment, no client sees a backtrace.
    command
        .env("RUST_BACKTRACE", "1")
        .env("RUST_LIB_BACKTRACE", "1");
    command.env("LC_ALL", "C").current_dir("/");
    command
}

/// Gives a file or folder to the servers' user.
pub fn give_to_server_user(path: &Path) {
    if let Some((user, group)) = server_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).expect("chown");
    }
}

/// Runs a command to its end and returns what it printed; panics with all of that if it fails.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{stdout}{stderr}",
        output.status
    );
    stdout
}

/// The most memory that a process has had, in kB.
pub fn peak_memory(pid: i64) -> i64 {
    memory(pid, "VmHWM")
}

/// A kind of memory that a process has, in kB: a line of its status.
pub fn memory(pid: i64, kind: &str) -> i64 {
    let text = status_of(&format!("/proc/{pid}"), kind);
    let number = text.trim_end_matches(" kB");
    number
        .parse()
        .unwrap_or_else(|_| panic!("{kind} in kB: {text}"))
}

/// A line of a process's or thread's status.
pub fn status_of(folder: &str, name: &str) -> String {
    let status = fs::read_to_string(format!("{folder}/status")).expect("a status");
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| *key == name);
    found.expect("a line of the status").1.trim().to_owned()
}

/// The threads of a worker that send, oldest first; the last ones may be those that resolve names
/// for them. None if the worker is gone.
pub fn pool_threads(worker: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{worker}/task"));
    let mut threads: Vec<i32> = threads
        .into_iter()
        .flatten()
        .filter_map(|thread| {
            let folder = thread.ok()?.path();
            let name = fs::read_to_string(folder.join("comm")).ok()?;
            let is_ours = name.starts_with("s2s http ");
            is_ours.then(|| folder.file_name()?.to_str()?.parse().ok())?
        })
        .collect();
    threads.sort_unstable();
    threads
}

/// Sends a signal to one thread of a process, as the kernel does when that thread crashes; false if
/// it has ended.
#[allow(unsafe_code)]
pub fn crash_thread(pid: i32, thread: i32, signal: i32) -> bool {
    // SAFETY: takes three numbers; nothing of ours is shared with it.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, thread, signal) == 0 }
}
