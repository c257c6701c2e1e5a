//! Claim, and the peek that goes before it.

use serde_json::value::RawValue;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{ByPriority, Lane, Store};
use crate::meta::Meta;
use crate::{JobId, StoreError};

/// What a worker wants from a lane.
#[derive(Clone, Debug)]
pub struct Claim<'c> {
    pub lane: Lane,
    pub worker: i64,
    /// Made at random, and remembered before the claim is sent.
    pub lease: i64,
    /// Whether to wait for a lane in which another worker claims just now.
    pub wait: bool,
    pub kinds: &'c [&'static str],
    pub want: usize,
    pub near: ByPriority,
    /// The tickets that a peek found, with their priorities: claim those.
    pub found: Option<(Vec<i64>, Vec<i16>)>,
}

/// What it got.
#[derive(Debug)]
pub struct Claimed {
    pub jobs: Vec<ClaimedJob>,
    /// How far each priority has been looked through.
    pub reach: ByPriority,
}

/// A job that this worker holds now.
#[derive(Debug)]
pub struct ClaimedJob {
    pub id: JobId,
    pub kind: String,
    pub args: Box<RawValue>,
    pub priority: i16,
    pub ticket: i64,
    /// How many attempts have ended before.
    pub attempts: i32,
    pub failures: i16,
    pub retries: i16,
    pub crash_budget: i16,
    /// Where it comes from.
    pub meta: Meta,
}

/// A look at one lane.
#[derive(Clone, Copy, Debug)]
pub struct Peek {
    pub lane: Lane,
    pub low: ByPriority,
    pub high: ByPriority,
}

/// What it showed.
#[derive(Clone, Debug, Default)]
pub struct Peeked {
    /// Free tickets, those of the highest priority first, and their priorities.
    pub found: Vec<i64>,
    pub priorities: Vec<i16>,
    /// How far each priority has been looked through.
    pub reach: ByPriority,
    /// Whether a suspect waits.
    pub suspects: bool,
}

impl Store {
    /// Claims jobs of one lane. Never more than were wanted.
    pub async fn claim(&self, claim: Claim<'_>) -> Result<Claimed, StoreError> {
        let (found, found_priorities) = claim.found.unzip();
        let query = sqlx::query(self.sql.claim.clone())
            .bind(claim.lane.shard)
            .bind(claim.lane.queue)
            .bind(claim.worker)
            .bind(claim.lease)
            .bind(claim.wait)
            .bind(claim.kinds)
            .bind(claim.want as i32)
            .bind(claim.near.as_slice())
            .bind(found)
            .bind(found_priorities);
        let row = self.row(query).await?;
        let claimed = read_claimed(&row).map_err(StoreError::Database)?;
        assert!(claimed.jobs.len() <= claim.want, "a claim takes at most what was asked for");
        Ok(claimed)
    }

    /// Claims one job that has been in a crash.
    pub async fn claim_suspect(
        &self,
        lane: Lane,
        worker: i64,
        lease: i64,
        kinds: &[&'static str],
    ) -> Result<Option<ClaimedJob>, StoreError> {
        let query = sqlx::query(self.sql.claim_suspect.clone())
            .bind(lane.shard)
            .bind(lane.queue)
            .bind(worker)
            .bind(lease)
            .bind(kinds);
        let row = self.row(query).await?;
        read_suspect(&row).map_err(StoreError::Database)
    }

    /// Looks at several lanes at once, for up to `want` tickets in each, without touching anything.
    pub async fn peek(
        &self,
        lanes: &[Peek],
        kinds: &[&'static str],
        want: usize,
    ) -> Result<Vec<Peeked>, StoreError> {
        let query = sqlx::query(self.sql.peek.clone())
            .bind(lanes.iter().map(|peek| peek.lane.shard).collect::<Vec<_>>())
            .bind(lanes.iter().map(|peek| peek.lane.queue).collect::<Vec<_>>())
            .bind(kinds)
            .bind(want as i32)
            .bind(lanes.iter().flat_map(|peek| peek.low).collect::<Vec<_>>())
            .bind(lanes.iter().flat_map(|peek| peek.high).collect::<Vec<_>>());
        let rows = self.rows(query).await?;
        let mut peeked = vec![Peeked::default(); lanes.len()];
        for row in &rows {
            let lane: i32 = row.try_get("lane").map_err(StoreError::Database)?;
            peeked[lane as usize - 1] = read_peeked(row).map_err(StoreError::Database)?;
        }
        Ok(peeked)
    }
}

fn read_claimed(row: &PgRow) -> Result<Claimed, sqlx::Error> {
    let reach = by_priority(row)?;
    let Some(ids) = row.try_get::<Option<Vec<Uuid>>, _>("ids")? else {
        return Ok(Claimed { jobs: Vec::new(), reach });
    };
    let kinds: Vec<String> = row.try_get("kinds")?;
    let args: Vec<String> = row.try_get("args")?;
    let priorities: Vec<i16> = row.try_get("priorities")?;
    let tickets: Vec<i64> = row.try_get("tickets")?;
    let attempts: Vec<i32> = row.try_get("attempts")?;
    let failures: Vec<i16> = row.try_get("failures")?;
    let retries: Vec<i16> = row.try_get("retries")?;
    let crash_budgets: Vec<i16> = row.try_get("crash_budgets")?;
    let metas: Vec<Option<String>> = row.try_get("metas")?;
    let mut jobs = Vec::with_capacity(ids.len());
    for (place, ((id, kind), args)) in ids.into_iter().zip(kinds).zip(args).enumerate() {
        jobs.push(ClaimedJob {
            id: id.into(),
            kind,
            args: raw(args)?,
            priority: priorities[place],
            ticket: tickets[place],
            attempts: attempts[place],
            failures: failures[place],
            retries: retries[place],
            crash_budget: crash_budgets[place],
            meta: Meta::from_json(metas[place].as_deref()),
        });
    }
    Ok(Claimed { jobs, reach })
}

fn read_suspect(row: &PgRow) -> Result<Option<ClaimedJob>, sqlx::Error> {
    let Some(id) = row.try_get::<Option<Uuid>, _>("id")? else { return Ok(None) };
    Ok(Some(ClaimedJob {
        id: id.into(),
        kind: row.try_get("kind")?,
        args: raw(row.try_get("args")?)?,
        priority: row.try_get("priority")?,
        ticket: row.try_get("ticket")?,
        attempts: row.try_get("attempt")?,
        failures: row.try_get("failures")?,
        retries: row.try_get("retries")?,
        crash_budget: row.try_get("crash_budget")?,
        meta: Meta::from_json(row.try_get("meta")?),
    }))
}

fn read_peeked(row: &PgRow) -> Result<Peeked, sqlx::Error> {
    Ok(Peeked {
        found: row.try_get::<Option<_>, _>("found")?.unwrap_or_default(),
        priorities: row.try_get::<Option<_>, _>("found_priority")?.unwrap_or_default(),
        reach: by_priority(row)?,
        suspects: row.try_get("suspects")?,
    })
}

fn by_priority(row: &PgRow) -> Result<ByPriority, sqlx::Error> {
    let reach: Vec<i64> = row.try_get("reach")?;
    reach.try_into().map_err(|_| sqlx::Error::Decode("there are four priorities".into()))
}

fn raw(json: String) -> Result<Box<RawValue>, sqlx::Error> {
    RawValue::from_string(json).map_err(|error| sqlx::Error::Decode(error.into()))
}
