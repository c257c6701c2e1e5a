//! The folders of private servers, and what killed processes leave of them.
//!
//! A living process holds the lock in the folder of its server. A killed process cannot clean up, so the next process
//! that starts a server does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use super::error::DevError;
use super::folders::Folders;
use super::platform::{Account, lock_file};
use super::programs::Programs;
use super::settings::ServerOptions;

const LOCK: &str = "alive.lock";

/// Makes a folder for a server, and the lock to hold as long as it lives.
pub(super) fn claim_folder(temp: &Path, account: &Account) -> Result<(PathBuf, File), DevError> {
    let number = fastrand::u32(..);
    let hidden = temp.join(format!("pgjobq-new{}-{number:08x}", account.label()));
    account.own_folder(&hidden)?;
    let path = hidden.join(LOCK);
    let lock = lock_file(&path).map_err(DevError::files("open", &path))?;
    lock.lock().map_err(DevError::files("lock", &path))?;
    // No other process sees it under this name before it is locked.
    let folder = temp.join(format!("{}{number:08x}", prefix(account)));
    fs::rename(&hidden, &folder).map_err(DevError::files("rename", &hidden))?;
    Ok((folder, lock))
}

/// Stops and deletes what killed processes of this user left in `temp`.
pub(super) fn sweep(temp: &Path, programs: &Programs, account: &Account) {
    for entry in temp.read_dir().into_iter().flatten().flatten() {
        let root = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(&prefix(account));
        // Another user may have put a trap here under that name.
        if !named || !root.join(LOCK).exists() || account.own_folder(&root).is_err() {
            continue;
        }
        let Ok(lock) = lock_file(&root.join(LOCK)) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        let (programs, account) = (programs.clone(), account.clone());
        let left = Cluster { programs, account, folders: Folders { root }, options: ServerOptions::fast() };
        left.remove();
    }
}

fn prefix(account: &Account) -> String {
    format!("pgjobq-server{}-", account.label())
}
