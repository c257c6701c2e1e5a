//! Runs one test: with a runtime, a database, and an end that depends on how the test ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;

use pgjobq_core::testing::{KitError, TestDatabase};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::{Builder, Runtime};

use super::queue::TestQueue;

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
    /// Its path.
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
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(body(queue.clone()))));
    let is_success = ended.as_ref().map_or(test.should_panic, Returned::is_success);
    runtime.block_on(async {
        queue.close().await;
        if is_success {
            drop(database); // Here, because the last one stops the server, for which it may need a runtime.
        } else {
            let url = database.keep(test.name).await;
            eprintln!("the database of the failed test {} is kept: psql '{url}'", test.name);
        }
    });
    ended.unwrap_or_else(|panic| resume_unwind(panic))
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
        let run = async move |options| {
            let pool = PgPoolOptions::new().max_connections(5).connect_lazy_with(options);
            let done = (set_up.run)(pool.clone()).await;
            pool.close().await; // A connection to a template would prevent the copies.
            done
        };
        (set_up.name, run)
    });
    TestDatabase::make(set_up).await
}
