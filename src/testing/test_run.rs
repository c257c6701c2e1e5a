//! Runs one test: with a runtime, a database, and an end that depends on how the test ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::time::Duration;

use pgjobq_core::testing::{KitError, TestDatabase};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::caller::as_test;
use super::queue::TestQueue;

/// The time that a test has to end, after its function.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A test, as the attribute describes it.
#[derive(Debug)]
pub struct Test {
    /// Its path.
    pub name: &'static str,
    /// The number of threads of its runtime; 0 for that of the test alone.
    pub worker_threads: usize,
    /// True if it succeeds by a panic.
    pub should_panic: bool,
    /// Prepares the database.
    pub set_up: Option<SetUp>,
}

/// The function that prepares the databases of all tests that name it.
#[derive(Clone, Copy, Debug)]
pub struct SetUp {
    /// Its path: that of the function itself, however the tests write it.
    pub name: &'static str,
    /// The function.
    pub run: fn(PgPool) -> Prepared,
}

/// The end of a preparation. Its error is a text.
pub(crate) type Prepared = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// What a test may return.
pub trait Returned {
    /// Returns whether the test has succeeded.
    fn is_success(&self) -> bool;
}

impl Returned for () {
    fn is_success(&self) -> bool {
        true
    }
}

impl<E> Returned for Result<(), E> {
    fn is_success(&self) -> bool {
        self.is_ok()
    }
}

/// Runs a test, and passes on what it returns.
///
/// # Panics
///
/// As the test does, and if its database cannot be made.
pub fn run<R: Returned, F: Future<Output = R>>(test: Test, body: impl FnOnce(TestQueue) -> F) -> R {
    let runtime = runtime(test.worker_threads);
    let database = runtime.block_on(open(test.set_up)).unwrap_or_else(|error| panic!("{error}"));
    let queue = runtime.block_on(TestQueue::open(&database));
    let queue = queue.unwrap_or_else(|error| panic!("the jobs of the test cannot be recorded: {error}"));
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(as_test(body(queue.clone())))));
    let is_success = ended.as_ref().map_or(test.should_panic, Returned::is_success);
    runtime.block_on(end(&test, queue, database, is_success));
    runtime.shutdown_timeout(END_TIMEOUT);
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Closes what the test has used. Its tasks end later, with the runtime, so that it waits only for a time.
async fn end(test: &Test, queue: TestQueue, database: TestDatabase, is_success: bool) {
    let name = test.name;
    if timeout(END_TIMEOUT, queue.close()).await.is_err() {
        eprintln!(
            "the test {name} has ended, and {END_TIMEOUT:?} later something still uses its database: a task that it has spawned, \
             or a connection that it has leaked"
        );
    }
    if is_success {
        drop(database); // Here, because the last one stops the server, for which it may need a runtime.
        return;
    }
    let kept = database.keep(name).await;
    let until = match kept.is_on_throwaway_server {
        true => " (while its server runs: until the next program that uses it ends)",
        false => "",
    };
    eprintln!("the database of the failed test {name} is kept: psql '{}'{until}", kept.url);
}

fn runtime(worker_threads: usize) -> Runtime {
    let mut builder = match worker_threads {
        0 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build().expect("the operating system has threads and files for a test")
}

async fn open(set_up: Option<SetUp>) -> Result<TestDatabase, KitError> {
    let set_up = set_up.map(|set_up| {
        let run = move |options| async move {
            let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(options);
            let done = (set_up.run)(pool.clone()).await;
            // A connection to a template would prevent the copies.
            let closed = timeout(END_TIMEOUT, pool.close()).await;
            done.and(closed.map_err(|_| {
                format!("it has returned, and {END_TIMEOUT:?} later a connection of its pool is still in use")
            }))
        };
        (set_up.name, run)
    });
    TestDatabase::make(set_up).await
}
