//! From a tick to the start of its job.

use std::time::Duration;

use crate::harness::TestDb;
use crate::jobs::{JOBS, note};

/// The number of ticks to measure.
const TICKS: usize = 10;

on_one_shard!(job_starts_within_a_second_of_its_tick);
async fn job_starts_within_a_second_of_its_tick(db: TestDb) {
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    db.client.schedules().upsert("prompt", note::schedule("* * * * * *", 1)).await.unwrap();
    db.until(&format!("(select count(*) >= {TICKS} from {JOBS} where outcome = 'completed')")).await;
    let outputs: Vec<sqlx::types::Json<(i64, Duration)>> =
        sqlx::query_scalar("select output from pgjobq.finished order by finished_at")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    let mut late: Vec<Duration> = outputs.iter().map(|output| output.0.1).collect();
    late.sort();
    // A machine that is busy for a moment delays some of them.
    let (quarter, slowest) = (late[late.len() / 4], late[late.len() - 1]);
    eprintln!("from tick to start: a quarter within {quarter:?}, slowest {slowest:?} of {}", late.len());
    assert!(quarter < Duration::from_secs(1), "{late:?}");
    assert!(slowest < Duration::from_secs(10), "{late:?}");
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}
