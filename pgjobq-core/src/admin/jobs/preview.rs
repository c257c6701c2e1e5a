//! A look at the jobs that match a filter, before an action.

use std::fmt;
use std::time::{Duration, Instant};

use super::count::JobCount;
use super::list::{ListedJob, Order};
use super::selection::Selection;
use crate::DatabaseError;
use crate::client::Client;
use crate::filter::Filter;

/// The number of jobs that a preview shows.
const SAMPLES: u32 = 10;
/// The number of pages on which a preview looks for them.
const MOST_PAGES: usize = 10;
/// The time after which a preview looks at no further page.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

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
    /// The first of them, at most ten. There may be fewer than match, or none, if each of the first hundred thousand jobs was looked at
    /// in vain: then [`count`](Self::count) is not exact.
    pub samples: Vec<ListedJob>,
}

impl Client {
    pub(super) async fn preview_jobs(
        &self,
        action: Option<String>,
        filter: &Filter,
        selection: &Selection,
    ) -> Result<JobsPreview, DatabaseError> {
        let mut count = self.count_jobs(selection).await?;
        let samples = self.samples(selection).await?;
        if !count.exact {
            count.jobs = count.jobs.max(samples.len() as u64);
        }
        Ok(JobsPreview { action, filter: filter.to_string(), count, samples })
    }

    /// Returns the first jobs of a selection. A page may have none although others match, so this goes on with the next ones.
    async fn samples(&self, selection: &Selection) -> Result<Vec<ListedJob>, DatabaseError> {
        let until = Instant::now() + LONGEST_LOOK;
        let (mut samples, mut place) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let missing = SAMPLES - samples.len() as u32;
            let page = self.list_jobs(selection, Order::OldestFirst, place.as_ref(), missing).await?;
            samples.extend(page.jobs);
            place = page.next;
            if place.is_none() || samples.len() == SAMPLES as usize || Instant::now() > until {
                break;
            }
        }
        Ok(samples)
    }
}

impl fmt::Display for JobsPreview {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(action) = &self.action {
            write!(out, "{action} of ")?;
        }
        let noun = if self.count.jobs == 1 { "job" } else { "jobs" };
        write!(out, "{} {noun}: {}", self.count, self.filter)?;
        self.samples.iter().try_for_each(|job| write!(out, "\n  {job}"))
    }
}
