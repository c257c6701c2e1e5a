//! Why is a job not running? Each sentence of the answer, with a scenario made for it.

use pgjobq::prelude::*;
use pgjobq::{Cause, Explanation};

use crate::harness::TestDb;

mod attempts; // A job that runs, and one that is to be cancelled.
mod ends; // A job that has ended, and one that does not exist.
mod line; // A job that workers may take.
mod serving; // A job that no worker takes.
mod unique; // A job that has a unique key, and one that is a duplicate.
mod waits; // A job that is not due.

#[job]
async fn explained(number: u32) {
    let _ = number;
}

/// Explains a job. Each of its causes is one that this version knows.
async fn explain(db: &TestDb, job: JobId) -> Explanation {
    let explanation = db.client.explain(job).await.unwrap();
    let known = explanation.reasons.iter().all(|reason| reason.cause != Cause::Other);
    assert!(known, "{explanation:?}");
    assert!(!explanation.reasons.is_empty());
    explanation
}

/// The codes of an explanation, and its sentences.
async fn said(db: &TestDb, job: JobId) -> (Vec<String>, String) {
    let explanation = explain(db, job).await;
    let codes = explanation.reasons.iter().map(|reason| reason.code.clone()).collect();
    (codes, explanation.to_string())
}

/// The cause that is the most important one.
async fn first_cause(db: &TestDb, job: JobId) -> Cause {
    explain(db, job).await.reasons.swap_remove(0).cause
}

/// Registers a worker that has a row and no process.
async fn register(db: &TestDb, worker: i64, name: &str, queue: &str, kind: &str, slots: u32) {
    db.run(&format!(
        "select pgjobq.register_worker(shard, {worker}, '{name}', '1 hour', '{{{queue}}}', '{{{kind}}}', '{{{slots}}}')
           from pgjobq.lanes group by shard"
    ))
    .await;
}

/// Lets a registered worker claim jobs of the queue `default`.
async fn claim(db: &TestDb, worker: i64, kind: &str, jobs: u32) {
    db.run(&format!(
        "select pgjobq.claim(shard, queue_id, {worker}, {worker}, true, '{{{kind}}}', {jobs}, '{{0,0,0,0}}', null, null)
           from pgjobq.lanes where queue_id = (select id from pgjobq.queues where name = 'default')"
    ))
    .await;
}

on_one_shard!(sql_and_json_say_the_same_as_rust);
async fn sql_and_json_say_the_same_as_rust(db: TestDb) {
    let job = explained::enqueue(&db.client, 1).await.unwrap();
    let explanation = explain(&db, job.id()).await;
    assert_eq!(job.explain(&db.client).await.unwrap(), explanation);
    assert_eq!(db.client.job(job.id()).explain().await.unwrap(), explanation);
    let rows = "(select jsonb_build_object('job', id, 'reasons',
                        (select jsonb_agg(jsonb_build_object('code', code, 'sentence', sentence, 'details', details))
                           from pgjobq.explain(id))) from pgjobq.jobs)";
    let rows: serde_json::Value = serde_json::from_str(&db.text(rows).await).unwrap();
    assert_eq!(serde_json::to_value(&explanation).unwrap(), rows);
}
