//! Lets time pass.

use std::time::Duration;

use pgjobq_core::testing::{advance, next_due};

use super::error::AdvanceError;
use super::queue::TestQueue;
use crate::DatabaseError;

/// The longest time that may pass at once: ten years.
const LONGEST: Duration = Duration::from_secs(3660 * 24 * 60 * 60);

impl TestQueue {
    /// Lets a time pass: all times in the tables of the queue move back by it, and no clock moves. So what was to happen within this
    /// time is due: scheduled jobs, retries, expiries, the ends of pauses, of unique keys and of the windows of rates.
    ///
    /// Jobs do not run meanwhile: the next [`drain`](Self::drain) runs all that are due then. Times in your own tables stay, and so do
    /// ended jobs, whose retention is a matter of days on the calendar. So do the ticks of schedules, which no drain fires: see
    /// [`fire_schedule`](Self::fire_schedule).
    ///
    /// # Errors
    ///
    /// [`AdvanceError`], if the time is zero or more than ten years. A negative [`Duration`] does not exist.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use pgjobq::testing::TestQueue;
    /// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
    /// pg.advance(Duration::from_hours(24)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn advance(&self, by: Duration) -> Result<(), AdvanceError> {
        if by.is_zero() {
            return Err(AdvanceError::Zero);
        }
        if by > LONGEST {
            return Err(AdvanceError::TooLong(by));
        }
        Ok(self.standing_still(async |client| advance(client, by).await).await??)
    }

    /// Lets the time pass until the next scheduled job or retry is due. Returns that time, which is zero if one is due already, or
    /// `None` if no job is scheduled.
    ///
    /// # Errors
    ///
    /// Those of [`advance`](Self::advance).
    ///
    /// ```no_run
    /// # use pgjobq::testing::TestQueue;
    /// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
    /// while pg.advance_to_next().await?.is_some() {
    ///     let drained = pg.drain().await?; // Each retry of a failing job, until it is dead.
    ///     println!("{drained}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn advance_to_next(&self) -> Result<Option<Duration>, AdvanceError> {
        let passed = self.standing_still(async |client| {
            let next = next_due(client).await?;
            if let Some(next) = next.filter(|next| !next.is_zero()) {
                advance(client, next).await?;
            }
            Ok::<_, DatabaseError>(next)
        });
        Ok(passed.await??)
    }
}
