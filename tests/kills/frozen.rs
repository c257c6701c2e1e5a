//! A worker is stopped for longer than its lease, and continues. Its jobs have run elsewhere: its stale results change
//! nothing, and its handlers are asked to stop.

use std::collections::BTreeMap;
use std::time::Duration;

use pgjobq::sqlx::{self, Row};

use crate::process::Process;
use crate::{Stage, jobs};

pub(crate) async fn run() -> String {
    let stage = Stage::new().await;
    wakes_after_its_jobs_have_ended(&stage).await;
    wakes_while_its_job_runs_elsewhere(&stage).await;
    "40 jobs of a frozen worker completed elsewhere; 20 handlers were asked to stop, 41 late results changed nothing"
        .to_owned()
}

async fn wakes_after_its_jobs_have_ended(stage: &Stage) {
    let zombie = Process::start(&stage.url, 40);
    stage.client.enqueue_all((0..20).map(|_| jobs::wait_for_loss::job())).await.unwrap();
    stage.client.enqueue_all((0..20).map(|_| jobs::sleep_through::job(400))).await.unwrap();
    stage.until("(select count(*) from ledger) = 40").await;
    assert_eq!(stage.number("select count(*) from pgjobq.finished").await, 0, "none has ended yet");
    zombie.freeze();

    let other = Process::start(&stage.url, 40);
    stage.until("(select count(*) from pgjobq.finished) = 40").await;
    let before = rows(stage).await;

    zombie.thaw();
    let zombie_id = zombie.id();
    let asked = format!("select count(*) from ledger where process = {zombie_id} and asked_at is not null");
    stage.until(&format!("({asked}) = 20")).await;
    stage
        .until(&format!(
            "(select count(*) from ledger where process = {zombie_id} and ended_at is not null) = 40"
        ))
        .await;
    // It continues under another identity, like a new worker.
    other.shut_down().await;
    jobs::work::call(&stage.client, 1).await.unwrap();
    zombie.shut_down().await; // It has sent all its results.

    let mut after = rows(stage).await;
    after.retain(|id, _| before.contains_key(id));
    assert_eq!(after, before, "a stale result changed something");
    let by_other = "select count(*) from pgjobq.finished where attempt = 2 and crashes = 1 and failures = 0
                       and outcome = 'completed' and output::int <> ";
    assert_eq!(stage.number(&format!("{by_other} {zombie_id}")).await, 40);
    assert_eq!(stage.number("select count(*) from pgjobq.failures").await, 0);
    assert_eq!(stage.number("select count(*) from pgjobq.jobs").await, 0);
}

async fn wakes_while_its_job_runs_elsewhere(stage: &Stage) {
    let zombie = Process::start(&stage.url, 1);
    let job = jobs::run_beside::enqueue(&stage.client, 400).await.unwrap();
    let runs = |condition: &str| {
        format!("(select count(*) from ledger where job = '{}' and {condition}) = 1", job.id())
    };
    stage.until(&runs("attempt = 1")).await;
    zombie.freeze();
    let other = Process::start(&stage.url, 1);
    stage.until(&runs("attempt = 2")).await;
    let row = "select xmin::text || ' ' || j::text from pgjobq.jobs j";
    let before: String = sqlx::query_scalar(row).fetch_one(&stage.pool).await.unwrap();

    zombie.thaw();
    stage.until(&runs("attempt = 1 and ended_at is not null")).await;
    zombie.shut_down().await; // It has sent all its results.
    let after: Option<String> = sqlx::query_scalar(row).fetch_optional(&stage.pool).await.unwrap();
    assert_eq!(after, Some(before), "a stale result changed a job that runs elsewhere");
    sqlx::query("insert into gate values (true)").execute(&stage.pool).await.unwrap();
    let outcome = job.wait_timeout(&stage.client, Duration::from_secs(60)).await.unwrap();
    assert_eq!(outcome.completed(), Some(other.id()));
    other.shut_down().await;
}

/// The finished jobs, each with the transaction that wrote its row.
async fn rows(stage: &Stage) -> BTreeMap<String, String> {
    let rows =
        sqlx::query("select id::text as id, xmin::text || ' ' || f::text as row from pgjobq.finished f");
    let rows = rows.fetch_all(&stage.pool).await.unwrap();
    rows.iter().map(|row| (row.get("id"), row.get("row"))).collect()
}
