//! A temporary folder that is gone when its process has ended, even by `kill -9`.
//!
//! A janitor, a shell, waits for the end of its standard input, which is a pipe that only this
//! process holds. Then it stops the servers whose data folders lie in the folder and removes it.
//! So a value in a `static`, which is never dropped, leaves nothing behind either.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `$1` is the folder. A server's working directory is its data folder: a process id that has
/// passed to another process is not taken for it.
const JANITOR: &str = r#"
trap '' INT TERM HUP
read -r _
for file in "$1"/*/data/postmaster.pid; do
    [ -f "$file" ] || continue
    pid=$(head -n 1 "$file")
    [ "$(readlink "/proc/$pid/cwd")" = "${file%/postmaster.pid}" ] || continue
    kill -QUIT "$pid"
    looks=0
    while kill -0 "$pid" 2>/dev/null && [ "$looks" -lt 200 ]; do
        sleep 0.05
        looks=$((looks + 1))
    done
done
rm -rf "$1"
"#;

/// A temporary folder, readable by all, and its janitor.
pub struct Scratch {
    path: PathBuf,
    janitor: Child,
}

impl Scratch {
    /// Makes a new folder.
    pub fn new() -> Scratch {
        let path = tempfile::Builder::new()
            .prefix("pgrx-ext-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        let path = path.canonicalize().expect("the temporary folder's path");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("chmod");
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "sh"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        Scratch { path, janitor }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}
