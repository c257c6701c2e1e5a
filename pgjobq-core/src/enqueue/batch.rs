//! A batch of new jobs, as the arrays of one statement.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::db::ids::QueueId;
use crate::db::migrate::version::PROGRAM;
use crate::db::statements::Statements;
use crate::enqueue::new_job::{Due, NewRow};
use crate::job::json::{Unstorable, printed_bytes};
use crate::job::lineage::is_traceparent;
use crate::job::name;
use crate::job::policy::LONGEST_DELAY;
use crate::{DatabaseError, EnqueueError, JobId};

/// How large the arguments of one job may be when nobody has said: 1 MiB.
pub(crate) const MAX_ARGS: usize = 1 << 20;
/// How many jobs go into one statement at most, and about how many bytes of arguments. Larger batches cost memory here
/// and in the server, and gain nothing.
pub(crate) const CHUNK_ROWS: usize = 1000;
pub(crate) const CHUNK_BYTES: usize = 4 << 20;

/// A batch of new jobs, as the arrays of one statement. What many rows share is sent once, as a shape.
#[derive(Clone, Default)]
#[doc(hidden)]
pub struct Batch {
    shapes: Vec<Shape>,
    rows: Vec<Line>,
    bytes: usize,
}

#[derive(Clone, PartialEq, Eq)]
struct Shape {
    kind: &'static str,
    queue: String,
    priority: i16,
    retries: i16,
    max_crashes: i16,
}

#[derive(Clone)]
struct Line {
    id: JobId,
    shape: i32,
    args: String,
    meta: Option<String>,
    delay: Option<i64>,
    at: Option<i64>,
    expires: Option<i64>,
}

/// What became of a batch.
#[derive(Debug, Default)]
#[doc(hidden)]
pub struct Answer {
    /// How many jobs are new.
    pub new: u64,
    /// The ids that were live already.
    pub duplicates: Vec<Uuid>,
    /// Those among them that are live with another kind.
    pub other_kind: Vec<Uuid>,
    /// The queues that are not there; if there are any, nothing was enqueued.
    pub unknown: Vec<String>,
    /// Queues in which an idle worker waits to be notified; empty when the statement has notified it.
    pub wake: Vec<QueueId>,
    /// Whether the jobs are certainly committed.
    pub committed: bool,
}

impl Batch {
    /// Adds a job, after checking what the database could not store.
    pub(crate) fn push(&mut self, row: NewRow, max_args: usize) -> Result<(), EnqueueError> {
        let kind = row.kind;
        name::check("kind", kind)?;
        name::check("queue", &row.queue)?;
        let tries = |count: u16| i16::try_from(count).map_err(|_| EnqueueError::TooManyTries { kind, count });
        let args = checked_args(kind, row.args, max_args)?;
        if !row.meta.traceparent.as_deref().is_none_or(is_traceparent) {
            return Err(EnqueueError::Traceparent { kind });
        }
        let (delay, at) = due_columns(row.due).ok_or(EnqueueError::TooFar { kind })?;
        if row.expires_in.is_some_and(|time| time > LONGEST_DELAY) {
            return Err(EnqueueError::TooFar { kind });
        }
        let expires = row.expires_in.and_then(|time| i64::try_from(time.as_micros()).ok());
        if row.expires_in.is_some_and(|time| time <= wait_for(row.due)) {
            return Err(EnqueueError::ExpiresFirst { kind });
        }
        let shape = Shape {
            kind,
            retries: tries(row.retries)?,
            max_crashes: tries(row.max_crashes)?,
            queue: row.queue,
            priority: row.priority as i16,
        };
        let line = Line {
            id: row.id,
            shape: self.place_of(shape),
            args,
            meta: row.meta.to_json(),
            delay,
            at,
            expires,
        };
        self.bytes += line.bytes();
        self.rows.push(line);
        Ok(())
    }

    /// The place of a shape, from 1 on, as PostgreSQL counts. The last one is by far the likeliest.
    fn place_of(&mut self, shape: Shape) -> i32 {
        let place = self.shapes.iter().rposition(|known| *known == shape).unwrap_or_else(|| {
            self.shapes.push(shape);
            self.shapes.len() - 1
        });
        place as i32 + 1
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// About how many bytes it is on the wire.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn ids(&self) -> Vec<JobId> {
        self.rows.iter().map(|row| row.id).collect()
    }

    /// Without the jobs of these ids.
    pub(crate) fn without(&mut self, ids: &[JobId]) {
        self.rows.retain(|row| !ids.contains(&row.id));
    }

    /// Splits the batch: keeps its first jobs, and returns the others.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let rows = self.rows.split_off(at);
        let bytes = |rows: &[Line]| rows.iter().map(Line::bytes).sum();
        self.bytes = bytes(&self.rows);
        Self { shapes: self.shapes.clone(), bytes: bytes(&rows), rows }
    }

    /// Adds the jobs of another batch.
    pub(crate) fn add(&mut self, other: &Self) {
        let places: Vec<i32> = other.shapes.iter().map(|shape| self.place_of(shape.clone())).collect();
        let rows = other.rows.iter().cloned();
        self.rows.extend(rows.map(|row| Line { shape: places[row.shape as usize - 1], ..row }));
        self.bytes += other.bytes;
    }

    /// Sends the batch in a caller's transaction, or on a connection of theirs.
    pub(crate) async fn send(
        &mut self,
        connection: &mut PgConnection,
        sql: &Statements,
        notify: bool,
    ) -> Result<Answer, EnqueueError> {
        let answer = self.ask(connection, sql, notify, None).await?;
        self.check(&answer)?;
        Ok(answer)
    }

    /// Sends the batch. With `notify`, idle workers are notified by the same statement; with `patience`, it does not wait
    /// longer for a transaction that has inserted one of its ids and is still open.
    pub(crate) async fn ask(
        &mut self,
        connection: &mut PgConnection,
        sql: &Statements,
        notify: bool,
        patience: Option<Duration>,
    ) -> Result<Answer, DatabaseError> {
        // In the order of the key, so that two batches with the same ids cannot wait for each other in a circle.
        self.rows.sort_by_key(|row| row.id);
        let (shapes, rows) = (&self.shapes, &self.rows);
        let row = sqlx::query(sql.enqueue_many.clone())
            .bind(shapes.iter().map(|s| s.kind).collect::<Vec<_>>())
            .bind(shapes.iter().map(|s| s.queue.as_str()).collect::<Vec<_>>())
            .bind(shapes.iter().map(|s| s.priority).collect::<Vec<_>>())
            .bind(shapes.iter().map(|s| s.retries).collect::<Vec<_>>())
            .bind(shapes.iter().map(|s| s.max_crashes).collect::<Vec<_>>())
            .bind(rows.iter().map(|r| r.id.as_uuid()).collect::<Vec<_>>())
            .bind(rows.iter().map(|r| r.shape).collect::<Vec<_>>())
            .bind(rows.iter().map(|r| r.args.as_str()).collect::<Vec<_>>())
            .bind(some_of(rows, |row| row.meta.as_deref()))
            .bind(some_of(rows, |row| row.delay))
            .bind(some_of(rows, |row| row.at))
            .bind(some_of(rows, |row| row.expires))
            .bind(notify)
            .bind(patience.map(|patience| patience.as_millis() as i32))
            .bind(PROGRAM)
            .fetch_one(connection)
            .await
            .map_err(|error| DatabaseError::new(error, sql.schema.as_str()))?;
        Answer::read(&row).map_err(DatabaseError::Refused)
    }

    /// What the answer says against a job of this batch, if anything.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), EnqueueError> {
        if let Some(shape) = self.shapes.iter().find(|shape| answer.unknown.contains(&shape.queue)) {
            return Err(EnqueueError::UnknownQueue { queue: shape.queue.clone() });
        }
        if let Some(row) = self.rows.iter().find(|row| answer.other_kind.contains(&row.id.as_uuid())) {
            let kind = self.shapes[row.shape as usize - 1].kind;
            return Err(EnqueueError::OtherKind { id: row.id, kind });
        }
        Ok(())
    }
}

impl Line {
    /// Returns about how many bytes it is on the wire.
    fn bytes(&self) -> usize {
        self.args.len() + 48
    }
}

impl Answer {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            new: row.try_get::<i32, _>("inserted")?.unsigned_abs().into(),
            duplicates: row.try_get::<Option<_>, _>("duplicate")?.unwrap_or_default(),
            other_kind: row.try_get::<Option<_>, _>("other_kind")?.unwrap_or_default(),
            unknown: row.try_get::<Option<_>, _>("unknown")?.unwrap_or_default(),
            wake: row.try_get::<Option<_>, _>("wake")?.unwrap_or_default(),
            committed: false,
        })
    }
}

/// Without the arguments: they may be secret, and debug output goes to logs.
impl fmt::Debug for Batch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} jobs", self.rows.len())
    }
}

/// The arguments as JSON that PostgreSQL can store.
pub(crate) fn checked_args(
    kind: &'static str,
    args: Result<String, serde_json::Error>,
    most: usize,
) -> Result<String, EnqueueError> {
    let args = args.map_err(|source| EnqueueError::Args { kind, source })?;
    let printed = printed_bytes(&args).map_err(|why| match why {
        Unstorable::Nul => EnqueueError::NulInArgs { kind },
        Unstorable::Nested { deepest } => EnqueueError::NestedArgs { kind, deepest },
        Unstorable::Number(number) => EnqueueError::NumberInArgs { kind, number },
    })?;
    let bytes = printed.max(args.len());
    if bytes > most {
        return Err(EnqueueError::ArgsTooLarge { kind, bytes, limit: most });
    }
    Ok(args)
}

/// A column, or nothing at all where no row has a value in it.
fn some_of<'r, T>(rows: &'r [Line], pick: impl Fn(&'r Line) -> Option<T>) -> Option<Vec<Option<T>>> {
    let column: Vec<Option<T>> = rows.iter().map(pick).collect();
    column.iter().any(Option::is_some).then_some(column)
}

/// The delay and the time of a job, in microseconds; `None` when it is absurdly far.
fn due_columns(due: Due) -> Option<(Option<i64>, Option<i64>)> {
    let micros = |time: Duration| i64::try_from(time.as_micros()).ok();
    match due {
        Due::Now => Some((None, None)),
        Due::In(delay) if delay > LONGEST_DELAY => None,
        Due::In(delay) => Some((micros(delay), None)),
        Due::At(at) if at > SystemTime::now() + LONGEST_DELAY => None,
        // What lies before 1970 is as much in the past as 1970 is.
        Due::At(at) => Some((None, micros(at.duration_since(UNIX_EPOCH).unwrap_or_default()))),
    }
}

/// How long a job waits until it is due, by this machine's clock.
fn wait_for(due: Due) -> Duration {
    match due {
        Due::Now => Duration::ZERO,
        Due::In(delay) => delay,
        Due::At(at) => at.duration_since(SystemTime::now()).unwrap_or_default(),
    }
}

/// Whether a JSON text has the escape `\u0000`, which `jsonb` refuses: one with an odd number of backslashes before it.
#[doc(hidden)]
#[must_use]
pub fn holds_nul(json: &str) -> bool {
    json.match_indices("u0000").any(|(at, _)| {
        let backslashes = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 1
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_found_and_an_escaped_backslash_is_not() {
        let json = |text: &str| serde_json::to_string(text).unwrap();
        assert!(holds_nul(&json("a\0b")));
        assert!(holds_nul(&json("\\\0")));
        assert!(!holds_nul(&json("a\\u0000b")));
        assert!(!holds_nul(&json("u0000")));
    }

    #[test]
    fn absurd_times_are_refused_and_past_ones_are_now() {
        assert_eq!(due_columns(Due::In(Duration::MAX)), None);
        assert_eq!(due_columns(Due::In(LONGEST_DELAY + Duration::from_secs(1))), None);
        assert_eq!(due_columns(Due::At(UNIX_EPOCH - Duration::from_secs(9))), Some((None, Some(0))));
        assert_eq!(due_columns(Due::In(Duration::from_micros(7))), Some((Some(7), None)));
    }
}
