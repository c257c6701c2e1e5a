//! The jobs of these tests, and what the tests ask of the tables.

use std::sync::{Arc, LazyLock, Mutex};
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

/// Has constant values of its own.
#[job(schedule = "0 0 1 1 *", attributes(team = "ops"), rate = "100 per minute", weight = 50)]
pub(crate) async fn heavy() {}

/// Has ended.
#[job(schedule = "@daily", ends = "2020-01-01T00:00:00Z")]
pub(crate) async fn ended() {}

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

/// The arguments of its first version.
#[derive(serde::Deserialize)]
pub(crate) struct DoubleV1 {
    number: String,
}

impl TryFrom<DoubleV1> for DoubleArgs {
    type Error = std::num::ParseIntError;

    fn try_from(old: DoubleV1) -> Result<Self, std::num::ParseIntError> {
        old.number.parse().map(|n| Self { n })
    }
}

/// Reads arguments of the first version otherwise.
#[job(version = 2, upcast_from = DoubleV1, retain = "1d")]
pub(crate) async fn double(n: i64) -> Result<i64> {
    Ok(2 * n)
}

#[job(redact = password)]
pub(crate) async fn sign_in(user: String, password: String) {
    let _ = (user, password);
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

/// What the programs of a test log, on the thread that it is set for.
#[derive(Clone, Default)]
pub(crate) struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    /// Collects what this thread logs, until the guard is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // While only one subscriber exists, an event that another thread meets first is disabled for all threads.
        static ANOTHER: LazyLock<tracing::Dispatch> =
            LazyLock::new(|| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new()));
        LazyLock::force(&ANOTHER);
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Logged {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Returns the number of jobs that a schedule has enqueued for ticks.
pub(crate) async fn fired(db: &TestDb, name: &str) -> i64 {
    db.number(&format!("select count(*) from {JOBS} where schedule = '{name}' and tick is not null")).await
}
