//! A look at the jobs that match a filter, before an action.

use std::fmt;

use super::count::JobCount;
use super::list::{ListedJob, Order};
use super::selection::Selection;
use crate::DatabaseError;
use crate::client::Client;
use crate::filter::Filter;

/// The number of jobs that a preview shows.
const SAMPLES: u32 = 10;

/// The number of jobs that match a filter, and some of them: from [`Jobs::preview`](crate::Jobs::preview) and
/// [`Action::preview`](crate::Action::preview). It prints the number and the samples, one on a line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JobsPreview {
    /// The action, as in [`ActionReport::action`](crate::ActionReport::action). `None` if it is of no action.
    pub action: Option<String>,
    /// The filter, as text.
    pub filter: String,
    /// The number of jobs that match, and that the action may concern.
    pub count: JobCount,
    /// The first of them, at most ten.
    pub samples: Vec<ListedJob>,
}

impl Client {
    pub(super) async fn preview_jobs(
        &self,
        action: Option<String>,
        filter: &Filter,
        selection: &Selection,
    ) -> Result<JobsPreview, DatabaseError> {
        let count = self.count_jobs(selection).await?;
        let samples = self.list_jobs(selection, Order::OldestFirst, None, SAMPLES).await?.jobs;
        Ok(JobsPreview { action, filter: filter.to_string(), count, samples })
    }
}

impl fmt::Display for JobsPreview {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(action) = &self.action {
            write!(out, "{action} of ")?;
        }
        write!(out, "{} jobs: {}", self.count, self.filter)?;
        self.samples.iter().try_for_each(|job| write!(out, "\n  {job}"))
    }
}
