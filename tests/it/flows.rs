//! Workflows of typed steps, from the enqueue to the end.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{JobState, ResumeError, RetryError, WaitError};

use crate::harness::TestDb;
use crate::probe::end_of;

#[job]
async fn wf_length(path: String) -> Result<u64> {
    Ok(path.len() as u64)
}

#[job]
async fn wf_double(number: u64, add: u64) -> Result<u64> {
    Ok(2 * number + add)
}

#[job]
async fn wf_sum(numbers: Vec<u64>, from: Option<u64>) -> Result<u64> {
    Ok(numbers.iter().sum::<u64>() + from.unwrap_or_default())
}

#[job]
async fn wf_describe(pair: (u64, std::result::Result<u64, Failure>)) -> Result<String> {
    Ok(match pair {
        (number, Ok(other)) => format!("{number} and {other}"),
        (number, Err(failure)) => format!("{number}, but {}: {failure}", failure.state),
    })
}

/// Nothing is kept of it once it has completed.
#[job(retries = 0, retain = "0s")]
async fn wf_touch(fails: bool) -> Result<()> {
    if fails { Err("it cannot be touched".into()) } else { Ok(()) }
}

#[job]
async fn wf_touched(nothing: (), first: std::result::Result<(), Failure>) -> Result<String> {
    let () = nothing;
    Ok(first.map_or_else(|failure| failure.message().to_owned(), |()| "touched".to_owned()))
}

#[job(retries = 0)]
async fn wf_fail(number: u64) -> Result<u64> {
    Err(format!("no {number}").into())
}

#[job]
async fn wf_note(text: String) -> Result<String> {
    Ok(text)
}

on_one_shard!(step_that_is_not_kept_hands_its_end_on);
async fn step_that_is_not_kept_hands_its_end_on(db: TestDb) {
    let mut flow = Workflow::new("unkept");
    let (good, bad) = (flow.add(wf_touch::step(false)), flow.add(wf_touch::step(true)));
    let after = [&good, &bad].map(|step| flow.add(wf_touched::step(good.output(), step.result())));
    let _ = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &after[0].handle()).await, Outcome::Completed("touched".to_owned()));
    assert_eq!(
        end_of(&db.client, &after[1].handle()).await,
        Outcome::Completed("it cannot be touched".to_owned())
    );
    assert_eq!(
        db.number("select count(*) from pgjobq.finished where outcome = 'completed' and kind = 'wf_touch'")
            .await,
        0
    );
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(outputs_are_arguments_of_other_steps);
async fn outputs_are_arguments_of_other_steps(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("outputs");
    let length = flow.add(wf_length::step("a.mp4"));
    let doubled = [0, 1, 2].map(|add| flow.add(wf_double::step(length.output(), add)));
    let sum = flow.add(wf_sum::step(gather(doubled.iter().map(Step::output)), Some(100)));
    let shown = flow.add(wf_describe::step(gather((length.output(), sum.result()))));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert!(run.is_new());
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Completed);
    assert_eq!(run.output(&db.client, &sum).await.unwrap(), Outcome::Completed(133));
    assert_eq!(run.output(&db.client, &shown).await.unwrap(), Outcome::Completed("5 and 133".to_owned()));
    let status = run.status(&db.client).await.unwrap().unwrap();
    assert_eq!((status.name.as_str(), status.total(), status.ended()), ("outputs", 6, 6));
    assert_eq!(status.outcome, Some(WorkflowOutcome::Completed));
    worker.shutdown().await.unwrap();
}

on_one_shard!(failed_parent_cancels_what_needs_it);
async fn failed_parent_cancels_what_needs_it(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("failing");
    let length = flow.add(wf_length::step("a.mp4"));
    let failing = flow.add(wf_fail::step(7).named("the \"seventh\""));
    let child = flow.add(wf_double::step(failing.output(), 1));
    let grandchild = flow.add(wf_note::step("never").after(&child));
    let shown = flow.add(wf_describe::step(gather((length.output(), failing.result()))));
    let cleaned = flow.add(wf_note::step("cleaned").after_any_end((&child, &grandchild)));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Failed);
    let described = Outcome::Completed("5, but dead: no 7 (attempt 1)".to_owned());
    assert_eq!(run.output(&db.client, &shown).await.unwrap(), described);
    assert_eq!(run.output(&db.client, &cleaned).await.unwrap(), Outcome::Completed("cleaned".to_owned()));
    assert_eq!(run.output(&db.client, &grandchild).await.unwrap(), Outcome::Cancelled);
    let cancelled = child.handle().status(&db.client).await.unwrap().unwrap().cancelled.unwrap();
    let reason = format!("its parent `the \"seventh\"` ({}) is dead: no 7", failing.id());
    assert_eq!(cancelled.reason, Some(reason));
    let graph = run.graph(&db.client).await.unwrap().unwrap();
    let mermaid = graph.mermaid();
    assert!(mermaid.contains("s2[\"the #34;seventh#34;<br/>dead\"]:::bad"), "{mermaid}");
    assert!(mermaid.contains("s2 --> s3\n    s2 -.-> s5\n"), "{mermaid}");
    worker.shutdown().await.unwrap();
}

static REPAIRED: AtomicBool = AtomicBool::new(false);
static FETCHES: AtomicU32 = AtomicU32::new(0);

#[job]
async fn wf_fetch() -> Result<u64> {
    FETCHES.fetch_add(1, Ordering::SeqCst);
    Ok(7)
}

#[job(retries = 0)]
async fn wf_store(number: u64) -> Result<u64> {
    if REPAIRED.load(Ordering::SeqCst) { Ok(number) } else { Err("the disk is full".into()) }
}

on_one_shard!(retry_runs_only_what_did_not_complete);
async fn retry_runs_only_what_did_not_complete(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("retried");
    let number = flow.add(wf_fetch::step());
    let stored = flow.add(wf_store::step(number.output()));
    let last = flow.add(wf_double::step(stored.output(), 1));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Failed);
    REPAIRED.store(true, Ordering::SeqCst);
    // Neither the status nor the retry needs any of the jobs that ended.
    db.run("delete from pgjobq.finished").await;
    let status = run.status(&db.client).await.unwrap().unwrap();
    let count = |state| status.count(state);
    let states = [pgjobq::JobState::Completed, pgjobq::JobState::Dead, pgjobq::JobState::Cancelled];
    assert_eq!((status.total(), states.map(count)), (3, [1, 1, 1]));
    assert_eq!(run.retry_failed(&db.client).await.unwrap(), 2);
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Completed);
    assert_eq!(run.output(&db.client, &last).await.unwrap(), Outcome::Completed(15));
    assert_eq!(FETCHES.load(Ordering::SeqCst), 1);
    assert_eq!(run.retry_failed(&db.client).await.unwrap(), 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(retry_waits_no_longer_than_for_a_statement);
async fn retry_waits_no_longer_than_for_a_statement(db: TestDb) {
    let mut flow = Workflow::new("busy");
    flow.add(wf_fetch::step());
    let run = flow.enqueue(&db.client).await.unwrap();
    // An end of a step that no worker has settled yet.
    db.run("insert into pgjobq.unsettled (shard, workflow, n) select shard, id, 0 from pgjobq.workflows")
        .await;
    let begun = std::time::Instant::now();
    let retry = pgjobq::with_statement_timeout(Duration::from_secs(5), run.retry_failed(&db.client));
    let error = retry.await.unwrap_err();
    assert!(matches!(error, RetryError::Busy { .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

on_one_shard!(held_step_waits_for_a_person);
async fn held_step_waits_for_a_person(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("held");
    let failing = flow.add(wf_fail::step(7));
    let held = flow.add(wf_note::step("resumed").after(&failing).hold_on_failure());
    let needs = flow.add(wf_double::step(failing.output(), 1).hold_on_failure());
    let run = flow.enqueue(&db.client).await.unwrap();
    let count = async |state| run.status(&db.client).await.unwrap().unwrap().count(state);
    db.until("select count(*) = 2 from pgjobq.job_states where state = 'held'").await;
    assert_eq!((count(JobState::Held).await, count(JobState::Dead).await), (2, 1));
    assert!(run.resume(&db.client, &held).await.unwrap());
    assert_eq!(run.output(&db.client, &held).await.unwrap(), Outcome::Completed("resumed".to_owned()));
    assert!(!run.resume(&db.client, &held).await.unwrap());
    let details = db.client.job(needs.id()).details().await.unwrap().unwrap();
    let (of, n) = details.step_of.unwrap();
    let by_number = WorkflowHandle::from_id(of).resume_step(&db.client, n).await.unwrap_err().to_string();
    assert!(by_number.contains("it needs the output of its parent `wf_fail`"), "{by_number}");
    assert!(!run.resume_step(&db.client, 777).await.unwrap(), "there is no such step");
    let refused = run.resume(&db.client, &needs).await.unwrap_err();
    assert!(matches!(refused, ResumeError::CannotRun { .. }), "{refused}");
    assert!(run.cancel(&db.client).by("ada").because("nobody needs it").await.unwrap());
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Cancelled);
    assert_eq!(run.output(&db.client, &needs).await.unwrap(), Outcome::Cancelled);
    let status = run.status(&db.client).await.unwrap().unwrap();
    assert_eq!(
        (status.cancelled_by.as_deref(), status.cancelled_for.as_deref()),
        (Some("ada"), Some("nobody needs it"))
    );
    assert!(!run.cancel(&db.client).await.unwrap());
    worker.shutdown().await.unwrap();
}

on_one_shard!(steps_for_the_end_run_last);
async fn steps_for_the_end_run_last(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for fails in [false, true] {
        let mut flow = Workflow::new("ends");
        let celebrate = flow.on_complete(wf_note::step("good"));
        let alert = flow.on_failure(wf_note::step("bad"));
        if fails {
            flow.add(wf_fail::step(7));
        } else {
            flow.add(wf_length::step("a.mp4"));
        }
        let run = flow.enqueue(&db.client).await.unwrap();
        let (runs, is_left_out) = if fails { (&alert, &celebrate) } else { (&celebrate, &alert) };
        assert_eq!(run.output(&db.client, is_left_out).await.unwrap(), Outcome::Cancelled);
        assert!(matches!(run.output(&db.client, runs).await.unwrap(), Outcome::Completed(_)));
        let ended = if fails { WorkflowOutcome::Failed } else { WorkflowOutcome::Completed };
        assert_eq!(run.wait(&db.client).await.unwrap(), ended);
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(deadline_cancels_what_is_left);
async fn deadline_cancels_what_is_left(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut flow = Workflow::new("late");
    flow.deadline(Duration::from_millis(10));
    let late = flow.add(wf_note::step("never").delay(Duration::from_secs(3600)));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Cancelled);
    assert_eq!(run.output(&db.client, &late).await.unwrap(), Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(step_takes_the_output_of_an_earlier_job);
async fn step_takes_the_output_of_an_earlier_job(db: TestDb) {
    let earlier = wf_length::enqueue(&db.client, "ended".to_owned()).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(earlier.wait(&db.client).await.unwrap(), Outcome::Completed(5));
    let mut first = Workflow::new("first");
    let inner = first.add(wf_double::step(earlier.output(), 1));
    let failing = first.add(wf_fail::step(7));
    let run = first.enqueue(&db.client).await.unwrap();
    let mut second = Workflow::new("second");
    let sum =
        second.add(wf_sum::step(gather([inner.handle().output(), earlier.output()]), None).after(&earlier));
    let shown = second.add(wf_describe::step(gather((sum.output(), failing.handle().result()))));
    let cancelled = second.add(wf_note::step("never").after(failing.id()));
    let next = second.enqueue(&db.client).await.unwrap();
    assert_eq!(next.output(&db.client, &sum).await.unwrap(), Outcome::Completed(16));
    let described = Outcome::Completed("16, but dead: no 7 (attempt 1)".to_owned());
    assert_eq!(next.output(&db.client, &shown).await.unwrap(), described);
    assert_eq!(next.output(&db.client, &cancelled).await.unwrap(), Outcome::Cancelled);
    assert_eq!(next.wait(&db.client).await.unwrap(), WorkflowOutcome::Failed);
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Failed);
    worker.shutdown().await.unwrap();
}

on_one_shard!(included_workflow_is_one_step);
async fn included_workflow_is_one_step(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let count = |path: &str| {
        let mut flow = Workflow::new(format!("count {path}"));
        let length = flow.add(wf_length::step(path));
        let doubled = flow.add(wf_double::step(length.output(), 1));
        flow.add(wf_note::step("beside"));
        flow.returning(&doubled)
    };
    let mut flow = Workflow::new("count all");
    let counts = ["a", "bb", "ccc"].map(|path| flow.include(count(path)));
    let sum = flow.add(wf_sum::step(gather(counts.each_ref().map(Step::output)), None));
    let after = flow.add(wf_note::step("after all").after(&counts));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.output(&db.client, &sum).await.unwrap(), Outcome::Completed(15));
    assert_eq!(run.output(&db.client, &counts[1]).await.unwrap(), Outcome::Completed(5));
    assert!(matches!(run.output(&db.client, &after).await.unwrap(), Outcome::Completed(_)));
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Completed);
    assert_eq!(run.status(&db.client).await.unwrap().unwrap().total(), 11);
    worker.shutdown().await.unwrap();
}

on_one_shard!(handle_is_rebuilt_from_an_id);
async fn handle_is_rebuilt_from_an_id(db: TestDb) {
    let build = |id: uuid::Uuid| {
        let mut flow = Workflow::with_id(id, "rebuilt");
        let length = flow.add(wf_length::step("a.mp4"));
        (flow, length)
    };
    let id = uuid::Uuid::now_v7();
    let (flow, _) = build(id);
    flow.enqueue(&db.client).await.unwrap();
    let other = Client::new(db.pool.clone());
    let ((again, length), run) = (build(id), WorkflowHandle::from_id(id));
    assert!(!again.enqueue(&other).await.unwrap().is_new());
    let timed_out = run.wait_timeout(&other, Duration::ZERO).await.unwrap_err();
    assert!(matches!(timed_out, WaitError::WorkflowTimedOut { .. }), "{timed_out}");
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(run.output(&other, &length).await.unwrap(), Outcome::Completed(5));
    assert_eq!(run.wait(&other).await.unwrap(), WorkflowOutcome::Completed);
    worker.shutdown().await.unwrap();
}

on_one_shard!(handles_of_others_are_refused);
async fn handles_of_others_are_refused(db: TestDb) {
    let unknown = WorkflowHandle::from_id(uuid::Uuid::now_v7());
    let missing = unknown.wait(&db.client).await.unwrap_err();
    assert!(matches!(missing, WaitError::NoWorkflow { .. }), "{missing}");
    assert!(unknown.status(&db.client).await.unwrap().is_none());
    assert!(unknown.graph(&db.client).await.unwrap().is_none());
    assert!(!unknown.cancel(&db.client).await.unwrap());
    assert_eq!(unknown.retry_failed(&db.client).await.unwrap(), 0);
    let mut flow = Workflow::new("other");
    let step = flow.add(wf_length::step("a.mp4"));
    let foreign = unknown.output(&db.client, &step).await.unwrap_err().to_string();
    assert!(foreign.starts_with("the step `wf_length` is of the workflow `other`"), "{foreign}");
    let job = wf_length::enqueue(&db.client, String::new()).await.unwrap();
    let of_job = WorkflowHandle::from_id(uuid::Uuid::from(job.id())).wait(&db.client).await.unwrap_err();
    assert!(matches!(of_job, WaitError::NoWorkflow { .. }), "{of_job}");
}
