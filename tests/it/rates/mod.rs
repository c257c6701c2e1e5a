//! Rates: how many jobs start in any window of time.

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::Probe;

mod changes; // Rates that are changed, and clocks that are.
mod ends; // Retries, crashes, and what becomes of a history.
mod fleet; // Several workers, queues and keys.
mod looks; // When a rate is looked at again.
mod saturated; // How much of an allowance is used.
mod windows; // The arithmetic, against a ledger that remembers every start.

/// The weight in all histories.
const COUNTED: &str = "(select coalesce(sum(w), 0) from pgjobq.starts, unnest(weights) w)";

/// Notes when it was claimed.
#[job(kind = "rates_note", queue = "default")]
async fn note(ctx: JobContext, probe: u64) -> Result<()> {
    write_down(&ctx, probe).await
}

/// The same, at a rate for each key.
#[job(kind = "rates_keyed", queue = "default", key = tenant, rate = "4 per hour")]
async fn keyed(ctx: JobContext, tenant: String, probe: u64) -> Result<()> {
    let _ = tenant;
    write_down(&ctx, probe).await
}

async fn write_down(ctx: &JobContext, probe: u64) -> Result<()> {
    let pool = Probe::of(probe).pool.get().expect("the test has set it").clone();
    let note = "insert into public.ledger
                select coalesce(j.key, ''), coalesce(j.weight, 1), (extract(epoch from l.claimed_at) * 1000000)::bigint
                  from pgjobq.jobs j
                  join pgjobq.leases l on l.shard = j.shard and l.queue_id = j.queue_id
                                      and l.priority = j.priority and l.tickets @> j.ticket
                 where j.id = $1";
    sqlx::query(note).bind(ctx.id().as_uuid()).execute(&pool).await?;
    Ok(())
}

/// A job without a rate.
#[job(kind = "rates_other", queue = "default")]
async fn other() {}

/// Fails again and again.
#[job(kind = "rates_fail", queue = "default", retries = 100, backoff = "1ms")]
async fn fail() -> Result<()> {
    Err("no".into())
}

/// Sets the rates of a kind or a queue, as an operator does: `[[most, microseconds], …]`.
async fn limit(db: &TestDb, scope: &str, name: &str, rates: &str) {
    db.run(&format!(
        "insert into pgjobq.limits (scope, name, overrides)
             values ('{scope}', '{name}', '{{\"rates\": {{\"value\": {rates}}}}}')
             on conflict (scope, name) do update set overrides = excluded.overrides;
         select pgjobq.note_limits(); select pgjobq.announce_limited(null)"
    ))
    .await;
}

/// Makes the ledger, and returns the number of a probe through which job functions find it.
async fn make_ledger(db: &TestDb) -> u64 {
    db.run("create table public.ledger (key text, weight int, at bigint)").await;
    let probe = Probe::new();
    probe.pool.set(db.pool.clone()).unwrap();
    probe.number
}

/// The starts of a key: when, in microseconds, and their weights.
async fn ledger(db: &TestDb, key: &str) -> Vec<(i64, i64)> {
    let starts = "select at, weight::bigint from public.ledger where key = $1 order by at";
    sqlx::query_as(starts).bind(key).fetch_all(&db.pool).await.unwrap()
}

/// Checks that no window of this length has more than `most`. Returns the share of the allowance that was used from the first to
/// the last start.
fn judge(starts: &[(i64, i64)], most: i64, span: i64) -> f64 {
    for (at, _) in starts {
        let within = starts.iter().filter(|(other, _)| (at - span + 1..=*at).contains(other));
        let weight: i64 = within.map(|(_, weight)| weight).sum();
        assert!(weight <= most, "{weight} in the window of {span} us that ends at {at}, and not {most}");
    }
    let (first, last) = (starts.first().unwrap().0, starts.last().unwrap().0);
    let windows = (last - first + span) as f64 / span as f64;
    starts.iter().map(|(_, weight)| weight).sum::<i64>() as f64 / (most as f64 * windows)
}
