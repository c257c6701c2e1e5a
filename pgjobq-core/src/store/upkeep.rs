//! Upkeep: heartbeats, reaping, promotion, expiry and requests to cancel.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{Row, SqlStr};
use uuid::Uuid;

use crate::DatabaseError;
use crate::db::acted::read_acted;
use crate::db::ids::{LeaseId, QueueId, Shard, Ticket, WorkerId};
use crate::db::time::duration;
use crate::store::access::Store;
use crate::store::claim::Returned;
use crate::store::model::{Lane, LeaseKey};

/// A lease of ours, as the database has it.
#[derive(Clone, Copy, Debug)]
pub struct HeldLease {
    pub key: LeaseKey,
    pub age: Duration,
}

/// The answer to a heartbeat of a registered worker.
#[derive(Clone, Debug)]
pub struct Beat {
    /// Its leases in the database.
    pub held: Vec<HeldLease>,
    /// The number of changes to the settings of queues, and to schedules.
    pub changes: i64,
}

/// A worker's row, as other workers read it to detect its silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerBeats {
    pub shard: Shard,
    pub id: WorkerId,
    /// The number of heartbeats it has sent.
    pub beats: i64,
    /// The time that it may be silent.
    pub lease: Duration,
}

/// The result of reaping one lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    pub shard: Shard,
    pub requeued: i32,
    pub buried: Vec<Uuid>,
    /// The jobs that were requested to be cancelled.
    pub cancelled: Vec<Uuid>,
    /// The lease, if it was skipped because a job's row was locked.
    pub kept: Option<LeaseId>,
    pub queue: QueueId,
}

/// The result of acting on requests to cancel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActedOnCancels {
    pub cancelled: Vec<Uuid>,
    /// The running jobs, whose workers have to stop them.
    pub running: Vec<Uuid>,
    /// The job after which the next call continues; `None` at the end.
    pub scanned_to: Option<Uuid>,
}

/// The result of expiring jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub jobs: Vec<Uuid>,
    /// The job after which the next call continues; `None` at the end.
    pub scanned_to: Option<(i64, Uuid)>,
    /// The start of the next round, once this one has ended.
    pub looked: i64,
    /// The time until the next one expires, if there is one.
    pub next_due: Option<Duration>,
}

/// The result of promoting scheduled jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promoted {
    pub count: i32,
    /// The queues in which jobs may start now.
    pub queues: Vec<QueueId>,
    /// The jobs that wait for permits.
    pub limited: Vec<Uuid>,
    /// The time up to which it has looked.
    pub scanned_to: i64,
    /// The time until the next one comes due, if there is one.
    pub next_due: Option<Duration>,
}

/// The shards that have jobs whose time has come, and the time until the others have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueShards {
    pub due: Vec<Shard>,
    /// The cursor of the next round in the shards that are not `due`, in microseconds since 1970.
    pub looked: i64,
    /// The time until the first job of those shards is due, or a rate may have room again.
    pub next_due: Option<Duration>,
    /// The shards in which a rate may have room again.
    pub awaited: Vec<Shard>,
}

impl Store {
    /// Registers a worker, which may be silent for at most `lease`. An unregistered worker can claim nothing. The queues that it
    /// serves, each with its slots, the kinds that it can run and its filter are for people, and for programs that wait.
    pub async fn register(
        &self,
        worker: WorkerId,
        name: &str,
        lease: Duration,
        queues: &[(&str, usize)],
        kinds: &[String],
    ) -> Result<(), DatabaseError> {
        let (queues, slots): (Vec<&str>, Vec<usize>) = queues.iter().copied().unzip();
        let slots: Vec<i32> =
            slots.into_iter().map(|slots| i32::try_from(slots).unwrap_or(i32::MAX)).collect();
        let query = sqlx::query(self.sql.register_worker.clone())
            .bind(self.shards())
            .bind(worker)
            .bind(name)
            .bind(lease.as_micros() as i64)
            .bind(queues)
            .bind(kinds)
            .bind(slots)
            .bind(self.filter.as_deref().map(|filter| filter.text.as_str()))
            .bind(self.filter_arguments().0)
            .bind(&*self.declared);
        self.rows(query).await.map(drop)
    }

    /// Records a heartbeat of the worker, and returns its leases. Returns `None` if the worker was given up.
    pub async fn heartbeat(&self, worker: WorkerId) -> Result<Option<Beat>, DatabaseError> {
        let query = sqlx::query(self.sql.heartbeat.clone()).bind(self.shards()).bind(worker);
        let rows = self.rows(query).await?;
        let mut beat = Beat { held: Vec::new(), changes: 0 };
        for row in &rows {
            if !row.try_get::<bool, _>("alive").map_err(DatabaseError::Refused)? {
                return Ok(None);
            }
            beat.held.extend(read_held(row).map_err(DatabaseError::Refused)?);
            beat.changes = row.try_get("changes").map_err(DatabaseError::Refused)?;
        }
        Ok(Some(beat))
    }

    /// Records the queues in which the worker wants to be notified of work.
    pub async fn set_idle(&self, worker: WorkerId, queues: &[QueueId]) -> Result<(), DatabaseError> {
        let query = sqlx::query(self.sql.set_idle.clone()).bind(self.shards()).bind(worker).bind(queues);
        self.rows(query).await.map(drop)
    }

    /// Removes the worker. Other workers take back the leases that it still had.
    pub async fn leave(&self, worker: WorkerId) -> Result<(), DatabaseError> {
        let query = sqlx::query(self.sql.leave.clone()).bind(self.shards()).bind(worker);
        self.rows(query).await.map(drop)
    }

    /// Returns a lease whose claim was not answered.
    pub async fn return_lease(&self, worker: WorkerId, lease: LeaseKey) -> Result<Returned, DatabaseError> {
        let query = sqlx::query(self.sql.return_lease.clone())
            .bind(lease.lane.shard)
            .bind(worker)
            .bind(lease.lane.queue)
            .bind(lease.priority)
            .bind(lease.max_ticket)
            .bind(lease.id);
        Returned::read(&self.row(query).await?).map_err(DatabaseError::Refused)
    }

    /// Returns every worker of every shard.
    pub async fn list_workers(&self) -> Result<Vec<WorkerBeats>, DatabaseError> {
        let rows = self.rows(sqlx::query(self.sql.list_workers.clone()).bind(self.shards())).await?;
        let read = |row: &PgRow| {
            Ok(WorkerBeats {
                shard: row.try_get("shard")?,
                id: row.try_get("id")?,
                beats: row.try_get("beats")?,
                lease: duration(row.try_get("lease")?),
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    /// Gives up workers of a shard, each only if its number of heartbeats is still this one. Returns the number of
    /// workers given up.
    pub async fn give_up_workers(
        &self,
        shard: Shard,
        workers: &[(WorkerId, i64)],
    ) -> Result<i32, DatabaseError> {
        let (ids, beats): (Vec<WorkerId>, Vec<i64>) = workers.iter().copied().unzip();
        let query = sqlx::query(self.sql.give_up_workers.clone()).bind(shard).bind(ids).bind(beats);
        let row = self.row(query).await?;
        row.try_get("given_up").map_err(DatabaseError::Refused)
    }

    /// Takes back one lease of a worker that is gone, but none of `except`, in the first of these shards that has
    /// one. Returns `None` if none has.
    pub async fn reap(&self, shards: &[Shard], except: &[LeaseId]) -> Result<Option<Reaped>, DatabaseError> {
        let query = sqlx::query(self.sql.reap.clone()).bind(shards).bind(except);
        let rows = self.rows(query).await?;
        rows.first().map(read_reaped).transpose().map_err(DatabaseError::Refused)
    }

    /// Acts on the next requests to cancel, those after this id or the first ones.
    pub async fn act_on_cancels(
        &self,
        shard: Shard,
        after: Option<Uuid>,
        most: i32,
    ) -> Result<ActedOnCancels, DatabaseError> {
        let query = sqlx::query(self.sql.act_on_cancels.clone());
        let row = self.row(query.bind(shard).bind(after).bind(most)).await?;
        let (cancelled, running) = read_acted(&row).map_err(DatabaseError::Refused)?;
        Ok(ActedOnCancels {
            cancelled,
            running,
            scanned_to: row.try_get("scanned_to").map_err(DatabaseError::Refused)?,
        })
    }

    /// Finds the shards that have jobs to expire, in one statement. Each starts at its cursor, in microseconds since 1970.
    pub async fn find_expiring(&self, cursors: &[(Shard, i64)]) -> Result<DueShards, DatabaseError> {
        let row = self.find(self.sql.find_expiring.clone(), cursors).await?;
        read_due_shards(&row).map_err(DatabaseError::Refused)
    }

    /// Expires jobs that were not started in time, those after `after`.
    pub async fn expire(
        &self,
        shard: Shard,
        after: (i64, Uuid),
        most: i32,
    ) -> Result<Expired, DatabaseError> {
        let query = sqlx::query(self.sql.expire.clone()).bind(shard).bind(after.0).bind(after.1).bind(most);
        read_expired(&self.row(query).await?).map_err(DatabaseError::Refused)
    }

    /// Finds the shards that have scheduled jobs to promote, in one statement. Each starts at its cursor, in microseconds since 1970.
    pub async fn find_due(&self, cursors: &[(Shard, i64)]) -> Result<DueShards, DatabaseError> {
        let row = self.find(self.sql.find_due.clone(), cursors).await?;
        let read = |row: &PgRow| -> Result<_, sqlx::Error> {
            let awaited = row.try_get::<Option<_>, _>("awaited")?.unwrap_or_default();
            Ok(DueShards { awaited, ..read_due_shards(row)? })
        };
        read(&row).map_err(DatabaseError::Refused)
    }

    async fn find(&self, sql: SqlStr, cursors: &[(Shard, i64)]) -> Result<PgRow, DatabaseError> {
        let (shards, after): (Vec<Shard>, Vec<i64>) = cursors.iter().copied().unzip();
        self.row(sqlx::query(sql).bind(shards).bind(after)).await
    }

    /// Promotes at most `most` scheduled jobs that have come due since `after`, in microseconds since 1970.
    pub async fn promote(&self, shard: Shard, after: i64, most: i32) -> Result<Promoted, DatabaseError> {
        let query = sqlx::query(self.sql.promote.clone()).bind(shard).bind(most).bind(after);
        let row = self.row(query).await?;
        read_promoted(&row).map_err(DatabaseError::Refused)
    }
}

fn read_held(row: &PgRow) -> Result<Vec<HeldLease>, sqlx::Error> {
    let Some(ids) = row.try_get::<Option<Vec<LeaseId>>, _>("ids")? else { return Ok(Vec::new()) };
    let shard: Shard = row.try_get("shard")?;
    let queues: Vec<QueueId> = row.try_get("queues")?;
    let priorities: Vec<i16> = row.try_get("priorities")?;
    let max_tickets: Vec<Ticket> = row.try_get("max_tickets")?;
    let ages: Vec<i64> = row.try_get("ages")?;
    let lease = |n: usize| HeldLease {
        key: LeaseKey {
            lane: Lane { shard, queue: queues[n] },
            priority: priorities[n],
            max_ticket: max_tickets[n],
            id: ids[n],
        },
        age: duration(ages[n]),
    };
    Ok((0..ids.len()).map(lease).collect())
}

fn read_reaped(row: &PgRow) -> Result<Reaped, sqlx::Error> {
    let jobs = |name| row.try_get::<Option<Vec<Uuid>>, _>(name).map(Option::unwrap_or_default);
    Ok(Reaped {
        shard: row.try_get("shard")?,
        requeued: row.try_get("requeued")?,
        buried: jobs("buried")?,
        cancelled: jobs("cancelled")?,
        kept: row.try_get("skipped")?,
        queue: row.try_get("queue")?,
    })
}

fn read_expired(row: &PgRow) -> Result<Expired, sqlx::Error> {
    let scanned_to: Option<i64> = row.try_get("scanned_to")?;
    Ok(Expired {
        jobs: row.try_get::<Option<_>, _>("expired")?.unwrap_or_default(),
        scanned_to: scanned_to.zip(row.try_get("scanned_to_id")?),
        looked: row.try_get("looked")?,
        next_due: row.try_get::<Option<i64>, _>("next_due")?.map(duration),
    })
}

fn read_due_shards(row: &PgRow) -> Result<DueShards, sqlx::Error> {
    Ok(DueShards {
        due: row.try_get::<Option<_>, _>("due")?.unwrap_or_default(),
        looked: row.try_get("looked")?,
        next_due: row.try_get::<Option<i64>, _>("next_due")?.map(duration),
        awaited: Vec::new(),
    })
}

fn read_promoted(row: &PgRow) -> Result<Promoted, sqlx::Error> {
    let next_due: Option<i64> = row.try_get("next_due")?;
    Ok(Promoted {
        count: row.try_get("promoted")?,
        scanned_to: row.try_get("scanned_to")?,
        queues: row.try_get::<Option<_>, _>("queues")?.unwrap_or_default(),
        limited: row.try_get::<Option<_>, _>("limited")?.unwrap_or_default(),
        next_due: next_due.map(duration),
    })
}
