//! Fires schedules.

use std::time::SystemTime;

use pgjobq_worker::stepping::Firing;

use super::caller::reject_job;
use super::error::DrainError;
use super::queue::TestQueue;

/// The error of firing a schedule: from [`TestQueue::fire_schedule`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum FireError {
    /// There is no such schedule.
    #[error(
        "there is no schedule `{0}`: `client.schedules().list()` has the names of all; one in the code has that of its kind"
    )]
    Unknown(String),
    /// It never fires.
    #[error(
        "no tick of the schedule `{0}` will come: it is paused, was removed from the code, or is past its end"
    )]
    NeverFires(String),
    /// The worker that fires it could not be set up, or the database has failed.
    #[error(transparent)]
    Worker(#[from] DrainError),
}

pgjobq_core::debug_as_message!(FireError);

impl TestQueue {
    /// Fires the next tick of a schedule, as if its time had come, and returns that time. Schedules follow the calendar, and
    /// [`advance`](Self::advance) does not move it; so a test fires their ticks one by one, each with one call.
    ///
    /// The tick is fired as by a worker: with its `overlap`, and the time of the tick for
    /// [`ctx.tick()`](crate::JobContext::tick). Its job runs with the next [`drain`](Self::drain): a `jitter` has passed as well. If the
    /// tick has no job, as with `overlap = "skip"`, `client.schedules().get(name)` says why.
    ///
    /// # Errors
    ///
    /// [`FireError`]: there is no such schedule, or no tick of it will come.
    ///
    /// ```no_run
    /// use pgjobq::prelude::*;
    /// use pgjobq::testing::TestQueue;
    ///
    /// #[job(schedule = "0 2 * * *")]
    /// async fn nightly_report() {}
    ///
    /// # async fn example(pg: TestQueue) -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// pg.fire_schedule("nightly_report").await?;
    /// assert_eq!(pg.drain().await?.of(nightly_report::KIND).completed(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn fire_schedule(&self, name: &str) -> Result<SystemTime, FireError> {
        reject_job().map_err(DrainError::from)?;
        let settings = self.change(|settings| settings.clone());
        let mut runner = self.inner.runner.lock().await;
        match runner.fire(&self.inner.client, &settings, name).await? {
            Firing::Tick(time) => Ok(time),
            Firing::Unknown => Err(FireError::Unknown(name.to_owned())),
            Firing::Never => Err(FireError::NeverFires(name.to_owned())),
        }
    }
}
