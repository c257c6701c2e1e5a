//! Ended jobs as lines of JSON.

use std::collections::VecDeque;

use sqlx::Row;

use super::error::ActionError;
use super::list::JobPlace;
use super::selection::{Concerned, Selection};
use crate::DatabaseError;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::filter::Filter;

/// The number of jobs that one statement returns. It also stops after about 8 MiB.
const PAGE: i32 = 1000;

/// The ended jobs that match a filter, as lines of JSON: from [`Jobs::export`](crate::Jobs::export).
///
/// Each line is an object with the same members: `id`, `kind`, `version`, `queue`, `state`, `priority`, `key`, `unique_key`,
/// `weight`, `attributes`, `args`, `output`, `attempts`, `failures`, `crashes`, `retries`, `max_crashes`, `created_at`,
/// `finished_at`, `errors`, `cancelled`, `edited`, `parent`, `workflow`, `step`, `schedule`, `tick` and `traceparent`. Times are in UTC,
/// such as `2026-01-31T12:00:00.000000Z`. Times within `errors`, `cancelled` and `edited` (`at`, for instance) have the offset of the
/// session that has written them, which is `+00:00` for pgjobq's own: `2026-01-31T12:00:00.25+00:00`. `created_at` is the time of the
/// enqueue, or of the last requeue. Arguments that the job redacts are `"[redacted]"`. An id that ended more than once has a line for
/// each end.
///
/// It reads page by page, at most 1000 lines or about 8 MiB at a time, and keeps nothing else in memory. The order is that of the ids,
/// within each shard, and of the ends of an id. A job that ends meanwhile is in the export if it comes after the place reached.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write;
/// use pgjobq::filter::queue;
///
/// let mut file = std::io::BufWriter::new(std::fs::File::create("jobs.jsonl")?);
/// let mut lines = client.jobs(queue("mail")).export();
/// while let Some(line) = lines.next().await? {
///     writeln!(file, "{line}")?;
/// }
/// file.flush()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "it reads nothing until `next()` is called"]
pub struct Export<'c> {
    client: &'c Client,
    filter: Filter,
    /// Lines that were read and not returned, each with the place after it.
    lines: VecDeque<(String, JobPlace)>,
    /// The place after these; `None` at the end.
    next: Option<JobPlace>,
    /// The place after the last line that was returned.
    reached: JobPlace,
}

impl<'c> Export<'c> {
    pub(super) fn new(client: &'c Client, filter: Filter) -> Self {
        let start = JobPlace::start();
        Self { client, filter, lines: VecDeque::new(), next: Some(start.clone()), reached: start }
    }

    /// Goes on after a place: [`place`](Self::place) of an earlier export with the same filter.
    pub fn after(mut self, place: &JobPlace) -> Self {
        self.lines.clear();
        (self.next, self.reached) = (Some(place.clone()), place.clone());
        self
    }

    /// Returns the place up to which lines were returned, to go on there with [`after`](Self::after). It can be stored as a text. An
    /// export that goes on after it loses no line and repeats none.
    #[must_use]
    pub fn place(&self) -> &JobPlace {
        &self.reached
    }

    /// Returns the next line, without a line break, or `None` at the end.
    ///
    /// It can be called again after an error, and goes on there. Cancelling it loses no line.
    ///
    /// # Errors
    ///
    /// [`ActionError::Filter`] and [`ActionError::Database`].
    pub async fn next(&mut self) -> Result<Option<String>, ActionError> {
        loop {
            if let Some((line, place)) = self.lines.pop_front() {
                self.reached = place;
                return Ok(Some(line));
            }
            let Some(from) = self.next.clone() else { return Ok(None) };
            self.reached = from.clone();
            self.read(&from).await?;
        }
    }

    /// Reads the lines after a place. They are taken at once, so that a cancelled call takes none.
    async fn read(&mut self, from: &JobPlace) -> Result<(), ActionError> {
        let selection = Selection::new(&self.filter, Concerned::Ended)?;
        if selection.is_nowhere() {
            self.next = None;
            return Ok(());
        }
        let shared = self.client.shared();
        let values: [&dyn Literal; 3] = [&&selection, &from.as_str(), &PAGE];
        let rows = shared.read(&shared.sql.export_jobs, &values).await?;
        let mut lines = VecDeque::new();
        let mut next = None;
        for row in &rows {
            let mut read = || -> Result<(), sqlx::Error> {
                match row.try_get::<Option<String>, _>("line")? {
                    Some(line) => lines.push_back((line, JobPlace::read(row.try_get("next")?))),
                    None => next = row.try_get::<Option<String>, _>("next")?.map(JobPlace::read),
                }
                Ok(())
            };
            read().map_err(DatabaseError::Refused)?;
        }
        (self.lines, self.next) = (lines, next);
        Ok(())
    }
}
