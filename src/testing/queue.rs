//! The queue of one test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgjobq_core::testing::{TestDatabase, insert_schedules};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::MutexGuard;

use super::caller::reject_job;
use super::drain::Runner;
use super::ends::Ends;
use super::error::{DrainError, WithinJob};
use super::faults::Faults;
use super::network::Network;
use super::process::Settings;
use super::report::{Drained, Ran};
use crate::{Client, DatabaseError, State};

/// The largest number of connections of the test's pool.
const CONNECTIONS: u32 = 10;

/// The database of one test, with the jobs in it: the argument of a [`#[pgjobq::test]`](macro@crate::test).
///
/// Jobs run only when the test says so. See [the module](crate::testing) for an example.
#[derive(Clone, Debug)]
pub struct TestQueue {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    url: String,
    pool: PgPool,
    pub(super) client: Client,
    ends: Ends,
    faults: Faults,
    settings: Mutex<Settings>,
    /// Locked by who runs jobs.
    pub(super) runner: tokio::sync::Mutex<Runner>,
    /// True if a task has enqueued while another one ran jobs, which then looks again.
    pub(super) is_more_enqueued: AtomicBool,
}

impl TestQueue {
    /// Opens a database of the test kit, and records the job functions and schedules of this program in it.
    pub(super) async fn open(database: &TestDatabase) -> Result<Self, crate::MigrateError> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS);
        let pool = pool.connect_lazy_with(database.options().clone());
        let ends = Ends::default();
        let client = Client::builder(pool.clone()).observer(ends.observer());
        let client = client.build().expect("the default schema is a valid name");
        client.migrate().await?;
        insert_schedules(&client).await?;
        let (faults, runner) = (Faults::default(), tokio::sync::Mutex::default());
        let settings = Mutex::new(Settings::default());
        let inner = Inner {
            url: database.url(),
            pool,
            client,
            ends,
            faults,
            settings,
            runner,
            is_more_enqueued: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Ends what runs, and closes all connections.
    pub(super) async fn close(&self) {
        self.inner.runner.lock().await.end().await;
        self.inner.client.close().await;
        self.inner.pool.close().await;
    }

    /// The client: for the code under test, and for handles.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The pool: for tables of your own. It has at most ten connections.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// The address of the database, for other programs.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// Hands this value to job functions that take `State<T>`, in place of an earlier one of its type. Pass the value itself, and no
    /// `Arc` of it.
    ///
    /// Only a job that runs needs its states: [`drain`](Self::drain) fails if one is due that lacks some.
    ///
    /// ```no_run
    /// use std::sync::Mutex;
    ///
    /// use pgjobq::prelude::*;
    /// use pgjobq::testing::TestQueue;
    ///
    /// #[derive(Default)]
    /// struct Outbox(Mutex<Vec<String>>);
    ///
    /// #[job]
    /// async fn send_welcome(user: String, outbox: State<Outbox>) {
    ///     outbox.0.lock().unwrap().push(user);
    /// }
    ///
    /// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
    /// let outbox = pg.state(Outbox::default());
    /// send_welcome::enqueue(pg.client(), "ada".to_owned()).await?;
    /// pg.drain().await?;
    /// assert_eq!(*outbox.0.lock().unwrap(), ["ada"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn state<T: Send + Sync + 'static>(&self, value: T) -> State<T> {
        self.change(|settings| settings.put(value))
    }

    /// Lets this many jobs run at a time. By default it is one, so that jobs run in the order of their lines, and each run of the
    /// test is like the others. A job that waits for another one needs two.
    pub fn at_once(&self, jobs: usize) {
        self.change(|settings| settings.at_once = jobs.max(1));
    }

    /// Sets the time that one [`drain`](Self::drain) may take; a minute by default.
    pub fn time_limit(&self, limit: Duration) {
        self.change(|settings| settings.time_limit = limit);
    }

    /// Runs every job that is due, and those that they enqueue, until no job is due. Returns how each attempt ended.
    /// Steps that are cancelled because a parent failed end without an attempt, and are not listed.
    ///
    /// A job that fails is scheduled again after its backoff, so it is not due: [`advance`](Self::advance) first. Jobs that wait for
    /// a rate, a pause, or their parents stay, as they would with a worker.
    ///
    /// # Errors
    ///
    /// [`DrainError`]: a job is due that cannot run, or the time limit is over. That jobs fail is no error: see [`Drained`].
    pub async fn drain(&self) -> Result<Drained, DrainError> {
        self.run(None).await
    }

    /// Runs one job that is due: the next of all lines. Returns how its attempt ended, or `None` if no job is due. Jobs that end
    /// without an attempt, because they have expired or were cancelled, are not returned.
    ///
    /// # Errors
    ///
    /// Those of [`drain`](Self::drain).
    pub async fn run_one(&self) -> Result<Option<Ran>, DrainError> {
        Ok(self.run(Some(1)).await?.attempts().next_back().cloned())
    }

    async fn run(&self, most: Option<usize>) -> Result<Drained, DrainError> {
        reject_job()?;
        let runner = self.inner.runner.lock().await;
        self.run_with(runner, most).await
    }

    /// Runs jobs, and again if a task that could not wait has enqueued some meanwhile.
    pub(super) async fn run_with(
        &self,
        runner: MutexGuard<'_, Runner>,
        most: Option<usize>,
    ) -> Result<Drained, DrainError> {
        let Inner { client, ends, faults, is_more_enqueued, .. } = &*self.inner;
        let settings = self.change(|settings| settings.clone());
        let (mut ran, mut free) = (Ok(()), Some(runner));
        while let Some(mut runner) = free.take() {
            ran = runner.run(client, &settings, faults, most).await;
            drop(runner);
            if ran.is_ok() && most.is_none() && is_more_enqueued.swap(false, Ordering::SeqCst) {
                free = self.free_runner();
            }
        }
        client.delivered().await;
        let drained = ends.take(client).await?;
        match ran {
            Ok(()) => Ok(drained),
            Err(error) => Err(error.after(drained)),
        }
    }

    /// Faults on demand: crashes, and leases that are lost.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Opens another way to the database, over a network that can lose replies and notifications.
    ///
    /// # Errors
    ///
    /// It cannot be reached without TLS, or no port is free.
    pub async fn network(&self) -> Result<Network, DatabaseError> {
        Network::open(&self.inner.pool).await
    }

    /// Acts while no job runs.
    pub(super) async fn standing_still<T>(
        &self,
        act: impl AsyncFnOnce(&Client) -> T,
    ) -> Result<T, WithinJob> {
        reject_job()?;
        let _runner = self.inner.runner.lock().await;
        Ok(act(&self.inner.client).await)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut self.inner.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
