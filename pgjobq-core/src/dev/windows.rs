//! Windows: the folders of a user are closed to others, and there is no socket to hide in one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::endpoint::Endpoint;
use super::error::DevError;

/// This process's user, and the user of the server. `pg_ctl` drops an administrator's rights by itself.
#[derive(Clone, Debug)]
pub(super) struct Account;

impl Account {
    /// Ours.
    pub(super) fn current() -> Result<Self, DevError> {
        Ok(Self)
    }

    /// The cache folder is that of one user already.
    pub(super) fn label(&self) -> String {
        String::new()
    }

    /// Nothing to do: see above.
    pub(super) fn take_on(&self, _command: &mut Command) {}

    /// Our folders are the server's.
    pub(super) fn can_reach(&self, _folder: &Path) -> bool {
        true
    }

    /// Makes a folder of ours in which the server has its own.
    pub(super) fn own_folder(&self, path: &Path) -> Result<(), DevError> {
        fs::create_dir_all(path).map_err(DevError::files("make the folder", path))
    }

    /// Makes a folder for the server.
    pub(super) fn server_folder(&self, path: &Path) -> Result<(), DevError> {
        self.own_folder(path)
    }

    /// Nothing to do: our folders are the server's.
    #[cfg(feature = "embedded")]
    pub(super) fn open_folder(&self, _path: &Path) -> Result<(), DevError> {
        Ok(())
    }

    /// Writes a file for the server to read.
    pub(super) fn publish(&self, path: &Path, text: &str) -> Result<(), DevError> {
        fs::write(path, text).map_err(DevError::files("write", path))
    }

    /// Returns the endpoint to listen at: a free port.
    pub(super) fn endpoint(&self, folder: &Path, _temps: &[PathBuf]) -> Result<Endpoint, DevError> {
        Endpoint::free_port().map_err(DevError::files("find a free port for", folder))
    }
}

/// Opens a lock file.
pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// Returns whether a server listens there.
pub(super) fn listens(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Socket(_) => false,
        Endpoint::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
    }
}
