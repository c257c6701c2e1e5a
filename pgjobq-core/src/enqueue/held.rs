//! Unique jobs whose unique key another job holds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use tokio::time::timeout;
use uuid::Uuid;

use crate::db::ids::{QueueId, Shard};
use crate::db::shared::Shared;
use crate::enqueue::outcome::EnqueueOutcome;
use crate::enqueue::row::Row;
use crate::wait::lookup::LOOKUP_TIMEOUT;
use crate::{DatabaseError, JobId};

/// The largest number of times that requests are looked at, and the longest time. Workers settle those that are left.
const MAX_LOOKS: u32 = 5;
const MAX_TIME: Duration = Duration::from_secs(5);

/// The jobs of a statement whose unique key another job holds.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The outcome of each of them, as far as it is known.
    outcomes: HashMap<Uuid, EnqueueOutcome>,
    /// The jobs for which the statement has made a request: they change the holder, or are enqueued after all.
    asked: Vec<Uuid>,
}

/// The changes that a look at requests has made.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The jobs that were enqueued after all.
    pub(super) new: Vec<Uuid>,
    /// The queues with jobs that may start now; 0 among them: or jobs with a new time.
    pub(super) queues: Vec<QueueId>,
}

impl Held {
    pub(super) fn read(row: &PgRow, rows: &[&Row]) -> Result<Self, sqlx::Error> {
        let Some(json) = row.try_get::<Option<&str>, _>("held")? else { return Ok(Self::default()) };
        let answers: Vec<(JobId, Option<JobId>, bool)> =
            serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let replacing: HashSet<JobId> = rows.iter().filter(|row| row.replaces).map(|row| row.id).collect();
        let mut held = Self::default();
        for (job, holder, is_asked) in answers {
            if is_asked {
                held.asked.push(job.as_uuid());
            }
            if let Some(holder) = holder {
                held.outcomes.insert(job.as_uuid(), outcome(holder, is_asked && replacing.contains(&job)));
            }
        }
        Ok(held)
    }

    /// Returns the outcome of a job; `None` if nothing holds its key.
    pub(super) fn outcome(&self, job: JobId) -> Option<EnqueueOutcome> {
        self.outcomes.get(&job.as_uuid()).copied()
    }

    pub(super) fn has_requests(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Returns whether there is a request of this job, so that its outcome may change.
    pub(super) fn has_asked(&self, job: JobId) -> bool {
        self.asked.contains(&job.as_uuid())
    }

    /// Settles the requests, which are committed. What fails is left to the workers, and then the outcome is what the enqueue has found.
    pub(super) async fn settle(&mut self, shared: &Shared) -> Settled {
        let (mut settled, asked) = (Settled::default(), std::mem::take(&mut self.asked));
        match timeout(MAX_TIME, self.try_to_settle(shared, asked, &mut settled)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "workers settle what becomes of unique jobs that met another one");
            }
            Err(_) => tracing::debug!("workers settle what becomes of unique jobs that met another one"),
        }
        for job in &settled.new {
            self.outcomes.remove(job);
        }
        settled
    }

    async fn try_to_settle(
        &mut self,
        shared: &Shared,
        jobs: Vec<Uuid>,
        all: &mut Settled,
    ) -> Result<(), DatabaseError> {
        let shards = shared.about().await?.shards;
        let mut asked: BTreeMap<Shard, Vec<Uuid>> = BTreeMap::new();
        for job in jobs {
            asked.entry(JobId::from(job).shard(shards)).or_default().push(job);
        }
        let mut left = Vec::new();
        for (shard, mut jobs) in asked {
            for _ in 0..MAX_LOOKS {
                let answer = shared.write(&shared.sql.settle_own_unique, &[&shard, &&jobs[..]]).await?;
                let again = self.read_settled(&answer, &mut jobs, all).map_err(DatabaseError::Refused)?;
                if jobs.is_empty() || !again {
                    break;
                }
            }
            left.extend(jobs.into_iter().map(JobId::from));
        }
        if !left.is_empty() {
            // A worker may have settled them.
            let seen = shared.lookup(&left, 0, LOOKUP_TIMEOUT).await?;
            all.new.extend(seen.into_keys().map(JobId::as_uuid));
        }
        Ok(())
    }

    /// Reads what one look has settled, and takes it out of `jobs`. Returns whether another look may settle more.
    fn read_settled(
        &mut self,
        row: &PgRow,
        jobs: &mut Vec<Uuid>,
        all: &mut Settled,
    ) -> Result<bool, sqlx::Error> {
        let settled: Vec<Uuid> = row.try_get::<Option<_>, _>("settled")?.unwrap_or_default();
        let holders: Vec<Option<Uuid>> = row.try_get::<Option<_>, _>("holders")?.unwrap_or_default();
        let changed: Vec<bool> = row.try_get::<Option<_>, _>("changed")?.unwrap_or_default();
        all.queues.extend(row.try_get::<Option<Vec<QueueId>>, _>("queues")?.unwrap_or_default());
        jobs.retain(|job| !settled.contains(job));
        for ((job, holder), changed) in settled.into_iter().zip(holders).zip(changed) {
            match holder {
                Some(holder) => _ = self.outcomes.insert(job, outcome(holder.into(), changed)),
                None => all.new.push(job),
            }
        }
        row.try_get("again")
    }
}

fn outcome(holder: JobId, changed: bool) -> EnqueueOutcome {
    if changed { EnqueueOutcome::Replaced(holder) } else { EnqueueOutcome::Duplicate(holder) }
}
