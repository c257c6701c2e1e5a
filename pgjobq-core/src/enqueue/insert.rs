//! The statement that inserts new jobs.

use std::collections::HashSet;
use std::iter;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, Row as _};
use uuid::Uuid;

use crate::db::columns::some_of;
use crate::db::ids::QueueId;
use crate::db::literal::with_values;
use crate::db::migrate::version::PROGRAM;
use crate::db::statements::Statements;
use crate::db::watch::Sender;
use crate::enqueue::edge::{self, Refused};
use crate::enqueue::full::{Full, Room, WhenFull};
use crate::enqueue::held::Held;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::row::Row;
use crate::{DatabaseError, EnqueueError, JobId};

/// The largest number of jobs in one statement, and about the largest size of their arguments. Larger statements cost
/// memory here and in the server, and are no faster.
pub(crate) const MAX_ROWS: usize = 1000;
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// The largest number of admissions after one statement, each of at most 500 jobs of a limit. Workers do the rest.
const MAX_ADMISSIONS: usize = 4;

/// The transaction in which jobs are inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transaction {
    /// The caller's. With `notify`, the statement notifies idle workers, who hear it when the transaction commits.
    Callers { notify: bool },
    /// One of our own, which commits at once. It waits at most this long for an open transaction that has inserted one of
    /// the ids.
    Ours { patience: Duration, room: Room },
}

/// The answer of the database.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The number of new jobs.
    pub(super) new: u64,
    /// The ids of jobs that were live already.
    pub(super) duplicates: Vec<Uuid>,
    /// The duplicates that are live with another kind.
    other_kind: Vec<Uuid>,
    /// The unique jobs whose unique key another job holds. They are among the duplicates.
    pub(super) held: Held,
    /// The queues that do not exist. If there are any, the statement has inserted nothing.
    unknown: Vec<String>,
    /// The parents that cannot be waited for. If there are any, the statement has inserted nothing.
    refused: Refused,
    /// The queues in which an idle worker has to be notified; empty if the statement has notified it.
    pub(super) wake: Vec<QueueId>,
    /// The jobs that are not on the shard of their limit. If there are any, the statement has inserted nothing.
    misplaced: Vec<Uuid>,
    /// True if new jobs wait for permits, and the caller has to admit them.
    pub(super) limited: bool,
    /// What the admission after the enqueue has done.
    pub(super) admission: Admission,
    /// The queues that had no room for some of their jobs, which were left out; or no job was inserted, in a caller's
    /// transaction.
    pub(super) full: Vec<Full>,
}

/// Inserts jobs with one statement.
pub(super) async fn insert(
    rows: &[impl AsRef<Row>],
    connection: &mut PgConnection,
    sql: &Statements,
    transaction: Transaction,
) -> Result<Answer, DatabaseError> {
    let (notify, patience, room) = match transaction {
        Transaction::Callers { notify } => (notify, None, Room::ForAll),
        Transaction::Ours { patience, room } => (false, Some(patience.as_millis() as i32), room),
    };
    let sender = match transaction {
        Transaction::Callers { .. } => Sender::IN_TRANSACTION,
        Transaction::Ours { .. } => Sender::ALONE,
    };
    let mut rows: Vec<&Row> = rows.iter().map(AsRef::as_ref).collect();
    // In the order of the key: two statements with the same ids then cannot wait for each other in a circle.
    rows.sort_by_key(|row| row.id);
    let query = match &rows[..] {
        [row] if row.is_simple() => one(row, sql).bind(notify).bind(patience).bind(PROGRAM).bind(room.word()),
        rows => {
            let edges = edge::to_json(rows.iter().map(|row| &*row.edges), iter::empty());
            let (shapes, shape_of_row) = shapes(rows);
            let query = bind_rows(sqlx::query(sql.enqueue_many.clone()), rows, &shapes, shape_of_row);
            let query = query.bind(notify).bind(patience).bind(PROGRAM).bind(edges);
            bind_options(query, rows, &shapes).bind(room.word())
        }
    };
    let row = sql
        .row(connection, query, sender)
        .await
        .map_err(|error| DatabaseError::new(error, sql.schema.as_str()))?;
    Answer::read(&row, &rows).map_err(DatabaseError::Refused)
}

/// The result of an admission after an enqueue.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// True if jobs wait for a rate, and nobody was to look by then.
    pub(super) awaits: bool,
    /// True if there may be more to admit.
    pub(super) more: bool,
    /// The jobs that this admission has ended, because their limit lets none wait: of any enqueue.
    pub(super) ended: Vec<Uuid>,
    /// The new jobs that an admission has ended, this one or another one.
    dropped: HashSet<Uuid>,
    /// True if something may follow from their ends.
    pub(super) has_followers: bool,
    /// The queues with jobs that may start now, in which a worker waits to be notified.
    pub(super) wake: Vec<QueueId>,
}

/// Lets new jobs into line, as many as there are permits, and notes which of them have ended because they found none. It follows
/// their commit, in a transaction of its own, which is one message: it locks limits, and must not depend on the next message. What
/// fails is left to workers.
pub(super) async fn admit(
    rows: &[impl AsRef<Row>],
    connection: &mut PgConnection,
    sql: &Statements,
) -> Admission {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.as_ref().id.as_uuid()).collect();
    let mut admission = Admission::default();
    for _ in 0..MAX_ADMISSIONS {
        admission.more = false;
        let statement = with_values(sql.admit_jobs.as_str(), &[&ids.as_slice()]);
        let admitted = sql.rows_of_message(connection, "admit_jobs", statement).await;
        if admitted.and_then(|rows| rows.iter().try_for_each(|row| admission.add(row))).is_err() {
            admission.more = true;
            break;
        }
        if !admission.more {
            break;
        }
    }
    let is_dropped = |row: &&Row| admission.dropped.contains(&row.id.as_uuid());
    let dropped = rows.iter().map(AsRef::as_ref).filter(is_dropped);
    dropped.for_each(|row| row.outcome.set(EnqueueOutcome::Dropped));
    admission
}

impl Admission {
    /// Returns the jobs that have ended and were enqueued before: observers have not seen an enqueue of a new job that was dropped.
    pub(super) fn ended_before(&self) -> Vec<Uuid> {
        self.ended.iter().filter(|job| !self.dropped.contains(job)).copied().collect()
    }

    /// Adds the answer of one shard.
    fn add(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        self.ended.extend(row.try_get::<Option<Vec<Uuid>>, _>("ended")?.unwrap_or_default());
        self.dropped.extend(row.try_get::<Option<Vec<Uuid>>, _>("dropped")?.unwrap_or_default());
        self.wake.extend(row.try_get::<Vec<QueueId>, _>("wake")?);
        self.awaits |= row.try_get::<bool, _>("awaits")?;
        self.more |= row.try_get::<bool, _>("more")?;
        self.has_followers |= row.try_get::<bool, _>("has_followers")?;
        Ok(())
    }
}

/// The statement for one job that is [simple](Row::is_simple). It costs the server half as much as the one for many.
fn one<'r>(row: &'r Row, sql: &Statements) -> Query<'r, Postgres, PgArguments> {
    sqlx::query(sql.enqueue_one.clone())
        .bind(row.kind)
        .bind(row.queue.as_str())
        .bind(row.priority)
        .bind(row.retries)
        .bind(row.max_crashes)
        .bind(row.id.as_uuid())
        .bind(row.args.as_str())
        .bind(row.meta.as_deref())
        .bind(row.attributes.as_deref())
        .bind(row.key.as_deref())
        .bind(row.delay)
        .bind(row.at)
        .bind(row.expires)
}

/// Binds the columns of these rows: the first fourteen parameters of a statement.
pub(crate) fn bind_rows<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[&'q Row],
    shapes: &[Shape<'q>],
    shape_of_row: Vec<i32>,
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(shapes.iter().map(|shape| shape.kind).collect::<Vec<_>>())
        .bind(shapes.iter().map(|shape| shape.queue).collect::<Vec<_>>())
        .bind(shapes.iter().map(|shape| shape.priority).collect::<Vec<_>>())
        .bind(shapes.iter().map(|shape| shape.retries).collect::<Vec<_>>())
        .bind(shapes.iter().map(|shape| shape.max_crashes).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.id.as_uuid()).collect::<Vec<_>>())
        .bind(shape_of_row)
        .bind(rows.iter().map(|row| row.args.as_str()).collect::<Vec<_>>())
        .bind(some_of(rows, |row| row.meta.as_deref()))
        .bind(some_of(rows, |row| row.attributes.as_deref()))
        .bind(some_of(rows, |row| row.key.as_deref()))
        .bind(some_of(rows, |row| row.delay))
        .bind(some_of(rows, |row| row.at))
        .bind(some_of(rows, |row| row.expires))
}

/// Binds what few rows have: the last three parameters of a statement.
pub(crate) fn bind_options<'q>(
    query: Query<'q, Postgres, PgArguments>,
    rows: &[&'q Row],
    shapes: &[Shape<'q>],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(some_of(rows, |row| row.weight))
        .bind(some_of(rows, |row| row.unique_key.as_deref()))
        .bind(some_of(&Vec::from_iter(shapes), |shape| shape.options))
}

impl Answer {
    fn read(row: &PgRow, rows: &[&Row]) -> Result<Self, sqlx::Error> {
        Ok(Self {
            held: Held::read(row, rows)?,
            new: row.try_get::<i32, _>("inserted")?.unsigned_abs().into(),
            duplicates: row.try_get::<Option<_>, _>("duplicate")?.unwrap_or_default(),
            other_kind: row.try_get::<Option<_>, _>("other_kind")?.unwrap_or_default(),
            unknown: row.try_get::<Option<_>, _>("unknown")?.unwrap_or_default(),
            refused: row
                .try_get::<Option<Json<_>>, _>("refused")?
                .map(|Json(refused)| refused)
                .unwrap_or_default(),
            wake: row.try_get::<Option<_>, _>("wake")?.unwrap_or_default(),
            misplaced: row.try_get::<Option<_>, _>("misplaced")?.unwrap_or_default(),
            limited: row.try_get::<Option<_>, _>("limited")?.unwrap_or_default(),
            admission: Admission::default(),
            full: Full::read(row.try_get("full")?).map_err(|error| sqlx::Error::Decode(error.into()))?,
        })
    }

    /// Returns the error of the first queue that refuses jobs because it is full, instead of dropping them.
    pub(super) fn check_room(&self) -> Result<(), EnqueueError> {
        let refuses = |full: &&Full| full.when_full != WhenFull::DropNew;
        self.full.iter().find(refuses).map_or(Ok(()), |full| Err(full.error()))
    }

    /// Returns the queue that had no room for this job.
    pub(super) fn left_out(&self, id: JobId) -> Option<&Full> {
        self.full.iter().find(|full| full.jobs.contains(&id.as_uuid()))
    }

    /// Notes which of these jobs were dropped because their queue is full.
    pub(super) fn note_dropped(&self, rows: &[impl AsRef<Row>]) {
        let drops =
            |row: &&Row| self.left_out(row.id).is_some_and(|full| full.when_full == WhenFull::DropNew);
        let dropped = rows.iter().map(AsRef::as_ref).filter(drops);
        dropped.for_each(|row| row.outcome.set(EnqueueOutcome::Dropped));
    }

    /// Fails if the answer refuses one of these jobs.
    pub(super) fn check(&self, rows: &[impl AsRef<Row>]) -> Result<(), EnqueueError> {
        let rows = || rows.iter().map(AsRef::as_ref);
        if let Some(row) = rows().find(|row| self.unknown.contains(&row.queue)) {
            return Err(EnqueueError::UnknownQueue { queue: row.queue.clone() });
        }
        for row in rows() {
            self.refused.check(row.kind, &row.edges)?;
        }
        if let Some(row) = rows().find(|row| self.misplaced.contains(&row.id.as_uuid())) {
            return Err(EnqueueError::Misplaced { kind: row.kind });
        }
        if let Some(row) = rows().find(|row| self.other_kind.contains(&row.id.as_uuid())) {
            return Err(EnqueueError::OtherKind { id: row.id, kind: row.kind });
        }
        Ok(())
    }

    /// Notes which of these jobs are duplicates: those that were live already, without the ones that an earlier try may have enqueued.
    pub(super) fn note_duplicates(&self, rows: &[impl AsRef<Row>], maybe_ours: impl Fn(&Uuid) -> bool) {
        if self.duplicates.is_empty() {
            return;
        }
        for row in rows.iter().map(AsRef::as_ref) {
            let id = row.id.as_uuid();
            if let Some(outcome) = self.held.outcome(row.id) {
                row.outcome.set(outcome);
            } else if self.duplicates.contains(&id) && !maybe_ours(&id) {
                row.outcome.set(EnqueueOutcome::Duplicate(row.id));
            }
        }
    }

    /// Returns whether the statement has inserted nothing, because of a queue that does not exist, a parent that cannot be
    /// waited for, or a job's shard.
    pub(super) fn has_inserted_nothing(&self) -> bool {
        !self.unknown.is_empty() || !self.refused.is_empty() || !self.misplaced.is_empty()
    }
}

/// The values that many rows have in common. Each combination is sent once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape<'r> {
    kind: &'static str,
    queue: &'r str,
    priority: i16,
    retries: i16,
    max_crashes: i16,
    options: Option<&'r str>,
}

/// Returns the shapes of these rows, and for each row the number of its shape, counted from 1 as PostgreSQL does.
pub(crate) fn shapes<'r>(rows: &[&'r Row]) -> (Vec<Shape<'r>>, Vec<i32>) {
    let mut shapes: Vec<Shape<'r>> = Vec::new();
    let numbers = rows.iter().map(|row| {
        let Row { kind, priority, retries, max_crashes, .. } = **row;
        let options = row.options.as_deref();
        let shape = Shape { kind, queue: &row.queue, priority, retries, max_crashes, options };
        // Most rows have the shape of the row before.
        let place = shapes.iter().rposition(|known| *known == shape).unwrap_or_else(|| {
            shapes.push(shape);
            shapes.len() - 1
        });
        place as i32 + 1
    });
    let numbers = numbers.collect();
    (shapes, numbers)
}
