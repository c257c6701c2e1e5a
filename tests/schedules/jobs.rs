//! The jobs of these tests, and what the tests ask of the tables.

use std::time::{Duration, SystemTime};

use pgjobq::prelude::*;

use crate::harness::TestDb;

/// Fires at no time at which these tests run, except at the end of a year.
#[job(
    schedule = "0 0 1 1 *",
    timezone = "Europe/Berlin",
    missed = "run_all(3)",
    overlap = "skip",
    jitter = "1h",
    starts = "2020-01-01T00:00:00Z",
    ends = "2999-12-31T23:59:59Z"
)]
pub(crate) async fn yearly() {}

#[job(schedule = [morning = "0 9 1 1 *", evening = "@yearly"])]
pub(crate) async fn twice() {}

/// Returns its tick, in microseconds since 1970, and how long after it the attempt began.
#[job(retain = "1d")]
pub(crate) async fn note(ctx: JobContext, n: i64) -> Result<Option<(i64, Duration)>> {
    let _ = n;
    let Some(tick) = ctx.tick() else { return Ok(None) };
    let since_1970 = tick.at.duration_since(SystemTime::UNIX_EPOCH)?;
    let late = SystemTime::now().duration_since(tick.at).unwrap_or_default();
    Ok(Some((i64::try_from(since_1970.as_micros())?, late)))
}

/// Runs until it is asked to stop.
#[job(retain = "1d")]
pub(crate) async fn linger(ctx: JobContext) -> Result<()> {
    ctx.stop_requested().await;
    Err(JobError::cancel())
}

/// All jobs of a schedule, by their ticks in microseconds since 1970.
pub(crate) const JOBS: &str = "
    (select (j.meta ->> 'tick')::bigint as tick, j.meta ->> 'schedule' as schedule, 'live' as outcome, j.args, null::jsonb as output
       from pgjobq.jobs j where j.meta ? 'schedule'
     union all
     select (f.meta ->> 'tick')::bigint, f.meta ->> 'schedule', f.outcome, f.args, f.output
       from pgjobq.finished f where f.meta ? 'schedule') scheduled";

/// Lets a schedule look as if nobody had looked at it for this long.
pub(crate) async fn neglect(db: &TestDb, name: &str, time: &str) {
    db.run(&format!(
        "update pgjobq.schedules set passed_to = clock_timestamp() - interval '{time}', next_at = clock_timestamp()
          where name = '{name}'"
    ))
    .await;
}

/// Returns the number of jobs that a schedule has enqueued for ticks.
pub(crate) async fn fired(db: &TestDb, name: &str) -> i64 {
    db.number(&format!("select count(*) from {JOBS} where schedule = '{name}' and tick is not null")).await
}
