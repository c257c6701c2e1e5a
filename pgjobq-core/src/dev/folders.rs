//! The folders of a server.

use std::fs;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::DevError;
use super::platform::Account;

/// The folders of a server, all in one.
///
/// `data` is the data directory; `run` has the log and the socket; `broken` is a data directory that could not be
/// started; `new-*` are those whose `initdb` has not ended, or was killed.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    pub(super) root: PathBuf,
}

impl Folders {
    /// Returns the folders of the shared server: in the first usable cache folder, or else in a temporary one.
    pub(super) fn shared(environment: &Environment, account: &Account, major: u32) -> Result<Self, DevError> {
        let name = format!("pgjobq-dev{}", account.label());
        let places = environment.caches.iter().chain(&environment.temps);
        let mut problem = None;
        for place in places.filter(|place| account.can_reach(place)) {
            let own = place.join(&name);
            let root = own.join(major.to_string());
            match account.own_folder(&own).and_then(|()| Self::make(root, account)) {
                Ok(folders) => return Ok(folders),
                Err(error) => problem = Some(error),
            }
        }
        Err(problem.unwrap_or(DevError::NoFolder))
    }

    /// Makes them in `root`.
    pub(super) fn make(root: PathBuf, account: &Account) -> Result<Self, DevError> {
        account.own_folder(&root)?;
        let folders = Self { root };
        account.server_folder(&folders.run())?;
        Ok(folders)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(super) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.run().join("server.log")
    }

    /// The whole configuration. Not in `data`, which belongs to the server's user: root must not write there.
    pub(super) fn conf(&self) -> PathBuf {
        self.root.join("postgresql.conf")
    }

    /// The data directory that could not be started.
    pub(super) fn broken(&self) -> PathBuf {
        self.root.join("broken")
    }

    /// Returns a folder in which to make a data directory. Each process has its own, because the `initdb` of a killed
    /// process may still be running.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.root.join(format!("new-{}", std::process::id()))
    }

    /// Removes what killed processes left half made; what cannot be removed is removed next time.
    pub(super) fn remove_unfinished(&self) {
        for entry in self.root.read_dir().into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("new-") {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Puts a data directory in place, and aside the one that was there.
    pub(super) fn replace_data(&self, fresh: &Path) -> Result<(), DevError> {
        let (data, broken) = (self.data(), self.broken());
        if data.exists() {
            if broken.exists() {
                fs::remove_dir_all(&broken).map_err(DevError::files("delete", &broken))?;
            }
            fs::rename(&data, &broken).map_err(DevError::files("set aside", &data))?;
        }
        fs::rename(fresh, &data).map_err(DevError::files("put in place", fresh))
    }
}
