//! Admission: jobs of the waiting room get permits and tickets.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard};
use crate::db::literal::with_values;
use crate::store::access::Store;

/// The bits of `jobs.limits`.
const OF_KIND: i16 = 1;
const OF_QUEUE: i16 = 2;
const RATE: i16 = 4;
const PER_KEY: i16 = 16;

/// A limit under which jobs have permits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Limit {
    /// The limit of a kind for this key; the key is empty if it holds for all jobs of the kind.
    Kind { kind: String, key: String },
    /// The limit of a queue.
    Queue(QueueId),
}

impl Limit {
    /// Returns whether one of the limits of a job is a rate.
    pub(super) fn is_rate(bits: Option<i16>) -> bool {
        bits.is_some_and(|bits| bits & RATE != 0)
    }

    /// Returns the limits of a job, from its row.
    pub(super) fn of_job(bits: Option<i16>, kind: &str, key: Option<&str>, queue: QueueId) -> Vec<Self> {
        let bits = bits.unwrap_or(0);
        let key = || key.filter(|_| bits & PER_KEY != 0).unwrap_or_default().to_owned();
        let of_kind = (bits & OF_KIND != 0).then(|| Self::Kind { kind: kind.to_owned(), key: key() });
        let of_queue = (bits & OF_QUEUE != 0).then_some(Self::Queue(queue));
        of_kind.into_iter().chain(of_queue).collect()
    }
}

/// The result of an admission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The number of jobs that may start now.
    pub jobs: i32,
    /// Their queues.
    pub queues: Vec<QueueId>,
    /// True if there may be more to admit under the same limits.
    pub more: bool,
    /// The jobs that have ended, because their limit lets none wait.
    pub ended: Vec<Uuid>,
    /// True if a rate may have room again sooner than anybody was to look.
    pub awaits: bool,
}

/// The limits whose rates may have room again, as far as they were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Awaited {
    /// The limits under which the caller has to admit.
    pub limits: Vec<Limit>,
    /// True if the time of others has come, too.
    pub more: bool,
}

/// A place in the walk through the limits under which jobs wait: the kind and the key of the last one.
pub type LimitCursor = (String, String);

/// A look at the next limits under which jobs wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissible {
    /// The limits of which a permit is free.
    pub limits: Vec<Limit>,
    /// The next place; `None` at the end.
    pub next: Option<LimitCursor>,
    /// True if any job waits for a permit.
    pub waiting: bool,
}

impl Store {
    /// Gives free permits under these limits, to at most `most` jobs of each.
    pub async fn admit(&self, shard: Shard, limits: &[Limit], most: i32) -> Result<Admitted, DatabaseError> {
        let (mut kinds, mut keys, mut queues) = (Vec::new(), Vec::new(), Vec::new());
        for limit in limits {
            match limit {
                Limit::Kind { kind, key } => {
                    kinds.push(kind.as_str());
                    keys.push(key.as_str());
                }
                Limit::Queue(queue) => queues.push(*queue),
            }
        }
        let query = sqlx::query(self.sql.admit.clone()).bind(shard).bind(kinds).bind(keys);
        let row = self.row(query.bind(queues).bind(most)).await?;
        Admitted::read(&row).map_err(DatabaseError::Refused)
    }

    /// Gives free permits under the limits of these jobs, in one message. Returns the results of all shards together.
    pub async fn admit_jobs(&self, jobs: &[Uuid]) -> Result<Admitted, DatabaseError> {
        let statement = with_values(self.sql.admit_jobs.as_str(), &[&jobs]);
        let rows = self.rows(sqlx::raw_sql(statement)).await?;
        let parts: Result<Vec<Admitted>, _> = rows.iter().map(Admitted::read).collect();
        let parts = parts.map_err(DatabaseError::Refused)?;
        Ok(parts.into_iter().fold(Admitted::default(), Admitted::and))
    }

    /// Takes at most `most` limits whose rates may have room again from all other workers, for a second.
    pub async fn take_awaited(&self, shard: Shard, most: i32) -> Result<Awaited, DatabaseError> {
        let row = self.row(sqlx::query(self.sql.take_awaited.clone()).bind(shard).bind(most)).await?;
        let read = || Ok(Awaited { limits: read_limits(&row)?.collect(), more: row.try_get("more")? });
        read().map_err(DatabaseError::Refused)
    }

    /// Looks at the next `most` limits under which jobs wait, without a lock.
    pub async fn find_admissible(
        &self,
        shard: Shard,
        after: Option<&LimitCursor>,
        most: i32,
    ) -> Result<Admissible, DatabaseError> {
        let (kind, key) = after.map(|(kind, key)| (kind.as_str(), key.as_str())).unzip();
        let query = sqlx::query(self.sql.find_admissible.clone()).bind(shard).bind(kind).bind(key).bind(most);
        Admissible::read(&self.row(query).await?).map_err(DatabaseError::Refused)
    }
}

impl Admitted {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            jobs: row.try_get("admitted")?,
            queues: row.try_get::<Option<_>, _>("queues")?.unwrap_or_default(),
            more: row.try_get("more")?,
            ended: row.try_get::<Option<_>, _>("ended")?.unwrap_or_default(),
            awaits: row.try_get("awaits")?,
        })
    }

    fn and(mut self, other: Self) -> Self {
        self.queues.extend(other.queues);
        self.ended.extend(other.ended);
        let (more, awaits) = (self.more || other.more, self.awaits || other.awaits);
        Self { jobs: self.jobs + other.jobs, more, awaits, ..self }
    }
}

impl Admissible {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let next: (Option<String>, Option<String>) = (row.try_get("next_kind")?, row.try_get("next_key")?);
        Ok(Self {
            limits: read_limits(row)?.collect(),
            next: next.0.zip(next.1),
            waiting: row.try_get("waiting")?,
        })
    }
}

fn read_limits(row: &PgRow) -> Result<impl Iterator<Item = Limit> + use<>, sqlx::Error> {
    let texts = |name| row.try_get::<Option<Vec<String>>, _>(name).map(Option::unwrap_or_default);
    let queues: Option<Vec<QueueId>> = row.try_get("queues")?;
    let of_kinds =
        texts("kinds")?.into_iter().zip(texts("keys")?).map(|(kind, key)| Limit::Kind { kind, key });
    Ok(of_kinds.chain(queues.into_iter().flatten().map(Limit::Queue)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_has_the_limits_that_its_bits_name() {
        let limits = |bits| Limit::of_job(Some(bits), "sync", Some("a"), QueueId(3));
        let kind = |key: &str| Limit::Kind { kind: "sync".to_owned(), key: key.to_owned() };
        assert_eq!(limits(OF_KIND), [kind("")]);
        assert_eq!(limits(OF_KIND | PER_KEY), [kind("a")]);
        assert_eq!(limits(OF_KIND | PER_KEY | OF_QUEUE), [kind("a"), Limit::Queue(QueueId(3))]);
        assert_eq!(limits(8), []);
    }
}
