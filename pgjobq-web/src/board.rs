//! The parts that all requests of one dashboard share.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::Client;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::Auth;
use crate::hosts::Hosts;
use crate::lists::Lists;
use crate::problem::Problem;
use crate::statistics::Statistics;
use crate::turns::{Turn, Turns};

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
    pub(crate) lists: Lists,
    screens: Turns,
    actions: Turns,
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
        let lists = Lists::new(client.clone(), interval);
        let screens = Turns::new(MOST_SCREENS, auth.knows_users());
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
            lists,
            screens,
            actions: Turns::new(MOST_ACTIONS, false),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        })
    }

    /// Waits until few enough other screens use the database, and no other one of this user.
    pub(crate) async fn turn(&self, user: &str) -> Result<Turn, Problem> {
        self.screens.next(user, self.statement_timeout).await
    }

    /// Waits until few enough other actions use the database.
    pub(crate) async fn turn_to_act(&self, user: &str) -> Result<Turn, Problem> {
        self.actions.next(user, self.statement_timeout).await
    }

    /// Returns whether it is known that no worker runs.
    pub(crate) async fn no_workers(&self) -> bool {
        self.statistics.current().await.is_ok_and(|seen| seen.answer.fleet.workers == 0)
    }

    /// Returns the place of one more stream of events, unless all are taken.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| Problem::Busy)
    }
}
