//! The parts that all requests of one dashboard share.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::Client;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::auth::Auth;
use crate::hosts::Hosts;
use crate::problem::Problem;
use crate::statistics::Statistics;

/// The timeout of each statement, and of the wait for a turn.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The number of screens that use the database at once. So a dashboard that many look at leaves connections of the pool to the
/// application.
const MOST_SCREENS: usize = 4;
/// The number of actions that do. Slow screens do not keep them waiting.
const MOST_ACTIONS: usize = 2;
/// The number of streams of events that are open at once. Each is a connection of the application.
const MOST_STREAMS: usize = 256;

/// The parts that all requests of one dashboard share.
pub(crate) struct Board {
    pub(crate) client: Client,
    pub(crate) auth: Auth,
    pub(crate) title: String,
    pub(crate) read_only: bool,
    pub(crate) hosts: Hosts,
    /// Further origins of pages whose forms are accepted.
    pub(crate) origins: Vec<String>,
    pub(crate) interval: Duration,
    pub(crate) statement_timeout: Duration,
    pub(crate) statistics: Statistics,
    screens: Arc<Semaphore>,
    actions: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// What the builder sets.
pub(crate) struct Settings {
    pub(crate) title: String,
    pub(crate) read_only: bool,
    pub(crate) origins: Vec<String>,
    pub(crate) interval: Duration,
    pub(crate) statement_timeout: Duration,
}

impl Board {
    pub(crate) fn new(client: Client, auth: Auth, hosts: Hosts, settings: Settings) -> Arc<Self> {
        let Settings { title, read_only, origins, interval, statement_timeout } = settings;
        let statistics = Statistics::new(client.clone(), interval, read_only);
        Arc::new(Self {
            client,
            auth,
            title,
            read_only,
            hosts,
            origins,
            interval,
            statement_timeout,
            statistics,
            screens: Arc::new(Semaphore::new(MOST_SCREENS)),
            actions: Arc::new(Semaphore::new(MOST_ACTIONS)),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        })
    }

    /// Waits until few enough other screens use the database.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.turn_of(&self.screens).await
    }

    /// Waits until few enough other actions use the database.
    pub(crate) async fn turn_to_act(&self) -> Result<OwnedSemaphorePermit, Problem> {
        self.turn_of(&self.actions).await
    }

    async fn turn_of(&self, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(self.statement_timeout, Arc::clone(turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(Problem::Busy),
        }
    }

    /// Returns whether it is known that no worker runs.
    pub(crate) async fn no_workers(&self) -> bool {
        self.statistics.current().await.is_ok_and(|snapshot| snapshot.fleet.workers == 0)
    }

    /// Returns the place of one more stream of events, unless all are taken.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Problem::Busy)
    }
}
