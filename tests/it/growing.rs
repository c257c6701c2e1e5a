//! Steps that add steps to their own workflow, and steps that follow jobs which were enqueued earlier.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueError, GrowthError, WorkflowError};

use crate::gate::Gate;
use crate::harness::{PATIENCE, TestDb};
use crate::probe::end_of;

#[job(retries = 0)]
pub(crate) async fn growing_square(number: u64) -> Result<u64> {
    Ok(number * number)
}

#[job(retries = 0)]
pub(crate) async fn growing_sum(numbers: Vec<u64>) -> Result<u64> {
    Ok(numbers.iter().sum())
}

#[job(retries = 0)]
async fn growing_describe(of: Result<u64, Failure>, and: u64) -> Result<String> {
    Ok(format!("{:?} and {and}", of.map_err(|failure| failure.message().to_owned())))
}

#[job(retries = 0)]
async fn growing_fail() -> Result<u64> {
    Err("the disk is full".into())
}

/// Adds a step for each number up to `count`, and one that adds up their results. The first attempts fail after that.
#[job(retries = 5, backoff = "1ms")]
async fn growing_list(ctx: JobContext, count: u64, failures: u32) -> Result<u64> {
    let growth = ctx.workflow()?;
    let squares: Vec<Step<u64>> = (1..=count).map(|n| growth.add(growing_square::step(n))).collect();
    growth.add(growing_sum::step(gather(squares.iter().map(Step::output))).named("sum"));
    if ctx.failures() < failures { Err("not yet".into()) } else { Ok(count) }
}

/// Adds a step, and then waits at a gate.
#[job(retries = 0)]
async fn growing_wait(ctx: JobContext, gate: String, queue: String) -> Result<()> {
    ctx.workflow()?.add(growing_square::step(3).queue(queue));
    let gate = Gate::named(gate);
    gate.enter(&ctx).await;
    Ok(())
}

/// Adds a step that reads the output of a job, with a handle of the wrong kind.
#[job(retries = 0)]
async fn growing_misread(ctx: JobContext, job: JobId) -> Result<()> {
    ctx.workflow()?.add(growing_square::step(growing_square::handle(job).output()));
    Ok(())
}

#[job(retries = 0)]
async fn growing_transactional(ctx: JobContext, tx: &mut Tx) -> Result<()> {
    let _ = tx;
    assert!(matches!(ctx.workflow(), Err(GrowthError::Transactional(_))));
    Ok(())
}

#[job(retries = 0)]
async fn growing_alone(ctx: JobContext) -> Result<String> {
    Ok(ctx.workflow().unwrap_err().to_string())
}

pub(crate) async fn outcome(db: &TestDb, run: &WorkflowHandle) -> WorkflowOutcome {
    run.wait_timeout(&db.client, PATIENCE).await.unwrap()
}

on_one_and_eight_shards!(step_adds_steps_that_commit_with_its_completion);
async fn step_adds_steps_that_commit_with_its_completion(db: TestDb) {
    let mut flow = Workflow::new("growing");
    let list = flow.add(growing_list::step(4, 2));
    flow.add(growing_square::step(list.output()));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(db.without_backoff(outcome(&db, &run)).await, WorkflowOutcome::Completed);
    // Two attempts failed, and what they had added is gone.
    assert_eq!(db.number("select count(*) from pgjobq.steps").await, 7);
    let sum = "select string_agg(f.output::text, ',') from pgjobq.finished f join pgjobq.steps s on s.job = f.id where s.name = 'sum'";
    assert_eq!(db.text(sum).await, "30");
    assert_eq!(db.number("select live from pgjobq.workflows").await, 0);
    db.until("not exists (select from pgjobq.unsettled)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(steps_that_are_added_may_add_others);
async fn steps_that_are_added_may_add_others(db: TestDb) {
    let mut flow = Workflow::new("deep");
    flow.add(growing_deeper::step(5));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Completed);
    assert_eq!(db.number("select count(*) from pgjobq.steps where outcome = 'completed'").await, 6);
    worker.shutdown().await.unwrap();
}

#[job(retries = 0)]
async fn growing_deeper(ctx: JobContext, left: u32) -> Result<()> {
    if left > 0 {
        ctx.workflow()?.add(growing_deeper::step(left - 1));
    }
    Ok(())
}

on_one_shard!(stale_completion_adds_no_steps);
async fn stale_completion_adds_no_steps(db: TestDb) {
    let gate = Gate::new();
    let mut flow = Workflow::new("stale");
    flow.add(growing_wait::step(&gate.name, "default"));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    // Another session has taken the job from its lease, and it runs elsewhere later.
    db.run("update pgjobq.jobs set ticket = null, run_at = clock_timestamp() + interval '1 hour'").await;
    gate.open();
    db.until("not exists (select from pgjobq.leases)").await;
    assert_eq!(db.number("select count(*) from pgjobq.steps").await, 1);
    assert_eq!(db.number("select live from pgjobq.workflows").await, 1);
    db.run("update pgjobq.jobs set run_at = clock_timestamp()").await;
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Completed);
    assert_eq!(db.number("select count(*) from pgjobq.steps").await, 2);
    worker.shutdown().await.unwrap();
}

on_one_shard!(cancelled_workflow_cancels_steps_that_are_added);
async fn cancelled_workflow_cancels_steps_that_are_added(db: TestDb) {
    let gate = Gate::new();
    let mut flow = Workflow::new("cancelled");
    flow.add(growing_wait::step(&gate.name, "default"));
    let run = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    // The request reaches the row of the workflow, and no attempt hears of it.
    db.run(&format!(
        "select pgjobq.cancel_workflow('{}'); select pgjobq.pass_cancel_on(0::smallint)",
        run.id()
    ))
    .await;
    gate.open();
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Cancelled);
    assert_eq!(
        db.number(
            "select count(*) from pgjobq.steps where outcome = 'cancelled' and kind = 'growing_square'"
        )
        .await,
        1
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(step_that_adds_invalid_steps_is_dead);
async fn step_that_adds_invalid_steps_is_dead(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let gate = Gate::new();
    gate.open();
    let mut flow = Workflow::new("invalid");
    let unknown = flow.add(growing_wait::step(&gate.name, "nowhere"));
    let many = flow.add(growing_list::step(10_000, 0));
    let later = growing_alone::job().delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let misread = flow.add(growing_misread::step(later.id()));
    let nobodys = growing_alone::job().job_id(); // Of a job that is never enqueued.
    let missing = flow.add(growing_misread::step(nobodys));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Failed);
    let Outcome::Dead(failure) = end_of(&db.client, &unknown.handle()).await else { panic!() };
    assert!(
        failure.message().contains("it adds steps to its workflow, but there is no queue `nowhere`"),
        "{failure}"
    );
    let Outcome::Dead(failure) = end_of(&db.client, &misread.handle()).await else { panic!() };
    let misread = format!(
        "one of which waits for job {}, which is of the kind `growing_alone`, not of that of its handle",
        later.id()
    );
    assert!(failure.message().contains(&misread), "{failure}");
    let Outcome::Dead(failure) = end_of(&db.client, &missing.handle()).await else { panic!() };
    let missing = format!("one of which waits for job {nobodys}, which does not exist in this schema");
    assert!(failure.message().contains(&missing), "{failure}");
    let Outcome::Dead(failure) = end_of(&db.client, &many.handle()).await else { panic!() };
    assert_eq!(failure.message(), "it adds 10001 steps to its workflow, more than the limit of 10000");
    assert_eq!(db.number("select count(*) from pgjobq.steps").await, 4);
    worker.shutdown().await.unwrap();
}

on_one_shard!(only_steps_without_a_transaction_add_steps);
async fn only_steps_without_a_transaction_add_steps(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let alone = growing_alone::enqueue(&db.client).await.unwrap();
    let Outcome::Completed(refused) = end_of(&db.client, &alone).await else { panic!() };
    assert_eq!(
        refused,
        format!("job {} is no step of a workflow, so it cannot add steps to one", alone.id())
    );
    let mut flow = Workflow::new("transactional");
    flow.add(growing_transactional::step());
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Completed);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(step_reads_results_of_earlier_jobs);
async fn step_reads_results_of_earlier_jobs(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let gate = Gate::new();
    let held = gate.job().enqueue(&db.client).await.unwrap();
    let early = growing_square::enqueue(&db.client, 5).await.unwrap();
    let _ = end_of(&db.client, &early).await;
    let late = growing_square::job(6).after(&held).enqueue(&db.client).await.unwrap();
    let fails = growing_fail::job().after(&held).enqueue(&db.client).await.unwrap();
    let mut flow = Workflow::new("after earlier jobs");
    let own = flow.add(growing_square::step(2));
    let sum = flow.add(growing_sum::step(gather([early.output(), own.output(), late.output()])));
    let text = flow.add(growing_describe::step(fails.result(), sum.output()));
    let cancelled = flow.add(growing_square::step(1).after(&fails));
    let run = flow.enqueue(&db.client).await.unwrap();
    gate.open();
    assert_eq!(outcome(&db, &run).await, WorkflowOutcome::Failed);
    assert_eq!(end_of(&db.client, &sum.handle()).await, Outcome::Completed(65));
    let described = end_of(&db.client, &text.handle()).await;
    assert_eq!(described, Outcome::Completed("Err(\"the disk is full\") and 65".to_owned()));
    assert_eq!(end_of(&db.client, &cancelled.handle()).await, Outcome::Cancelled);
    db.until("not exists (select from pgjobq.edges)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(workflow_after_an_unknown_job_is_refused);
async fn workflow_after_an_unknown_job_is_refused(db: TestDb) {
    let nobody = JobId::new();
    // The step is in the second statement, which comes too late to refuse the first.
    let mut flow = Workflow::new("unknown");
    for number in 0..1500 {
        flow.add(growing_square::step(number));
    }
    flow.add(growing_square::step(7).after(nobody));
    let mut tx = db.pool.begin().await.unwrap();
    let error = flow.enqueue(&mut *tx).await.unwrap_err();
    let WorkflowError::Step { error, .. } = error else { panic!("{error}") };
    let EnqueueError::UnknownParent { parent, .. } = *error else { panic!("{error}") };
    assert_eq!(parent, nobody);
    tx.commit().await.unwrap();
    assert_eq!(
        db.number("select (select count(*) from pgjobq.jobs) + (select count(*) from pgjobq.workflows)")
            .await,
        0
    );
}
