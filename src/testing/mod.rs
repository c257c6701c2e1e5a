//! A test kit: each test has a database of its own, runs the jobs that are due when it says so, and lets hours pass in no time.
//!
//! ```
//! use std::time::Duration;
//!
//! use pgjobq::prelude::*;
//! use pgjobq::testing::{TestQueue, assert_enqueued};
//!
//! #[job]
//! async fn send_welcome(user: String) {
//!     println!("Welcome, {user}!");
//! }
//!
//! /// The code under test.
//! async fn sign_up(client: &Client, user: &str) -> std::result::Result<(), pgjobq::EnqueueError> {
//!     send_welcome::job(user.to_owned()).delay(Duration::from_hours(1)).enqueue(client).await.map(drop)
//! }
//!
//! #[pgjobq::test]
//! async fn signing_up_sends_a_welcome(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
//!     sign_up(pg.client(), "ada").await?;
//!     assert_enqueued!(pg, send_welcome, user == "ada", delay = Duration::from_hours(1));
//!     assert!(pg.drain().await?.is_empty());
//!     pg.advance(Duration::from_hours(1)).await?;
//!     assert_eq!(pg.drain().await?.completed(), 1);
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! The [guide](crate::guide::testing) shows more: states, retries, failures on demand.
//!
//! # The database
//!
//! It is on the server of `DATABASE_URL`, if that is set; else on the throwaway server of [`dev::database`](crate::dev::database). If
//! the former takes no connection, all tests of the program fail at once, except that one which is starting has two seconds.
//!
//! The database is a copy of a template, which takes some tens of milliseconds. A test that passes drops it. The database of a test that fails
//! stays until the same test fails again, and the test prints its address. Its throwaway server runs until the next program that uses
//! it ends. What killed tests leave is dropped by the next run.
//!
//! # What runs
//!
//! Jobs run only within [`drain`](TestQueue::drain) and [`run_one`](TestQueue::run_one), one after the other, in the order of their
//! queues' lines. They go through the statements that a worker sends in production, and so do their enqueue, their retries and their
//! limits. Nothing is replaced by memory.

mod advance;
mod caller;
mod close_miss;
mod drain;
mod ends;
mod enqueued;
mod error;
mod expected;
mod faults;
mod fire;
mod function;
mod inline;
mod network;
mod process;
mod queue;
mod report;
mod shape_file;
mod shapes;
mod test_run;
mod wanted;
mod wire;

pub use error::{AdvanceError, DrainError, Stuck, WithinJob};
pub use faults::Faults;
pub use fire::FireError;
pub use network::Network;
pub use queue::TestQueue;
pub use report::{Drained, End, Ran};
pub use shapes::{ShapesError, check_shapes};

pub use crate::{assert_enqueued, assert_not_enqueued, enqueued};

/// Asserts that a job with these arguments is enqueued: waiting, scheduled, blocked, or running.
///
/// The first argument is the test's [`TestQueue`], the second a job function. Conditions on its arguments follow, and options.
///
/// | part | the job |
/// |---|---|
/// | `user == "ada"`, and `!=`, `<`, `<=`, `>`, `>=` | has an argument that compares so |
/// | `plan: Plan::Pro { .. }` | has an argument that matches the pattern |
/// | `attribute("tenant") == 42` | has the attribute with this value |
/// | `key = "tenant:42"`, `queue = "mail"`, `priority = Priority::High` | has this key, queue, or priority |
/// | `delay = Duration::from_hours(1)` | was enqueued this long before it comes due, to the second |
/// | `run_at = time` | comes due at this [`SystemTime`](std::time::SystemTime), to the second |
/// | `count = 2`, `at_least = 2` | is one of exactly, or at least, this many; without it: at least one |
///
/// The compiler checks names and types of arguments. The macro awaits, so it stands in an async function. A value that is compared is
/// evaluated once, and may await.
///
/// Jobs are read as a worker reads them: arguments of an older version are lifted first, and a job under an alias counts.
///
/// # Panics
///
/// If it is wrong. The message lists the jobs that are enqueued, those first that come closest, and what each lacks.
///
/// Conditions on arguments need all arguments of a job. A step that waits for outputs of other steps does not have them, and those of
/// other code may not decode: such a job fulfils no condition, and with `count` the macro panics if it may be meant. Without conditions
/// both are jobs like others.
///
/// # Examples
///
/// ```no_run
/// use pgjobq::prelude::*;
/// use pgjobq::testing::{TestQueue, assert_enqueued};
///
/// #[job]
/// async fn send_welcome(user: String, language: Option<String>) {}
///
/// # async fn example(pg: TestQueue) {
/// assert_enqueued!(pg, send_welcome);
/// assert_enqueued!(pg, send_welcome, user == "ada", language: Some(_), count = 1);
/// # }
/// ```
#[macro_export]
macro_rules! assert_enqueued {
    ($($tokens:tt)*) => {
        $crate::testing::__private::assert_enqueued!([$crate] $($tokens)*)
    };
}

/// Asserts that no job with these arguments is enqueued. It is written like [`assert_enqueued!`](crate::assert_enqueued), without a
/// number.
///
/// # Panics
///
/// If there is such a job. With conditions on arguments also if there is one that may be such a job, because this program cannot decode
/// its arguments, or some are outputs of steps that have not ended. The message lists the jobs that are enqueued.
///
/// # Examples
///
/// ```no_run
/// use pgjobq::prelude::*;
/// use pgjobq::testing::{TestQueue, assert_not_enqueued};
///
/// #[job]
/// async fn send_welcome(user: String) {}
///
/// # async fn example(pg: TestQueue) {
/// assert_not_enqueued!(pg, send_welcome, user == "ada");
/// # }
/// ```
#[macro_export]
macro_rules! assert_not_enqueued {
    ($($tokens:tt)*) => {
        $crate::testing::__private::assert_not_enqueued!([$crate] $($tokens)*)
    };
}

/// Returns the arguments of the jobs of a job function that are enqueued, in the order of their enqueue: a `Vec` of a struct whose
/// fields have the names and types of the arguments. For what [`assert_enqueued!`](crate::assert_enqueued) cannot say, such as how two jobs
/// differ. It awaits.
///
/// # Panics
///
/// If this program cannot decode the arguments of such a job, or some are outputs of steps that have not ended.
///
/// # Examples
///
/// ```no_run
/// use pgjobq::prelude::*;
/// use pgjobq::testing::{TestQueue, enqueued};
///
/// #[job]
/// async fn send_welcome(user: String) {}
///
/// # async fn example(pg: TestQueue) {
/// let users: Vec<String> = enqueued!(pg, send_welcome).into_iter().map(|job| job.user).collect();
/// assert!(users.is_sorted(), "{users:?}");
/// # }
/// ```
#[macro_export]
macro_rules! enqueued {
    ($queue:expr, $job:ty $(,)?) => {
        $crate::testing::__private::enqueued(&$queue, <$job>::KIND, <$job>::__args).await
    };
}

#[doc(hidden)] // Not public API: the output of the macros names it.
pub mod __private {
    pub use pgjobq_macros::{assert_enqueued, assert_not_enqueued};

    pub use super::enqueued::enqueued;
    pub use super::expected::Expected;
    pub use super::test_run::{SetUp, Test, run};
}
