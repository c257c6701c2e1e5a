//! Dead jobs: a person lists, requeues and purges them.

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, EnqueueError, FailureReason, JobState, RequeueError, RequeueOutcome};

use crate::harness::TestDb;
use crate::probe::end_of;

/// Divides; fails on zero.
#[job(retries = 0, redact = secret)]
async fn divide(by: u32, secret: String) -> Result<u32> {
    let _ = secret;
    100_u32.checked_div(by).ok_or_else(|| "divided by zero".into())
}

#[job(queue = "sums", retries = 0)]
async fn sum(numbers: Vec<u8>) -> Result<u8> {
    numbers.into_iter().try_fold(0_u8, u8::checked_add).ok_or_else(|| "too much".into())
}

/// Divides, with other arguments.
#[job]
async fn halve(number: u32) -> Result<u32> {
    Ok(number / 2)
}

async fn wreck(db: &TestDb, divisions: usize, sums: usize) -> pgjobq::RunningWorker {
    let worker = db.worker().queue("sums", 5).build().await.unwrap().start();
    db.client.enqueue_all((0..divisions).map(|_| divide::job(0, "hush".to_owned()))).await.unwrap();
    db.client.enqueue_all((0..sums).map(|_| sum::job(vec![200, 200]))).await.unwrap();
    db.until(&format!("(select count(*) from pgjobq.finished) = {}", divisions + sums)).await;
    worker
}

on_one_and_eight_shards!(dead_jobs_are_listed_in_pages_with_every_failure);
async fn dead_jobs_are_listed_in_pages_with_every_failure(db: TestDb) {
    let worker = wreck(&db, 3, 4).await;
    let all = db.client.dead_jobs().list(100).await.unwrap();
    assert_eq!(all.len(), 7);
    assert!(all.is_sorted_by(|a, b| (a.finished_at, a.id) > (b.finished_at, b.id)), "the latest first");
    let divided = db.client.dead_jobs().kind("divide").list(100).await.unwrap();
    let first = &divided[0];
    assert_eq!(
        (divided.len(), first.state, &*first.queue, first.attempts, first.failures),
        (3, JobState::Dead, "default", 1, 1)
    );
    assert_eq!(first.args, r#"{"by": 0, "secret": "[redacted]"}"#);
    let failed = &first.errors[0];
    assert_eq!(
        (failed.attempt, failed.reason, &*failed.message),
        (1, FailureReason::Error, "divided by zero")
    );
    assert!(failed.at.is_some() && failed.worker.is_some());
    let page = db.client.dead_jobs().queue("sums").list(3).await.unwrap();
    let next = db.client.dead_jobs().queue("sums").before(&page[2]).list(3).await.unwrap();
    assert_eq!((page.len(), next.len()), (3, 1));
    assert_eq!(db.client.dead_jobs().queue("no_such").list(9).await.unwrap(), []);
    assert_eq!(db.client.cancelled_jobs().list(9).await.unwrap(), []);
    assert_eq!(
        db.text("select string_agg(distinct args->>'secret', '') from pgjobq.job_states").await,
        "[redacted]"
    );
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(requeued_jobs_run_again_with_mended_arguments);
async fn requeued_jobs_run_again_with_mended_arguments(db: TestDb) {
    let worker = wreck(&db, 2, 700).await;
    let id = db.client.dead_jobs().kind("divide").list(1).await.unwrap()[0].id;
    let answer = divide::handle(id).requeue_as(&db.client, divide::job(4, "hush".to_owned())).await.unwrap();
    assert_eq!(answer, RequeueOutcome::Requeued);
    assert_eq!(end_of(&db.client, &divide::handle(id)).await, Outcome::Completed(25));
    let other = db.client.dead_jobs().kind("divide").list(1).await.unwrap()[0].id;
    db.client.job(other).requeue_as(halve::job(8)).await.unwrap();
    assert_eq!(
        end_of(&db.client, &halve::handle(other)).await,
        Outcome::Completed(4),
        "the requeued job has the other kind"
    );
    let status = divide::handle(id).status(&db.client).await.unwrap().unwrap();
    assert_eq!((status.attempts, status.failures), (2, 0), "attempts go on counting");
    let refused = divide::handle(id)
        .requeue_as(&db.client, divide::job(1, String::new()).queue("nowhere"))
        .await
        .unwrap_err();
    assert!(matches!(refused, RequeueError::Job(EnqueueError::UnknownQueue { .. })), "{refused}");

    assert_eq!(db.client.dead_jobs().queue("sums").requeue().await.unwrap(), 700, "in several batches");
    let again =
        "(select count(*) from pgjobq.finished where kind = 'sum' and jsonb_array_length(errors) = 2) = 700";
    db.until(again).await; // Dead again, with its earlier failures.
    assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 700);
    assert_eq!(db.client.dead_jobs().list(9).await.unwrap(), []);
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome <> 'completed'").await, 0);
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.failures").await, 0);
}

on_one_shard!(numbers_of_dead_jobs_keep_every_digit);
async fn numbers_of_dead_jobs_keep_every_digit(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let numbers = ["12345678901234567890123".to_owned(), format!("1{}", "0".repeat(400)), "0.10".to_owned()];
    for by in &numbers {
        let args = format!(r#"{{"by": {by}, "secret": ""}}"#);
        db.run(&format!("select pgjobq.enqueue('divide', '{args}', retries => 0)")).await;
    }
    db.until("(select count(*) from pgjobq.finished) = 3").await;
    let dead = db.client.dead_jobs().list(9).await.unwrap();
    for by in &numbers {
        let args = format!(r#"{{"by": {by}, "secret": "[redacted]"}}"#);
        assert!(dead.iter().any(|job| job.args == args), "{by}: {dead:?}");
    }
    assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 3);
    worker.shutdown().await.unwrap();
}

on_one_shard!(requeue_ignores_completed_and_live_jobs);
async fn requeue_ignores_completed_and_live_jobs(db: TestDb) {
    let job = sum::enqueue(&db.client, vec![1, 2]).await.unwrap();
    assert_eq!(job.requeue(&db.client).await.unwrap(), RequeueOutcome::AlreadyLive);
    assert_eq!(job.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    sum::job(vec![3]).id(job.id()).enqueue(&db.client).await.unwrap();
    assert_eq!(job.requeue(&db.client).await.unwrap(), RequeueOutcome::AlreadyLive);
    assert_eq!(db.client.cancelled_jobs().requeue().await.unwrap(), 0);
    assert_eq!(
        sum::handle(JobId::new()).requeue(&db.client).await.unwrap(),
        RequeueOutcome::NothingToRequeue
    );
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 1);
}

on_one_shard!(decoding_error_reveals_no_argument_value);
async fn decoding_error_reveals_no_argument_value(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.run("select pgjobq.enqueue('divide', '{\"by\": \"4111-1111\", \"secret\": 7}', retries => 0)").await;
    db.until("exists (select from pgjobq.finished)").await;
    let error = db.text("select errors->0->>'message' from pgjobq.finished").await;
    assert_eq!(error, "the arguments do not fit the job function: at line 1, column 18");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_arguments_stop_no_list() {
    let db = TestDb::new(1).await;
    let insert = |args: &str| {
        format!(
            "insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes,
                 retries, max_crashes, created_at, drop_on)
             select 0, gen_random_uuid(), 'dead', id, 1, 'long', {args}, 1, 1, 0, 0, 0, now(), current_date
               from pgjobq.queues where name = 'default'"
        )
    };
    // Each takes some bytes on disk, and 26 MB as text.
    db.run(&insert("(select jsonb_agg(1e131071) from generate_series(1, 200))")).await;
    for _ in 0..10 {
        db.run(&insert("to_jsonb(repeat('long', 500000))")).await;
    }
    let listed = db.client.dead_jobs().list(11).await.unwrap();
    assert_eq!(listed.len(), 11);
    assert!(listed.is_sorted_by(|a, b| (a.finished_at, a.id) > (b.finished_at, b.id)), "the latest first");
    assert_eq!(listed[10].args, r#""[left out: more than 8 MiB]""#);
    assert!(listed[..10].iter().all(|job| job.args.len() == "\"\"".len() + 2_000_000));
    // An answer has at most 8 MiB, plus its last job.
    let ids = "(select array_agg(id order by finished_at desc, id desc) from pgjobq.finished)";
    let shown = format!("select count(*) from pgjobq.show_ended(0::smallint, {ids}, null)");
    assert_eq!(db.number(&shown).await, 5);
    assert_eq!(db.client.dead_jobs().requeue().await.unwrap(), 11);
}
