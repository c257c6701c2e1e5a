//! Enqueuing many jobs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use tracing::Instrument as _;

use crate::client::Client;
use crate::enqueue::insert::{MAX_BYTES, MAX_ROWS};
use crate::enqueue::new::New;
use crate::enqueue::new_row::NewRow;
use crate::enqueue::one::checked;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::row::{Row, without};
use crate::trace::producer::Batch;
use crate::{EnqueueError, NewJob, Target};

/// A job of any kind that has not been enqueued: from [`NewJob::any`]. It lets jobs of several kinds fit into one
/// [`enqueue_all`].
#[derive(Debug)]
#[must_use = "a job does nothing until it is enqueued"]
pub struct AnyJob(NewRow);

impl<T> NewJob<T> {
    /// Returns the same job without the type of its result, so that jobs of several kinds fit into one list for
    /// [`enqueue_all`].
    pub fn any(self) -> AnyJob {
        self.into()
    }
}

impl<T> From<NewJob<T>> for AnyJob {
    fn from(job: NewJob<T>) -> Self {
        Self(job.row)
    }
}

/// The result of enqueuing many jobs: from [`enqueue_all`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enqueued {
    /// The number of new jobs.
    pub new: u64,
    /// The number of jobs that were live already, or whose unique key another job has.
    pub duplicates: u64,
    /// The number of jobs that were [dropped](crate::EnqueueOutcome::Dropped), because their queue or their limit is full: see
    /// [`WhenFull::DropNew`](crate::WhenFull::DropNew) and [`OnConflict::Drop`](crate::OnConflict::Drop).
    pub dropped: u64,
}

/// The error of enqueuing many jobs: from [`enqueue_all`].
#[derive(thiserror::Error)]
#[error("{}, and then {} could not be: {error}", were_enqueued(enqueued.new), Rejected(self))]
#[non_exhaustive]
pub struct EnqueueAllError {
    /// The result for the jobs that were enqueued. Through a client they stay so; in a caller's transaction they vanish if
    /// it is rolled back.
    pub enqueued: Enqueued,
    /// The positions of the jobs that were rejected, counted from 0, in their order: one job, or those of a statement that are not
    /// known to be enqueued.
    pub positions: Vec<u64>,
    /// The position of the first job that was not sent; no later one was. To resume, send the jobs at `positions` and those
    /// from here on.
    pub unsent_from: u64,
    /// The kind of those jobs, if they are of one kind.
    pub kind: Option<&'static str>,
    /// The error of those jobs.
    pub error: EnqueueError,
}

crate::debug_as_message!(EnqueueAllError);

fn were_enqueued(jobs: u64) -> String {
    match jobs {
        1 => "1 job was enqueued".to_owned(),
        jobs => format!("{jobs} jobs were enqueued"),
    }
}

/// The jobs that were rejected, as text.
struct Rejected<'e>(&'e EnqueueAllError);

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnqueueAllError { positions, kind, .. } = self.0;
        let (first, last) = (positions.first().map_or(0, |n| n + 1), positions.last().map_or(0, |n| n + 1));
        match positions.len() as u64 {
            1 => write!(out, "job {first}")?,
            count if count == last + 1 - first => write!(out, "jobs {first} to {last}")?,
            count => write!(out, "{count} of the jobs {first} to {last}")?,
        }
        kind.map_or(Ok(()), |kind| write!(out, " (`{kind}`)"))
    }
}

/// Enqueues many jobs, of one kind or of many, in statements of at most a thousand. The iterator is read as the
/// statements are sent, so that millions of jobs need little memory.
///
/// Jobs of several kinds are of several types, which no array or `Vec` holds (error E0308, "mismatched types"): write
/// [`.any()`](NewJob::any) behind each.
///
/// In a transaction (`&mut *tx`) all of them commit or vanish together. Through a client or a pool each statement commits
/// by itself, and one that meets the server's `statement_timeout` is sent again in halves.
///
/// A client sends a statement again whose answer was lost. Its jobs that are live or have ended then count as new, although some of
/// them may have been duplicates, or may have been dropped.
///
/// If a [bounded](crate::SaveQueue::bounded) queue is full, the call through a client enqueues as many jobs as there is room for, and
/// waits for more. It fails with [`EnqueueError::QueueFull`] if no room has come for the client's
/// [`enqueue_timeout`](crate::ClientBuilder::enqueue_timeout); in a transaction it does so at once.
///
/// # Errors
///
/// The first error of a job, a queue or the connection, and the number of jobs that were enqueued before it.
///
/// # Examples
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod receipt { pub fn job(_: i64) -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # mod label { pub fn job(_: i64) -> pgjobq_core::NewJob<String> { unimplemented!() } }
/// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::enqueue_all;
///
/// let enqueued = enqueue_all(&pool, (1..=10_000).map(receipt::job)).await?;
/// assert_eq!(enqueued.new, 10_000);
///
/// enqueue_all(&pool, [receipt::job(7).any(), label::job(7).any()]).await?; // Jobs of several kinds.
/// # Ok(())
/// # }
/// ```
// Not an `async fn`: the compiler could not prove in a caller's task that its future is `Send` if the iterator has a
// closure over references.
pub fn enqueue_all<I>(
    to: impl Target,
    jobs: I,
) -> impl Future<Output = Result<Enqueued, EnqueueAllError>> + Send
where
    I: IntoIterator<Item: Into<AnyJob>, IntoIter: Send>,
{
    insert_all(to, jobs.into_iter().map(|job| job.into().0), |_| {})
}

impl Client {
    /// Enqueues many jobs: see [`enqueue_all`], of which this is the short form.
    ///
    /// # Errors
    ///
    /// The first error, and the number of jobs that were enqueued before it.
    pub fn enqueue_all<I>(&self, jobs: I) -> impl Future<Output = Result<Enqueued, EnqueueAllError>> + Send
    where
        I: IntoIterator<Item: Into<AnyJob>, IntoIter: Send>,
    {
        enqueue_all(self, jobs)
    }
}

/// Inserts jobs, and calls `done` with each one that is enqueued, or a duplicate, or dropped; in their order.
pub(super) async fn insert_all(
    to: impl Target,
    rows: impl Iterator<Item = NewRow>,
    done: impl FnMut(&Row),
) -> Result<Enqueued, EnqueueAllError> {
    let mut batch = Batch::default();
    let inserted = insert_batch(to, rows, done, &mut batch).await;
    batch.end(inserted.as_ref().err().map(|error| &error.error));
    inserted
}

async fn insert_batch(
    mut to: impl Target,
    mut rows: impl Iterator<Item = NewRow>,
    mut done: impl FnMut(&Row),
    batch: &mut Batch,
) -> Result<Enqueued, EnqueueAllError> {
    let mut enqueued = Enqueued::default();
    let mut sent: u64 = 0;
    let (mut chunk, mut bytes, mut most) = (Vec::new(), 0, MAX_ROWS);
    loop {
        let (next, mut rejected) = (rows.next(), None);
        let last = next.is_none();
        if let Some(mut job) = next {
            let kind = job.kind;
            batch.add(&job.queue, &mut job.meta);
            match checked(job, &to) {
                Ok(row) => {
                    bytes += row.bytes();
                    chunk.push(row);
                }
                Err(error) => rejected = Some((kind, error)),
            }
        }
        let full = chunk.len() >= most || bytes >= MAX_BYTES;
        if full || ((last || rejected.is_some()) && !chunk.is_empty()) {
            let chunk = std::mem::take(&mut chunk);
            let inserting = insert_in_parts(&mut to, &chunk, sent, &mut most, &mut enqueued, &mut done);
            inserting.instrument(batch.span()).await?;
            sent += chunk.len() as u64;
            bytes = 0;
        }
        if let Some((kind, error)) = rejected {
            let (positions, unsent_from) = (vec![sent], sent + 1);
            return Err(EnqueueAllError { enqueued, positions, unsent_from, kind: Some(kind), error });
        }
        if last {
            return Ok(enqueued);
        }
    }
}

/// Inserts jobs, after a statement timeout in halves, if each statement commits by itself. `first` is the position of the
/// first one. Sets `most` to the number of jobs that a statement has from then on.
async fn insert_in_parts(
    to: &mut impl Target,
    rows: &[Arc<Row>],
    first: u64,
    most: &mut usize,
    enqueued: &mut Enqueued,
    done: &mut impl FnMut(&Row),
) -> Result<(), EnqueueAllError> {
    let mut parts = vec![rows.to_vec()];
    let mut add = |enqueued: &mut Enqueued, rows: &[Arc<Row>]| {
        enqueued.add(rows);
        rows.iter().for_each(|row| done(row));
    };
    while let Some(part) = parts.pop() {
        let mut left = part.clone();
        let Err(error) = to.insert(New::Jobs(&mut left)).await else {
            add(enqueued, &part);
            continue;
        };
        add(enqueued, &without(&part, &left));
        match error {
            EnqueueError::Database(error)
                if error.is_statement_timeout() && left.len() > 1 && to.commits_each() =>
            {
                *most = left.len().div_ceil(2);
                let rest = left.split_off(*most);
                parts.extend([rest, left]);
            }
            error => {
                let (positions, kind) = (positions_of(&left, rows, first), kind_of_all(&left));
                let unsent_from = positions_of(&part, rows, first).last().map_or(first, |last| last + 1);
                let enqueued = *enqueued;
                return Err(EnqueueAllError { enqueued, positions, unsent_from, kind, error });
            }
        }
    }
    Ok(())
}

impl Enqueued {
    /// Adds the outcomes of jobs of one statement. Of two with the same id the second is a duplicate.
    fn add(&mut self, rows: &[Arc<Row>]) {
        let mut ids = HashSet::with_capacity(rows.len());
        for row in rows {
            if !ids.insert(row.id) {
                row.outcome.set(EnqueueOutcome::Duplicate(row.id));
            }
            match row.outcome.get() {
                EnqueueOutcome::New => self.new += 1,
                EnqueueOutcome::Duplicate(_) | EnqueueOutcome::Replaced(_) => self.duplicates += 1,
                EnqueueOutcome::Dropped => self.dropped += 1,
            }
        }
    }
}

/// Returns the positions of the jobs of `part`, in their order. `first` is the position of the first of `rows`.
fn positions_of(part: &[Arc<Row>], rows: &[Arc<Row>], first: u64) -> Vec<u64> {
    let part: HashSet<*const Row> = part.iter().map(Arc::as_ptr).collect();
    (first..).zip(rows).filter(|(_, row)| part.contains(&Arc::as_ptr(row))).map(|(n, _)| n).collect()
}

/// The kind of all these jobs, if they are of one kind.
fn kind_of_all(rows: &[Arc<Row>]) -> Option<&'static str> {
    let kind = rows.first()?.kind;
    rows.iter().all(|row| row.kind == kind).then_some(kind)
}
