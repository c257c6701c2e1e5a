//! An action on all jobs that match a filter, before it is started.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::SystemTime;

use sqlx::Row;

use super::change::Change;
use super::error::ActionError;
use super::preview::JobsPreview;
use super::report::{ActionId, ActionReport};
use super::selection::Selection;
use super::started::StartedAction;
use crate::DatabaseError;
use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;
use crate::db::time::micros;
use crate::filter::Filter;
use crate::job::policy::LONGEST_DELAY;
use crate::job::rate::Rate;

/// An action on all jobs that match a filter, from [`Jobs`](crate::Jobs): add a rate, who asks and why, and await it. Nothing is
/// sent before.
///
/// It works in batches of at most 500 jobs, each a short transaction, and takes as much time off as it held its queues, so that
/// workers beside it go on. Only jobs count that had been created, and those that have ended must have ended, when it started.
/// Each action is recorded in the table `pgjobq.actions`, and kept there for 90 days.
///
/// Awaited, it returns when the last job has been reached. If the program dies meanwhile, or drops the future (a timeout, a
/// `select!`), the running workers go on with it; [`StartedAction::stop`] stops it. [`start`](Self::start) leaves it to the workers
/// at once.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ActionError> {
/// use pgjobq::JobState;
/// use pgjobq::filter::{kind, state};
///
/// let failed = client.jobs(kind("send_receipt").and(state(JobState::Dead)));
/// let replay = failed.requeue().rate("500 per minute").by("ada").because("the mail server is back");
/// println!("{}", replay.preview().await?); // How many, and ten of them.
/// println!("{}", replay.await?); // action 12 (requeue) is done: 8211 of 8214 jobs changed; left as they were: 3 steps of workflows
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "await it, start it, or preview it"]
pub struct Action<'c> {
    client: &'c Client,
    filter: Filter,
    change: Change,
    rate: Option<String>,
    asked: Asked,
}

impl<'c> Action<'c> {
    pub(super) fn new(client: &'c Client, filter: Filter, change: Change) -> Self {
        Self { client, filter, change, rate: None, asked: Asked::default() }
    }

    /// Limits the jobs that it changes in a time: `"500 per minute"`, or per second, hour or day. So jobs that are put back after an
    /// outage do not cause the next one.
    pub fn rate(mut self, rate: impl Into<String>) -> Self {
        self.rate = Some(rate.into());
        self
    }

    /// Sets who asks. Of a long text the first 1000 characters are kept.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    /// Sets the reason. Of a long text the first 1000 characters are kept.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    /// Returns how many jobs it concerns, and ten of them. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`ActionError`]: the same that starting it would return.
    pub async fn preview(&self) -> Result<JobsPreview, ActionError> {
        let (selection, _) = self.checked().await?;
        Ok(self.client.preview_jobs(Some(self.change.to_string()), &self.filter, &selection).await?)
    }

    /// Starts it, and returns at once. The running workers do it. If none runs, it stands still until one does, or until a client
    /// waits for it.
    ///
    /// # Errors
    ///
    /// [`ActionError`], before anything is stored, if the filter, the rate, the queue or the time is wrong.
    pub async fn start(self) -> Result<StartedAction<'c>, ActionError> {
        let client = self.client;
        let started = self.record().await?;
        client.notifications().cancel(); // Workers look for actions as well.
        Ok(started)
    }

    /// Checks everything, and returns the selection and the queue to which the jobs are moved.
    async fn checked(&self) -> Result<(Selection, Option<QueueId>), ActionError> {
        let selection = Selection::new(&self.filter, self.change.concerns())?;
        if selection.is_nowhere() {
            return Err(self.change.wrong_state());
        }
        self.pace()?;
        let queue = match &self.change {
            Change::MoveTo(queue) => {
                let unknown = || ActionError::UnknownQueue { queue: queue.clone() };
                Some(self.client.queue_id(queue).await?.ok_or_else(unknown)?)
            }
            Change::RunAt(at) if *at > SystemTime::now() + LONGEST_DELAY => return Err(ActionError::TooLate),
            _ => None,
        };
        Ok((selection, queue))
    }

    /// Returns the time of each job, in microseconds.
    fn pace(&self) -> Result<Option<i64>, ActionError> {
        let rate = self.rate.as_deref().map(str::parse::<Rate>).transpose()?;
        Ok(rate.map(|rate| rate.window().as_micros() as i64 / i64::from(rate.count())))
    }

    async fn record(mut self) -> Result<StartedAction<'c>, ActionError> {
        let (selection, queue) = self.checked().await?;
        let pace = self.pace()?;
        let id = match self.write(&selection, queue, pace).await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => {
                self.write(&selection, queue, pace).await?
            }
            written => written?,
        };
        Ok(self.client.action(ActionId(id)))
    }

    async fn write(
        &self,
        selection: &Selection,
        queue: Option<QueueId>,
        pace: Option<i64>,
    ) -> Result<i64, DatabaseError> {
        let (priority, run_at) = match &self.change {
            Change::SetPriority(priority) => (Some(*priority as i16), None),
            Change::RunAt(at) => (None, Some(micros(*at))),
            _ => (None, None),
        };
        let filter = self.filter.to_string();
        let (filter, name) = (filter.as_str(), self.change.name());
        let (rate, by, reason) = (self.rate.as_deref(), self.asked.by(), self.asked.reason());
        let values: [&dyn Literal; 10] =
            [&name, &filter, &selection, &rate, &pace, &by, &reason, &queue, &priority, &run_at];
        let shared = self.client.shared();
        let row = shared.write(&shared.sql.start_action, &values).await?;
        row.try_get("id").map_err(DatabaseError::Refused)
    }
}

impl<'c> IntoFuture for Action<'c> {
    type Output = Result<ActionReport, ActionError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.record().await?.wait().await })
    }
}
