//! Unix: users, the owners of folders, sockets.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::endpoint::{Endpoint, fits_socket, socket_in};
use super::error::DevError;

/// This process's user, and the user of the server: PostgreSQL refuses to run as root.
#[derive(Clone, Debug)]
pub(super) struct Account {
    uid: u32,
    /// The user and group of the server, if not ours.
    server: Option<(u32, u32)>,
}

impl Account {
    /// Ours.
    pub(super) fn current() -> Result<Self, DevError> {
        let uid = id(&["-u"])?.ok_or(DevError::NoAccount)?;
        let server = if uid == 0 { Some(server_account()?) } else { None };
        Ok(Self { uid, server })
    }

    /// Returns the part of a name by which the folders of this user differ from others in a shared folder.
    pub(super) fn label(&self) -> String {
        format!("-{}", self.uid)
    }

    /// Lets the program run as the server's user, without our other groups.
    pub(super) fn take_on(&self, command: &mut Command) {
        if let Some((uid, gid)) = self.server {
            command.uid(uid).gid(gid);
        }
    }

    /// Returns whether the server's user may enter this folder. Root's home, for example, is closed to it.
    pub(super) fn can_reach(&self, folder: &Path) -> bool {
        let open = |folder: &Path| fs::metadata(folder).is_ok_and(|it| it.mode() & 0o001 != 0);
        self.server.is_none() || folder.ancestors().filter(|folder| folder.exists()).all(open)
    }

    /// Makes a folder of ours in which the server has its own.
    pub(super) fn own_folder(&self, path: &Path) -> Result<(), DevError> {
        let mode = if self.server.is_some() { 0o711 } else { 0o700 };
        private_folder(path, mode, self.uid, None)
    }

    /// Makes a folder that only the server's user can enter.
    pub(super) fn server_folder(&self, path: &Path) -> Result<(), DevError> {
        private_folder(path, 0o700, self.uid, self.server)
    }

    /// Lets the server's user enter a folder of ours.
    #[cfg(feature = "embedded")]
    pub(super) fn open_folder(&self, path: &Path) -> Result<(), DevError> {
        let mode = if self.server.is_some() { 0o711 } else { 0o700 };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(DevError::files("open", path))
    }

    /// Writes a file in a folder of ours, for the server to read.
    pub(super) fn publish(&self, path: &Path, text: &str) -> Result<(), DevError> {
        fs::write(path, text).map_err(DevError::files("write", path))?;
        fs::set_permissions(path, Permissions::from_mode(0o644)).map_err(DevError::files("write", path))
    }

    /// Returns the endpoint to listen at: in `folder`, or in one of `temps` if the path would be too long.
    pub(super) fn endpoint(&self, folder: &Path, temps: &[PathBuf]) -> Result<Endpoint, DevError> {
        let name = format!("pgjobq{}-{:08x}", self.label(), hash(folder));
        let short = temps.iter().filter(|temp| self.can_reach(temp)).map(|temp| temp.join(&name));
        let candidates = std::iter::once(folder.to_owned()).chain(short);
        let sockets =
            candidates.into_iter().find(|folder| fits_socket(folder)).unwrap_or_else(|| folder.to_owned());
        self.server_folder(&sockets)?;
        Ok(Endpoint::Socket(sockets))
    }
}

/// Opens a lock file that no other user can lock.
pub(super) fn lock_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Returns whether a server listens there.
pub(super) fn listens(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Socket(folder) => UnixStream::connect(socket_in(folder)).is_ok(),
        Endpoint::Tcp(port) => TcpStream::connect(("127.0.0.1", *port)).is_ok(),
    }
}

/// Makes the folder, or checks that the existing one belongs to the right user: in a shared folder, another user may
/// have made it first.
fn private_folder(path: &Path, mode: u32, uid: u32, server: Option<(u32, u32)>) -> Result<(), DevError> {
    let failed = || DevError::files("make the folder", path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed())?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed())?;
            if let Some((uid, gid)) = server {
                chown(path, Some(uid), Some(gid)).map_err(failed())?;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed()(error)),
    }
    let found = fs::symlink_metadata(path).map_err(failed())?;
    let owner = server.map_or(uid, |(uid, _)| uid);
    if found.is_dir() && found.uid() == owner && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(failed()(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "it is not a folder that only we can write to; delete it or set XDG_CACHE_HOME",
    )))
}

fn server_account() -> Result<(u32, u32), DevError> {
    for user in ["postgres", "nobody"] {
        if let (Some(uid), Some(gid)) = (id(&["-u", user])?, id(&["-g", user])?) {
            return Ok((uid, gid));
        }
    }
    Err(DevError::NoAccount)
}

/// Asks `id`, for the standard library does not know users.
fn id(arguments: &[&str]) -> Result<Option<u32>, DevError> {
    let output = Command::new("id").args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| DevError::Run { program: "id".into(), error })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
}

/// A name for a path, FNV-1a.
fn hash(path: &Path) -> u32 {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
