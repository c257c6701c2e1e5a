//! Workflows are enqueued whole, or not at all: through every target, in one statement or in several.

use std::collections::BTreeMap;

use pgjobq::prelude::*;
use pgjobq::{JobId, Target, WorkflowError};
use sqlx::Connection as _;

use crate::harness::TestDb;

#[job]
async fn wf_item(number: u64) -> Result<u64> {
    Ok(number)
}

#[job]
async fn wf_total(numbers: Vec<u64>) -> Result<u64> {
    Ok(numbers.iter().sum())
}

#[job]
async fn wf_spawn(tx: &mut Tx, items: u64) -> Result<uuid::Uuid> {
    let (flow, _) = fan_in(items);
    let run = flow.enqueue(&mut *tx).await?;
    Ok(run.id().into())
}

/// A workflow that adds numbers: more than a thousand of them are several statements.
fn fan_in(items: u64) -> (Workflow, Step<u64>) {
    let mut flow = Workflow::new("fan in");
    let numbers: Vec<Step<u64>> = (1..=items).map(|number| flow.add(wf_item::step(number))).collect();
    let total = flow.add(wf_total::step(gather(numbers.iter().map(Step::output))));
    (flow, total)
}

const MANY: u64 = 2500;

async fn stored(db: &TestDb) -> (i64, i64, i64) {
    let count = async |table: &str| db.number(&format!("select count(*) from pgjobq.{table}")).await;
    (count("workflows").await, count("steps").await, count("jobs").await)
}

async fn enqueue(items: u64, to: impl Target) -> WorkflowHandle {
    fan_in(items).0.enqueue(to).await.unwrap()
}

on_one_shard!(every_target_takes_a_workflow);
async fn every_target_takes_a_workflow(db: TestDb) {
    for items in [3, MANY] {
        enqueue(items, &db.client).await;
        enqueue(items, &db.pool).await;
        let mut pooled = db.pool.acquire().await.unwrap();
        enqueue(items, &mut pooled).await;
        enqueue(items, &mut *pooled).await;
        enqueue(items, db.client.within(&mut pooled)).await;
        let mut tx = db.pool.begin().await.unwrap();
        enqueue(items, &mut tx).await;
        enqueue(items, &mut *tx).await;
        tx.commit().await.unwrap();
        let count = items as i64;
        assert_eq!(stored(&db).await, (7, 7 * (count + 1), 7 * (count + 1)));
        db.run("truncate pgjobq.workflows, pgjobq.steps, pgjobq.jobs").await;
    }
}

on_one_shard!(workflow_vanishes_with_its_transaction);
async fn workflow_vanishes_with_its_transaction(db: TestDb) {
    for items in [3, MANY] {
        let mut tx = db.pool.begin().await.unwrap();
        enqueue(items, &mut *tx).await;
        tx.rollback().await.unwrap();
        let mut by_hand = db.pool.acquire().await.unwrap().detach();
        sqlx::raw_sql("begin").execute(&mut by_hand).await.unwrap();
        enqueue(items, &mut by_hand).await;
        sqlx::raw_sql("rollback").execute(&mut by_hand).await.unwrap();
        by_hand.close().await.unwrap();
        assert_eq!(stored(&db).await, (0, 0, 0));
    }
}

on_one_shard!(refused_workflow_leaves_nothing);
async fn refused_workflow_leaves_nothing(db: TestDb) {
    let with = |last: pgjobq::NewStep<u64>| {
        let (mut flow, _) = fan_in(MANY);
        flow.add(last.named("the last"));
        flow
    };
    let nowhere = || with(wf_item::step(7).queue("nowhere"));
    let unknown = JobId::new();
    let orphan = || with(wf_item::step(7).after(unknown));
    let no_queue = "the step `the last` of the workflow `fan in`: there is no queue `nowhere`";
    let no_parent = format!(
        "the step `the last` of the workflow `fan in`: the `wf_item` job cannot wait for job {unknown}"
    );
    let refused = |error: WorkflowError, message: &str| {
        assert!(error.to_string().starts_with(message), "{error}");
    };
    refused(nowhere().enqueue(&db.client).await.unwrap_err(), no_queue);
    refused(orphan().enqueue(&db.client).await.unwrap_err(), &no_parent);
    refused(orphan().enqueue(&db.pool).await.unwrap_err(), &no_parent);
    let mut tx = db.pool.begin().await.unwrap();
    refused(nowhere().enqueue(&mut *tx).await.unwrap_err(), no_queue);
    refused(orphan().enqueue(&mut *tx).await.unwrap_err(), &no_parent);
    tx.commit().await.unwrap(); // It goes on after the errors.
    let mut by_hand = db.pool.acquire().await.unwrap().detach();
    sqlx::raw_sql("begin").execute(&mut by_hand).await.unwrap();
    refused(orphan().enqueue(&mut by_hand).await.unwrap_err(), &no_parent);
    sqlx::raw_sql("commit").execute(&mut by_hand).await.unwrap();
    by_hand.close().await.unwrap();
    let mut one = Workflow::new("fan in");
    one.add(wf_item::step(7).after(unknown).named("the last"));
    refused(one.enqueue(&db.client).await.unwrap_err(), &no_parent);
    assert_eq!(stored(&db).await, (0, 0, 0));
}

on_one_shard!(transactional_job_enqueues_a_workflow);
async fn transactional_job_enqueues_a_workflow(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for items in [3, MANY] {
        let id = wf_spawn::call(&db.client, items).await.unwrap();
        let run = WorkflowHandle::from_id(id);
        assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Completed);
        let states = run.status(&db.client).await.unwrap().unwrap().steps;
        assert_eq!(states, BTreeMap::from([(pgjobq::JobState::Completed, items + 1)]));
    }
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(many_outputs_are_gathered_in_order);
async fn many_outputs_are_gathered_in_order(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let (flow, total) = fan_in(MANY);
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.output(&db.client, &total).await.unwrap(), Outcome::Completed(MANY * (MANY + 1) / 2));
    let sql = format!(
        "select (args->'numbers'->>0)::bigint * 10000 + (args->'numbers'->>-1)::bigint from pgjobq.finished where id = '{}'",
        total.id()
    );
    assert_eq!(db.number(&sql).await, 10_000 + MANY as i64);
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Completed);
    worker.shutdown().await.unwrap();
}
