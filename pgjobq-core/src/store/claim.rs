//! Claims, and the peek before a claim.

use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::ids::{QueueId, Ticket};
use crate::db::row_address::RowAddress;
use crate::job::lineage::Meta;
use crate::store::access::Store;
use crate::store::admission::Limit;
use crate::store::model::{ByPriority, ClaimId, Hold};
use crate::{DatabaseError, JobId};

/// The request of a worker to a lane.
#[derive(Clone, Debug)]
pub struct Claim<'c> {
    pub id: ClaimId,
    /// True to wait for a lane in which another worker claims just now.
    pub wait: bool,
    /// In every version that the worker reads: see `versioned_kind` of the schema.
    pub kinds: &'c [String],
    pub want: usize,
    pub scan_hint: ByPriority,
    /// The tickets, with their priorities, that a peek found and that are to be claimed.
    pub found: Option<&'c [(Ticket, i16)]>,
    pub bounds: Bounds<'c>,
}

/// The limits of a claim besides the number of jobs.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'c> {
    /// The largest size of all arguments; one job is always claimed.
    pub bytes: i64,
    /// Kinds of which at most `scarce_want` jobs are claimed.
    pub scarce: &'c [&'static str],
    pub scarce_want: usize,
    /// True to claim without arguments: [`Store::read_args`] reads them.
    pub bare: bool,
}

impl Default for Bounds<'_> {
    fn default() -> Self {
        Self { bytes: CLAIM_BYTES, scarce: &[], scarce_want: 0, bare: false }
    }
}

/// The largest size of the arguments that a claim asks for, in bytes.
pub const CLAIM_BYTES: i64 = 8 << 20;

/// The result of a claim.
#[derive(Debug)]
pub struct Claimed {
    pub jobs: Vec<ClaimedJob>,
    /// The ticket up to which each priority was scanned.
    pub scanned_to: ByPriority,
    pub lane: Opened,
    /// True if jobs were left because of the [`Bounds`], or of a rate, which `held_back` says.
    pub more: bool,
    pub held_back: bool,
}

/// The state in which a claim found its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Open,
    /// Another session held it, or its row is gone.
    Locked,
    /// Its queue is paused, and nothing was looked at.
    Paused,
}

/// A claimed job.
#[derive(Debug)]
pub struct ClaimedJob {
    pub id: JobId,
    pub kind: String,
    /// `None` if it was claimed without arguments.
    pub args: Option<Box<RawValue>>,
    pub priority: i16,
    pub ticket: Ticket,
    /// The address of its row; `None` if it was quarantined.
    pub address: Option<RowAddress>,
    /// The number of attempts that have ended before.
    pub attempts: i32,
    pub failures: i16,
    pub retries: i16,
    pub max_crashes: i16,
    /// Its key. A job of the quarantine has none here.
    pub key: Option<String>,
    /// The limits under which it has permits.
    pub limits: Vec<Limit>,
    /// True if its claim was counted for a rate.
    pub is_rated: bool,
    /// Its lineage.
    pub meta: Meta,
    /// When it was due. Only the claims of an observed worker ask for it.
    pub due: Option<Instant>,
}

/// The request of a worker to the quarantine of a lane.
#[derive(Clone, Copy, Debug)]
pub struct QuarantineClaim<'c> {
    pub id: ClaimId,
    /// In every version that the worker reads: see `versioned_kind` of the schema.
    pub kinds: &'c [String],
    pub want: usize,
    /// True if no quarantined job runs in this worker, so that one may run that must run alone.
    pub alone: bool,
    /// True if it goes before jobs that may run beside others.
    pub lone_first: bool,
    /// The start of the walk.
    pub from: ByPriority,
}

/// The result of a claim from the quarantine, without arguments.
#[derive(Debug)]
pub struct ClaimedQuarantined {
    pub jobs: Vec<ClaimedJob>,
    /// The start of the next walk.
    pub scanned_to: ByPriority,
    pub lane: Opened,
    /// True if the job must run alone.
    pub alone: bool,
    /// True if a job that must run alone was left for others.
    pub passed: bool,
}

/// The jobs that returned leases still had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Returned {
    pub jobs: i32,
    /// The jobs among them that are cancelled, because someone had requested it.
    pub cancelled: Vec<Uuid>,
}

impl Returned {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let cancelled: Option<Vec<Uuid>> = row.try_get("cancelled")?;
        Ok(Self { jobs: row.try_get("returned")?, cancelled: cancelled.unwrap_or_default() })
    }
}

impl Store {
    /// Claims jobs of one lane, at most as many as were wanted.
    pub async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, DatabaseError> {
        let found: Option<(Vec<Ticket>, Vec<i16>)> = claim.found.map(|found| found.iter().copied().unzip());
        let (found, found_priorities) = found.unzip();
        let (path, needs_columns) = self.filter_arguments();
        let is_observed = self.sql.telemetry.observers.listen();
        let sql = if is_observed { &self.sql.claim_observed } else { &self.sql.claim };
        let query = sqlx::query(sql.clone())
            .bind(claim.id.lane.shard)
            .bind(claim.id.lane.queue)
            .bind(claim.id.worker)
            .bind(claim.id.lease)
            .bind(claim.wait)
            .bind(claim.kinds)
            .bind(claim.want as i32)
            .bind(claim.scan_hint.as_slice())
            .bind(found)
            .bind(found_priorities)
            .bind(claim.bounds.bytes)
            .bind(claim.bounds.scarce)
            .bind(claim.bounds.scarce_want as i32)
            .bind(claim.bounds.bare)
            .bind(path)
            .bind(needs_columns);
        let rows = self.rows(query).await?;
        let mut claimed = read_claimed(&rows, claim.id.lane.queue).map_err(DatabaseError::Refused)?;
        if is_observed {
            read_due(&rows, &mut claimed.jobs).map_err(DatabaseError::Refused)?;
        }
        assert!(claimed.jobs.len() <= claim.want, "a claim takes at most what was asked for");
        Ok(claimed)
    }

    /// Claims quarantined jobs.
    pub async fn claim_quarantined(
        &self,
        claim: QuarantineClaim<'_>,
    ) -> Result<ClaimedQuarantined, DatabaseError> {
        let (path, needs_columns) = self.filter_arguments();
        let query = sqlx::query(self.sql.claim_quarantined.clone())
            .bind(claim.id.lane.shard)
            .bind(claim.id.lane.queue)
            .bind(claim.id.worker)
            .bind(claim.id.lease)
            .bind(claim.kinds)
            .bind(claim.want as i32)
            .bind(claim.alone)
            .bind(claim.from.as_slice())
            .bind(claim.lone_first)
            .bind(path)
            .bind(needs_columns);
        let row = self.row(query).await?;
        let claimed = read_quarantined(&row, claim.id.lane.queue).map_err(DatabaseError::Refused)?;
        assert!(claimed.jobs.len() <= claim.want, "a claim takes at most what was asked for");
        Ok(claimed)
    }

    /// Reads the arguments of a job that was claimed without them. Returns `None` if the job no longer has this
    /// ticket.
    pub async fn read_args(&self, hold: &Hold) -> Result<Option<(Box<RawValue>, Meta)>, DatabaseError> {
        let query = sqlx::query(self.sql.read_args.clone())
            .bind(hold.lease.lane.shard)
            .bind(hold.job.as_uuid())
            .bind(hold.ticket);
        let row = self.row(query).await?;
        let read = || -> Result<_, sqlx::Error> {
            let Some(args) = row.try_get("args")? else { return Ok(None) };
            Ok(Some((raw(args)?, Meta::from_json(row.try_get("meta")?))))
        };
        read().map_err(DatabaseError::Refused)
    }

    /// Returns the leases of a claim whose answer was lost.
    pub async fn return_claim(&self, claim: ClaimId) -> Result<Returned, DatabaseError> {
        let query = sqlx::query(self.sql.return_claim.clone());
        let row = self
            .row(query.bind(claim.lane.shard).bind(claim.lane.queue).bind(claim.worker).bind(claim.lease))
            .await?;
        Returned::read(&row).map_err(DatabaseError::Refused)
    }
}

/// Reads the answer of a claim: a row for each job, and one with what concerns all of them, in which alone `opened` is not null.
fn read_claimed(rows: &[PgRow], queue: QueueId) -> Result<Claimed, sqlx::Error> {
    let (mut jobs, mut summaries) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match row.try_get(15)? {
            None => jobs.push(read_job(row, queue)?),
            Some(opened) => summaries.push((row, opened)),
        }
    }
    let [(summary, opened)] = summaries[..] else {
        return Err(sqlx::Error::Decode("a claim has one row without a job".into()));
    };
    let (lane, scanned_to) = read_opened(summary, opened)?;
    let (more, held_back) = (summary.try_get("more")?, Limit::is_rate(summary.try_get("limits")?));
    Ok(Claimed { jobs, scanned_to, lane, more, held_back })
}

/// Reads since when the jobs of an observed claim were due.
fn read_due(rows: &[PgRow], jobs: &mut [ClaimedJob]) -> Result<(), sqlx::Error> {
    let (now, mut jobs) = (Instant::now(), jobs.iter_mut());
    for row in rows {
        // The row without a job has no wait. A clock that was set back makes one negative.
        if let Some(waited) = row.try_get::<Option<f64>, _>(17)?
            && let Some(job) = jobs.next()
        {
            job.due = now.checked_sub(Duration::try_from_secs_f64(waited).unwrap_or_default());
        }
    }
    Ok(())
}

/// Reads the state of the lane, and how far it was scanned. A claim in a paused queue returns no `scanned_to`.
fn read_opened(row: &PgRow, opened: bool) -> Result<(Opened, ByPriority), sqlx::Error> {
    let is_paused = row.try_get::<Option<Vec<Ticket>>, _>("scanned_to")?.is_none();
    Ok(match (opened, is_paused) {
        (false, true) => (Opened::Paused, ByPriority::default()),
        (false, false) => (Opened::Locked, by_priority(row, "scanned_to")?),
        (true, _) => (Opened::Open, by_priority(row, "scanned_to")?),
    })
}

/// Reads a job by the places of its columns, because a look-up of each name in each row would be most of the work.
fn read_job(row: &PgRow, queue: QueueId) -> Result<ClaimedJob, sqlx::Error> {
    let kind: String = row.try_get(4)?;
    let bits: Option<i16> = row.try_get(12)?;
    let key: Option<String> = row.try_get(13)?;
    let limits = Limit::of_job(bits, &kind, key.as_deref(), queue);
    let args: Option<Json<Box<RawValue>>> = row.try_get(5)?;
    let args_text: Option<String> = row.try_get(6)?;
    let meta: Option<Json<&RawValue>> = row.try_get(7)?;
    Ok(ClaimedJob {
        priority: row.try_get(0)?,
        ticket: row.try_get(1)?,
        address: row.try_get(2)?,
        id: row.try_get::<Uuid, _>(3)?.into(),
        kind,
        args: match args {
            Some(Json(args)) => Some(args),
            None => args_text.map(raw).transpose()?,
        },
        meta: Meta::from_json(meta.map(|meta| meta.0.get())),
        attempts: row.try_get(8)?,
        failures: row.try_get(9)?,
        retries: row.try_get(10)?,
        max_crashes: row.try_get(11)?,
        key,
        limits,
        is_rated: Limit::is_rate(bits),
        due: None,
    })
}

/// Reads the answer of a claim of quarantined jobs, which are few: one row of arrays.
fn read_quarantined(row: &PgRow, queue: QueueId) -> Result<ClaimedQuarantined, sqlx::Error> {
    let (lane, scanned_to) = read_opened(row, row.try_get("opened")?)?;
    Ok(ClaimedQuarantined {
        jobs: read_bare_jobs(row, queue)?,
        scanned_to,
        lane,
        alone: row.try_get("alone")?,
        passed: row.try_get("passed")?,
    })
}

fn read_bare_jobs(row: &PgRow, queue: QueueId) -> Result<Vec<ClaimedJob>, sqlx::Error> {
    let Some(ids) = row.try_get::<Option<Vec<Uuid>>, _>("ids")? else { return Ok(Vec::new()) };
    let kinds: Vec<String> = row.try_get("kinds")?;
    let priorities: Vec<i16> = row.try_get("priorities")?;
    let tickets: Vec<Ticket> = row.try_get("tickets")?;
    let attempts: Vec<i32> = row.try_get("attempts")?;
    let failures: Vec<i16> = row.try_get("failures")?;
    let retries: Vec<i16> = row.try_get("retries")?;
    let max_crashes: Vec<i16> = row.try_get("max_crashes")?;
    let limits: Vec<Option<i16>> = row.try_get("limits")?;
    let keys: Vec<Option<String>> = row.try_get("keys")?;
    let job = |(place, (id, kind)): (usize, (Uuid, String))| ClaimedJob {
        id: id.into(),
        limits: Limit::of_job(limits[place], &kind, keys[place].as_deref(), queue),
        is_rated: Limit::is_rate(limits[place]),
        kind,
        key: None,
        args: None,
        priority: priorities[place],
        ticket: tickets[place],
        address: None,
        attempts: attempts[place],
        failures: failures[place],
        retries: retries[place],
        max_crashes: max_crashes[place],
        meta: Meta::from_json(None),
        due: None,
    };
    Ok(ids.into_iter().zip(kinds).enumerate().map(job).collect())
}

pub(super) fn by_priority(row: &PgRow, column: &str) -> Result<ByPriority, sqlx::Error> {
    let tickets: Vec<Ticket> = row.try_get(column)?;
    tickets.try_into().map_err(|_| sqlx::Error::Decode("there are four priorities".into()))
}

fn raw(json: String) -> Result<Box<RawValue>, sqlx::Error> {
    RawValue::from_string(json).map_err(|error| sqlx::Error::Decode(error.into()))
}
