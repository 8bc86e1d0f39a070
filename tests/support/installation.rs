//! PostgreSQL's binaries with the built extension in a temporary folder, so that the system's
//! own installation is neither written to nor depended on for the extension.
//!
//! PostgreSQL finds its library and share folders relative to its own executable, symbolic
//! links resolved. So the tree repeats the real paths below the temporary folder: executables
//! are copied; what they find from there is linked. The extension's library is the one that cargo built
//! along with this executable; its other files are those of the sources.

use std::borrow::Cow;
use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
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

    /// Makes one.
    pub fn new() -> Installation {
        let installation = Installation::without_extension();
        let libraries = installation.place(&pg_config("--pkglibdir"));
        install_extension(&libraries, &installation.extensions);
        installation
    }

    /// Makes one that has no file of the extension.
    pub fn without_extension() -> Installation {
        let [bin, lib, share] = ["--bindir", "--pkglibdir", "--sharedir"].map(pg_config);
        let extensions = share.join("extension");
        let mut installation = Installation {
            scratch: Scratch::new(),
            bin: PathBuf::new(),
            extensions: PathBuf::new(),
            template: OnceLock::new(),
            folders: AtomicUsize::new(0),
        };
        installation.bin = installation.place(&bin);
        installation.extensions = installation.place(&extensions);
        for file in entries(&bin) {
            copy_into(&file, &installation.bin);
        }
        for folder in [&lib, &share, &extensions] {
            let here = installation.place(folder);
            for file in entries(folder).iter().filter(|file| **file != extensions) {
                if !is_ours(file) {
                    symlink(file, here.join(file.file_name().expect("a name"))).expect("symlink");
                }
            }
        }
        installation
    }

    /// The folder that stands for one of the system's.
    fn place(&self, folder: &Path) -> PathBuf {
        let place = self.scratch.path().join(below_root(folder));
        fs::create_dir_all(&place).expect("a folder of the private tree");
        place
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

/// Copies the extension's files into two folders that are there, as `make install` does: the library that
/// cargo built along with this executable, and what `CREATE EXTENSION` reads.
pub fn install_extension(libraries: &Path, extensions: &Path) {
    copy(
        &library(),
        &libraries.join(format!("{EXTENSION}{DLL_SUFFIX}")),
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let version = env!("CARGO_PKG_VERSION");
    let control = format!("{EXTENSION}.control");
    let text = fs::read_to_string(source.join(&control)).expect("the control file");
    let text = text.replace("@CARGO_VERSION@", version);
    fs::write(extensions.join(&control), text).expect("the control file's copy");
    let script = format!("{EXTENSION}--{version}.sql");
    copy(&source.join("sql/pgrx-ext.sql"), &extensions.join(script));
    let upgrades = entries(&source.join("sql")).into_iter();
    for upgrade in upgrades.filter(|file| name_of(file).contains("--")) {
        copy_into(&upgrade, extensions);
    }
}

/// What `pg_config` says: that of the PostgreSQL which the library is built for, else the first in `PATH`.
fn pg_config(option: &str) -> PathBuf {
    let program = env::var_os("PGRX_PG_CONFIG_PATH").filter(|name| !name.is_empty());
    let said = run(Command::new(program.unwrap_or_else(|| "pg_config".into())).arg(option));
    PathBuf::from(said.trim_end())
}

/// The extension's library: among what cargo built for this executable.
pub fn library() -> PathBuf {
    let name = format!("deps/{DLL_PREFIX}pgrx_ext{DLL_SUFFIX}");
    let executable = env::current_exe().expect("the path of this executable");
    let mut places = executable.ancestors().map(|folder| folder.join(&name));
    places
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("no {name} above {}", executable.display()))
}

fn is_ours(file: &Path) -> bool {
    name_of(file).starts_with(EXTENSION)
}

fn name_of(file: &Path) -> Cow<'_, str> {
    file.file_name().unwrap_or_default().to_string_lossy()
}

fn below_root(folder: &Path) -> &Path {
    folder.strip_prefix("/").unwrap_or(folder)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup`", folder.display()));
    entries
        .map(|entry| entry.expect("a folder's entry").path())
        .collect()
}

fn copy_into(file: &Path, folder: &Path) {
    copy(file, &folder.join(file.file_name().expect("a name")));
}

fn copy(file: &Path, to: &Path) {
    fs::copy(file, to).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
