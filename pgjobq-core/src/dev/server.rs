//! A server of one's own: with chosen settings, to be restarted and crashed by tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cluster::{Cluster, Stop};
use super::endpoint::Endpoint;
use super::environment::Environment;
use super::error::DevError;
use super::folders::Folders;
use super::leftover;
use super::platform::Account;
use super::programs::Programs;
use super::settings::ServerOptions;

const STOP: Duration = Duration::from_secs(30);

/// A server of one's own in a temporary folder. Dropping it stops the server and deletes the folder.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
    endpoint: Endpoint,
    data: PathBuf,
    /// Distinguishes the servers of living processes from the leftovers of killed ones.
    _alive: File,
}

impl Server {
    /// Makes and starts one.
    ///
    /// # Errors
    ///
    /// The same as [`database`](super::database), but ignores `DATABASE_URL`.
    pub async fn start(options: ServerOptions) -> Result<Self, DevError> {
        Self::start_in(Environment::current(), options).await
    }

    pub(super) async fn start_in(environment: Environment, options: ServerOptions) -> Result<Self, DevError> {
        off_thread(move || {
            let server = Self::place(&environment, options)?;
            server.cluster.make()?;
            server.cluster.start(&server.endpoint)?;
            Ok(server)
        })
        .await
    }

    /// The address of one of its databases; `postgres` is always there.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        self.endpoint.url(database)
    }

    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Stops it in good order, disconnecting its clients, and starts it again at the same address.
    ///
    /// # Errors
    ///
    /// It does not stop within 30 s, or does not start.
    pub async fn restart(&self) -> Result<(), DevError> {
        let (cluster, endpoint) = (self.cluster.clone(), self.endpoint.clone());
        off_thread(move || {
            cluster.stop(Stop::Fast, STOP)?;
            cluster.start(&endpoint)
        })
        .await
    }

    /// Crashes the server: it loses what it has not written, and recovers at the next start.
    ///
    /// # Errors
    ///
    /// It does not end within 30 s.
    pub async fn stop_immediately(&self) -> Result<(), DevError> {
        let cluster = self.cluster.clone();
        off_thread(move || cluster.stop(Stop::Immediate, STOP)).await
    }

    /// Starts it again at the same address, after [`stop_immediately`](Self::stop_immediately).
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn start_again(&self) -> Result<(), DevError> {
        let (cluster, endpoint) = (self.cluster.clone(), self.endpoint.clone());
        off_thread(move || cluster.start(&endpoint)).await
    }

    fn place(environment: &Environment, options: ServerOptions) -> Result<Self, DevError> {
        let programs = Programs::find(environment)?;
        let account = Account::current()?;
        let temp = environment.temps.iter().find(|temp| account.can_reach(temp)).ok_or(DevError::NoFolder)?;
        leftover::sweep(temp, &programs, &account);
        let (root, alive) = leftover::claim_folder(temp, &account)?;
        let folders = Folders::make(root, &account)?;
        let endpoint = if options.tcp {
            Endpoint::free_port().map_err(DevError::files("find a free port for", &folders.root))?
        } else {
            account.endpoint(&folders.run(), &environment.temps)?
        };
        let data = folders.data();
        Ok(Self { cluster: Cluster { programs, account, folders, options }, endpoint, data, _alive: alive })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cluster.remove();
        self.endpoint.clear(); // Elsewhere if the path was too long.
    }
}

/// Runs work that waits for other programs on a thread where it does not block the runtime.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DevError> + Send + 'static,
) -> Result<T, DevError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_cancelled) => Err(DevError::Interrupted),
        },
    }
}
