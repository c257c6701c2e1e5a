//! The cost of a batch of jobs that have come due, that have expired or that are cancelled, beside many others.

use uuid::Uuid;

use crate::limits::at_most;
use crate::server::Db;
use crate::session::Session;
use crate::tables::QUIET;

/// The jobs of one statement.
const BATCH: usize = 100;

/// The statements before the jobs are inserted. After `analyze` the statistics say that the table is empty.
const STATES: [&str; 2] = ["select", "analyze"];

/// The buffers per job of a promotion, an expiry, and a cancellation, in a table of `count` jobs.
async fn buffers_among(count: usize, state: &str) -> [f64; 3] {
    let db = Db::new(&format!("due_{count}_{state}")).await;
    let mut session = Session::new(&db).await;
    session.run(state).await;
    session.fill_due(count).await;
    let _quiet = QUIET.read().await;
    let promoted = session.promote(BATCH).await;
    let ids = "select id from pgjobq.jobs where run_at is not null order by id limit 100";
    let ids: Vec<Uuid> = sqlx::query_scalar(ids).fetch_all(&mut session.stage).await.unwrap();
    let (_, cancelled) = session.cancel(&ids).await;
    let ids = "select id from pgjobq.jobs where run_at is not null order by id limit 100";
    let ids: Vec<Uuid> = sqlx::query_scalar(ids).fetch_all(&mut session.stage).await.unwrap();
    let expired = session.expire(&ids).await;
    [promoted, expired, cancelled].map(|cost| cost.buffers / BATCH as f64)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upkeep_costs_the_same_beside_many_due_jobs() {
    for state in STATES {
        let (few, many) = (buffers_among(1_000, state).await, buffers_among(200_000, state).await);
        for (place, call) in ["promote", "expire", "cancel"].iter().enumerate() {
            let what = format!("buffers per job of a {call} beside 200,000 due jobs, after {state}");
            at_most(&what, many[place], 1.5 * few[place] + 5.0);
        }
    }
}
