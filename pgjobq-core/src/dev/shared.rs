//! The server that the processes of a user share: started by the first, stopped by the last one out.
//!
//! Every user of the server holds `users.lock` shared. A process that starts or stops it holds `gate.lock`
//! exclusively, so that none enters while the last one checks whether it is the last. The operating system releases
//! the locks of a killed process. The server that it leaves behind serves the next one, which finally stops it.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, Stop};
use super::endpoint::Endpoint;
use super::environment::Environment;
use super::error::DevError;
use super::folders::Folders;
use super::platform::{Account, lock_file};
use super::programs::Programs;
use super::settings::ServerOptions;

/// The time limit of a start, even of one that follows a crash.
const ENTER: Duration = Duration::from_secs(90);
/// Together with [`STOP`], less than the ten seconds that leaving may take.
const LEAVE: Duration = Duration::from_secs(3);
const STOP: Duration = Duration::from_secs(6);

/// A share in the server, which lives while there is one.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) cluster: Cluster,
    pub(super) endpoint: Endpoint,
    pub(super) origin: Origin,
    users: File,
}

/// The origin of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was running.
    Found,
    /// Started on the data of an earlier one, or on new data.
    Started,
    /// Started on new data, because it could not be started on the old data.
    Renewed,
}

impl Share {
    /// Joins the running server, or starts it.
    pub(super) fn enter(environment: &Environment) -> Result<Self, DevError> {
        let programs = Programs::find(environment)?;
        let account = Account::current()?;
        let folders = Folders::shared(environment, &account, programs.major)?;
        let cluster = Cluster { programs, account, folders, options: ServerOptions::fast() };

        let _gate = pass_gate(&cluster, ENTER)?;
        let path = cluster.folders.root.join("users.lock");
        let users = lock_file(&path).map_err(DevError::files("open", &path))?;
        // No process outside the gate holds it exclusively, so this does not wait.
        users.lock_shared().map_err(DevError::files("lock", &path))?;
        let (endpoint, origin) = ensure_running(&cluster, environment)?;
        Ok(Self { cluster, endpoint, origin, users })
    }

    /// Stops the server if no other process uses it.
    fn leave(&self) -> Result<(), DevError> {
        let _gate = pass_gate(&self.cluster, LEAVE)?;
        let path = self.cluster.folders.root.join("users.lock");
        self.users.unlock().map_err(DevError::files("unlock", &path))?;
        match self.users.try_lock() {
            Ok(()) => self.cluster.stop(Stop::Fast, STOP).inspect(|()| self.endpoint.clear()),
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(DevError::files("lock", &path)(error)),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "the development server may be left running, for the next user");
        }
    }
}

fn ensure_running(cluster: &Cluster, environment: &Environment) -> Result<(Endpoint, Origin), DevError> {
    if let Some(endpoint) = cluster.running()? {
        return Ok((endpoint, Origin::Found));
    }
    let endpoint = cluster.account.endpoint(&cluster.folders.run(), &environment.temps)?;
    if !cluster.is_made() {
        cluster.make()?;
        cluster.start(&endpoint)?;
        return Ok((endpoint, Origin::Started));
    }
    // Twice, for the first may have been killed, as when memory runs out; the data are worth another 0.1 s.
    for _ in 0..2 {
        let Err(problem) = cluster.start(&endpoint) else { return Ok((endpoint, Origin::Started)) };
        // A process that was killed while it started the server may have succeeded.
        if let Some(endpoint) = cluster.running()? {
            return Ok((endpoint, Origin::Found));
        }
        tracing::warn!(%problem, "the development server did not start on its data");
    }
    cluster.make()?;
    cluster.start(&endpoint)?;
    Ok((endpoint, Origin::Renewed))
}

/// Waits until no other process starts or stops the server. The file is the right to do so.
fn pass_gate(cluster: &Cluster, limit: Duration) -> Result<File, DevError> {
    let path = cluster.folders.root.join("gate.lock");
    let gate = lock_file(&path).map_err(DevError::files("open", &path))?;
    let begun = Instant::now();
    loop {
        match gate.try_lock() {
            Ok(()) => return Ok(gate),
            Err(TryLockError::WouldBlock) if begun.elapsed() < limit => sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return Err(DevError::Busy { lock: path, limit }),
            Err(TryLockError::Error(error)) => return Err(DevError::files("lock", path)(error)),
        }
    }
}
