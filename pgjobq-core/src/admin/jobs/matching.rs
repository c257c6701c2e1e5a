//! All jobs that match a filter.

use std::time::SystemTime;

use super::action::Action;
use super::change::Change;
use super::count::JobCount;
use super::error::ActionError;
use super::export::Export;
use super::list::{JobPage, JobPlace, Order};
use super::preview::JobsPreview;
use super::selection::{Concerned, Selection};
use crate::Priority;
use crate::client::Client;
use crate::filter::Filter;

/// All jobs that match a filter, live and ended: from [`Client::jobs`].
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ActionError> {
/// use pgjobq::filter::attribute;
///
/// let theirs = client.jobs(attribute("tenant").eq(42));
/// println!("{} jobs", theirs.count().await?);
/// for job in theirs.list(20).await?.jobs {
///     println!("{job}");
/// }
/// theirs.cancel().by("ada").because("the customer has left").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "count them, list them, or act on them"]
pub struct Jobs<'c> {
    client: &'c Client,
    filter: Filter,
}

impl Client {
    /// Returns all jobs that match a filter, to count or list them, or to act on all of them. Sends nothing yet.
    ///
    /// To mean every job, write [`filter::all()`](crate::filter::all), or the text `all`.
    pub fn jobs(&self, filter: Filter) -> Jobs<'_> {
        Jobs { client: self, filter }
    }
}

impl<'c> Jobs<'c> {
    /// Returns their number. It is exact if there are at most ten thousand jobs to look at in each shard: ten thousand live ones, and as
    /// many that ended, of each outcome if the filter has one. Otherwise it is estimated from about a hundred pages of each table, and
    /// a few jobs among millions may then be missed.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn count(&self) -> Result<JobCount, ActionError> {
        Ok(self.client.count_jobs(&self.selection()?).await?)
    }

    /// Returns their number, and ten of them.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn preview(&self) -> Result<JobsPreview, ActionError> {
        Ok(self.client.preview_jobs(None, &self.filter, &self.selection()?).await?)
    }

    /// Returns the next of them, at most `limit` (and at most 1000): the live ones first. The order is the one in which an action
    /// reaches them: by id, which is mostly the order of their enqueues, within each shard.
    ///
    /// A page reads at most ten thousand rows of a shard and list that has more. So it may have fewer jobs, or none, and still a [`next`](JobPage::next) place.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ActionError> {
    /// use pgjobq::filter::queue;
    ///
    /// let mut page = client.jobs(queue("mail")).list(100).await?;
    /// while let Some(place) = page.next {
    ///     page = client.jobs(queue("mail")).list_after(&place, 100).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn list(&self, limit: u32) -> Result<JobPage, ActionError> {
        Ok(self.client.list_jobs(&self.selection()?, Order::OldestFirst, None, limit).await?)
    }

    /// Returns the next of them after a place: [`JobPage::next`] of the page before.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn list_after(&self, place: &JobPlace, limit: u32) -> Result<JobPage, ActionError> {
        Ok(self.client.list_jobs(&self.selection()?, Order::OldestFirst, Some(place), limit).await?)
    }

    /// Returns the newest of them, as [`list`](Self::list) does: the live ones first, and within each shard the last id first. Jobs of one
    /// state that died, or were cancelled or expired, have the order of their ends, the latest first.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn newest(&self, limit: u32) -> Result<JobPage, ActionError> {
        Ok(self.client.list_jobs(&self.selection()?, Order::NewestFirst, None, limit).await?)
    }

    /// Returns the next of them after a place of a list with the newest first.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn newest_after(&self, place: &JobPlace, limit: u32) -> Result<JobPage, ActionError> {
        Ok(self.client.list_jobs(&self.selection()?, Order::NewestFirst, Some(place), limit).await?)
    }

    /// Exports those that have ended as lines of JSON, to a file or a warehouse: every end that is still kept.
    pub fn export(&self) -> Export<'c> {
        Export::new(self.client, self.filter.clone())
    }

    /// Cancels those that have not ended. Waiting jobs are certain never to run; running ones are asked to stop.
    pub fn cancel(&self) -> Action<'c> {
        self.act(Change::Cancel)
    }

    /// Puts the dead, cancelled and expired ones back in line, with all their retries. Steps of workflows are left: see
    /// [`retry_failed`](crate::WorkflowHandle::retry_failed).
    pub fn requeue(&self) -> Action<'c> {
        self.act(Change::Requeue)
    }

    /// Lets those that wait for their time run at once, also those that failed and wait for a retry. A job that waits for its
    /// parents loses its delay or time, and still waits for them.
    pub fn retry_now(&self) -> Action<'c> {
        self.act(Change::RetryNow)
    }

    /// Deletes those that have ended, for good, the completed ones among them. Cancel the live ones first.
    pub fn delete(&self) -> Action<'c> {
        self.act(Change::Delete)
    }

    /// Sets the priority of those that wait. A job in line goes to the end of its new line.
    pub fn set_priority(&self, priority: Priority) -> Action<'c> {
        self.act(Change::SetPriority(priority))
    }

    /// Moves those that wait to another queue, which must exist. A job in line goes to the end of its new line.
    pub fn move_to(&self, queue: impl Into<String>) -> Action<'c> {
        self.act(Change::MoveTo(queue.into()))
    }

    /// Sets the time before which those that wait do not start; one in the past lets them run at once.
    pub fn run_at(&self, time: SystemTime) -> Action<'c> {
        self.act(Change::RunAt(time))
    }

    fn act(&self, change: Change) -> Action<'c> {
        Action::new(self.client, self.filter.clone(), change)
    }

    fn selection(&self) -> Result<Selection, ActionError> {
        Ok(Selection::new(&self.filter, Concerned::All)?)
    }
}
