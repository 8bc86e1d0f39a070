//! PostgreSQL's binaries with the built extension in a temporary folder, so that the system's
//! own installation is neither written to nor depended on for the extension.
//!
//! PostgreSQL finds its library and share folders relative to its own executable, symbolic
//! links resolved. So the tree repeats the real paths below the temporary folder: executables
//! are copied; what they find from there is linked; the extension's files are copied from the
//! folder that `cargo pgrx package` makes.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::process::{as_server_user, give_to_server_user, run};
use super::scratch::Scratch;

/// The files of the extension begin with this.
const EXTENSION: &str = "pgrx-ext";

/// A private PostgreSQL tree.
pub struct Installation {
    scratch: Scratch,
    bin: PathBuf,
    extensions: PathBuf,
    template: OnceLock<PathBuf>,
    folders: AtomicUsize,
}

impl Installation {
    /// The one that this process's clusters share. It goes when the process ends.
    pub fn shared() -> &'static Installation {
        static SHARED: OnceLock<Installation> = OnceLock::new();
        SHARED.get_or_init(Installation::new)
    }

    /// Makes one of the package that `make build` made.
    pub fn new() -> Installation {
        Installation::of_package(&package())
    }

    /// Makes one with the extension of a package folder: another build, or an older release.
    pub fn of_package(package: &Path) -> Installation {
        let scratch = Scratch::new();
        let place = |folder: &Path| {
            let place = scratch.path().join(below_root(folder));
            fs::create_dir_all(&place).expect("a folder of the private tree");
            place
        };
        let [bin, lib, share] = ["--bindir", "--pkglibdir", "--sharedir"].map(pg_config);
        let extensions = share.join("extension");
        let (bin_here, extensions_here) = (place(&bin), place(&extensions));
        for file in entries(&bin) {
            copy_into(&file, &bin_here);
        }
        for folder in [&lib, &share, &extensions] {
            let here = place(folder);
            for file in entries(folder).iter().filter(|file| **file != extensions) {
                if !is_ours(file) {
                    symlink(file, here.join(file.file_name().expect("a name"))).expect("symlink");
                }
            }
        }
        for folder in [&lib, &extensions] {
            let built = package.join(below_root(folder));
            let files = entries(&built);
            assert!(
                !files.is_empty(),
                "{} is empty: run `make build`",
                built.display()
            );
            for file in files {
                copy_into(&file, &place(folder));
            }
        }
        Installation {
            scratch,
            bin: bin_here,
            extensions: extensions_here,
            template: OnceLock::new(),
            folders: AtomicUsize::new(0),
        }
    }

    /// Adds a file of the extension: the script of an older release.
    pub fn add_extension_file(&self, file: &Path) {
        copy_into(file, &self.extensions);
    }

    /// A program of this PostgreSQL, to run as the servers' user.
    pub fn program(&self, name: &str) -> Command {
        as_server_user(self.bin.join(name))
    }

    /// The folder of the programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// A new folder of the servers' user. Its path is short: a socket's has 107 bytes at most.
    pub fn new_folder(&self) -> PathBuf {
        let number = self.folders.fetch_add(1, Ordering::Relaxed);
        let folder = self.scratch.path().join(format!("f{number}"));
        fs::create_dir(&folder).expect("a folder");
        give_to_server_user(&folder);
        folder
    }

    /// An empty data folder to copy, which is quicker than `initdb` each time.
    pub fn template(&self) -> &Path {
        self.template.get_or_init(|| {
            let data = self.new_folder().join("template");
            run(self
                .program("initdb")
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
                .args(["--locale=C", "--no-sync", "-D"])
                .arg(&data));
            data
        })
    }
}

/// What `pg_config` says: the program that `PG_CONFIG` names, else the first in `PATH`.
fn pg_config(option: &str) -> PathBuf {
    let program = env::var_os("PG_CONFIG").filter(|name| !name.is_empty());
    let said = run(Command::new(program.unwrap_or_else(|| "pg_config".into())).arg(option));
    PathBuf::from(said.trim_end())
}

/// PostgreSQL's regression test driver, a part of its server development files.
pub fn pg_regress() -> PathBuf {
    let makefile = pg_config("--pgxs"); // …/pgxs/src/makefiles/pgxs.mk
    let source = makefile.ancestors().nth(2).expect("the folder of pgxs");
    source.join("test/regress/pg_regress")
}

/// The major version of PostgreSQL.
fn major_version() -> String {
    let version = pg_config("--version"); // PostgreSQL 15.20 (Debian …), PostgreSQL 18beta1
    let version = version.to_str().expect("a version in UTF-8");
    let number = version.split_whitespace().nth(1).expect("a version number");
    number.chars().take_while(char::is_ascii_digit).collect()
}

/// The folder that `cargo pgrx package` made: `PGRX_EXT_PACKAGE`, else the one in the target
/// folder that this executable was built in, so debug tests debug and bench tests release.
fn package() -> PathBuf {
    if let Some(package) = env::var_os("PGRX_EXT_PACKAGE").filter(|path| !path.is_empty()) {
        return PathBuf::from(package);
    }
    let name = format!("{EXTENSION}-pg{}", major_version());
    let executable = env::current_exe().expect("the path of this executable");
    let found = executable
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(&name));
    found
        .into_iter()
        .find(|package| package.is_dir())
        .unwrap_or_else(|| {
            panic!(
                "no folder {name} above {}: run `make build`",
                executable.display()
            )
        })
}

fn is_ours(file: &Path) -> bool {
    file.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(EXTENSION))
}

fn below_root(folder: &Path) -> &Path {
    folder.strip_prefix("/").unwrap_or(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup build`", folder.display()));
    entries
        .map(|entry| entry.expect("a folder's entry").path())
        .collect()
}

fn copy_into(file: &Path, folder: &Path) {
    let to = folder.join(file.file_name().expect("a name"));
    fs::copy(file, &to).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
