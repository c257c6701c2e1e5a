//! A saturated rate uses its allowance. What it leaves unused is measured by how late this machine starts scheduled jobs.

use std::time::Duration;

use pgjobq::prelude::*;

use super::{judge, ledger, limit, make_ledger, note};
use crate::harness::TestDb;
use crate::probe::Probe;

/// At most this many starts in this many microseconds.
const MOST: usize = 20;
const SPAN: i64 = 500_000;

/// Notes how many microseconds after its time it was claimed.
#[job(kind = "rates_due", queue = "default")]
async fn due(ctx: JobContext, probe: u64, delay: i64) -> Result<()> {
    let pool = Probe::of(probe).pool.get().expect("the test has set it").clone();
    let note = "insert into public.late
                select pgjobq.micros(l.claimed_at) - pgjobq.micros(j.created_at) - $2
                  from pgjobq.jobs j
                  join pgjobq.leases l on l.shard = j.shard and l.queue_id = j.queue_id
                                      and l.priority = j.priority and l.tickets @> j.ticket
                 where j.id = $1";
    sqlx::query(note).bind(ctx.id().as_uuid()).bind(delay).execute(&pool).await?;
    Ok(())
}

/// Returns for how long, from the first start to the last one, there was room for one more and none began.
fn idle(starts: &[(i64, i64)]) -> i64 {
    let since_room = |next: usize| {
        let before = starts[next - 1].0;
        let room = next.checked_sub(MOST).map_or(before, |first| (starts[first].0 + SPAN).max(before));
        (starts[next].0 - room).max(0)
    };
    (1..starts.len()).map(since_room).sum()
}

on_one_shard!(saturated_rate_is_hardly_idle);
async fn saturated_rate_is_hardly_idle(db: TestDb) {
    let probe = make_ledger(&db).await;
    db.run("create table public.late (late bigint)").await;
    limit(&db, "kind", "rates_note", &format!("[[{MOST}, {SPAN}]]")).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(db.worker().build().await.unwrap().start());
    }
    db.client.enqueue_all((0..10 * MOST).map(|_| note::job(probe))).await.unwrap();
    let scheduled =
        (1..=100).map(|n| due::job(probe, n * 100_000).delay(Duration::from_millis(n as u64 * 100)));
    db.client.enqueue_all(scheduled).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    let starts = ledger(&db, "").await;
    assert_eq!(starts.len(), 10 * MOST);
    let share = judge(&starts, MOST as i64, SPAN);
    let late = db.number("select avg(late)::bigint from public.late").await;
    let windows = (starts[starts.len() - 1].0 - starts[0].0) / SPAN;
    let each = idle(&starts) / windows;
    println!(
        "{:.0} % of the allowance; idle {each} us of each window, scheduled jobs {late} us late",
        share * 100.0
    );
    assert!(each <= SPAN / 10 + 10 * late, "idle {each} us of each window, scheduled jobs {late} us late");
}
