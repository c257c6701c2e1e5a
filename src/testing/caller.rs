//! Who calls the kit: the test itself, a job function, or a task that one of them has spawned.

use pgjobq_core::testing::current_job;

use super::error::WithinJob;

tokio::task_local! {
    static TEST: ();
}

/// Runs the body of a test, as the test.
pub(super) async fn as_test<F: Future>(body: F) -> F::Output {
    TEST.scope((), body).await
}

/// Returns whether the task of the test calls. A task that it spawned is not told apart from one that a job function spawned.
pub(super) fn is_test() -> bool {
    TEST.try_with(|()| ()).is_ok()
}

/// Rejects a call from a job function: it would wait for itself.
pub(super) fn reject_job() -> Result<(), WithinJob> {
    match current_job() {
        Some(_) => Err(WithinJob),
        None => Ok(()),
    }
}
