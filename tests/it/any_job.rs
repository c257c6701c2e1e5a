//! `client.job(id)` finds a job of any kind; a handle of another kind than its job fails with an error.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, HandleError, JobState, RequeueError, RequeueOutcome, WaitError};

use crate::gate::Gate;
use crate::harness::TestDb;
use crate::probe::end_of;

const HOUR: Duration = Duration::from_secs(3600);

#[job]
async fn salute(name: String) -> Result<String> {
    Ok(format!("hello {name}"))
}

#[job(retries = 0)]
async fn add_two(a: i64, b: i64) -> Result<i64> {
    a.checked_add(b).ok_or_else(|| "too large".into())
}

/// A renamed function: an earlier version of the program called it `old_total`.
#[job(aliases = ["old_total"])]
async fn total(numbers: Vec<i64>) -> Result<i64> {
    Ok(numbers.iter().sum())
}

on_one_and_eight_shards!(any_job_is_inspected_cancelled_and_requeued_by_id);
async fn any_job_is_inspected_cancelled_and_requeued_by_id(db: TestDb) {
    let id = add_two::job(1, 2).delay(HOUR).enqueue(&db.client).await.unwrap().id();
    let job = db.client.job(id.as_uuid());
    let status = job.status().await.unwrap().unwrap();
    assert_eq!((job.id(), &*status.kind, status.state), (id, "add_two", JobState::Scheduled));
    assert_eq!(job.progress().await.unwrap(), None);
    assert_eq!(job.cancel().by("ada").await.unwrap(), CancelOutcome::Cancelled);
    assert_eq!(job.requeue().await.unwrap(), RequeueOutcome::Requeued);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &add_two::handle(id)).await, Outcome::Completed(3));
    worker.shutdown().await.unwrap();
    let unknown = db.client.job(JobId::new());
    assert_eq!(unknown.status().await.unwrap(), None);
    assert_eq!(unknown.cancel().await.unwrap(), CancelOutcome::NotLive);
    assert_eq!(unknown.requeue().await.unwrap(), RequeueOutcome::NothingToRequeue);
}

on_one_shard!(listed_dead_job_is_requeued_by_its_id);
async fn listed_dead_job_is_requeued_by_its_id(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let dead = add_two::enqueue(&db.client, i64::MAX, 1).await.unwrap();
    assert!(matches!(end_of(&db.client, &dead).await, Outcome::Dead(_)));
    let listed = db.client.dead_jobs().list(9).await.unwrap();
    assert_eq!(db.client.job(listed[0].id).requeue().await.unwrap(), RequeueOutcome::Requeued);
    assert!(matches!(end_of(&db.client, &dead).await, Outcome::Dead(failure) if failure.attempts == 2));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(handle_of_another_kind_is_refused_at_once);
async fn handle_of_another_kind_is_refused_at_once(db: TestDb) {
    let job = add_two::job(1, 2).delay(HOUR).enqueue(&db.client).await.unwrap();
    let wrong = salute::handle(job.id());
    let message = format!(
        "job {} is an `add_two`, not a `salute`: make its handle with `add_two::handle(id)`, or use `client.job(id)`",
        job.id()
    );
    let waited = tokio::time::timeout(Duration::from_secs(60), wrong.wait(&db.client)).await;
    let waited = waited.expect("the wait fails at once").unwrap_err();
    assert!(matches!(waited, WaitError::OtherKind(_)), "{waited:?}");
    assert_eq!(waited.to_string(), message);
    let refused = [
        wrong.status(&db.client).await.unwrap_err(),
        wrong.progress(&db.client).await.unwrap_err(),
        wrong.cancel(&db.client).await.unwrap_err(),
        wrong.requeue(&db.client).await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, HandleError::OtherKind(_)), "{error:?}");
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(
        job.status(&db.client).await.unwrap().unwrap().state,
        JobState::Scheduled,
        "the job is unchanged"
    );
    assert_eq!(job.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    let after_its_end =
        [wrong.cancel(&db.client).await.unwrap_err(), wrong.requeue(&db.client).await.unwrap_err()];
    assert_eq!(after_its_end.map(|error| error.to_string()), [message.clone(), message.clone()]);
    let refused = wrong.requeue_as(&db.client, salute::job("ada".to_owned())).await.unwrap_err();
    assert!(matches!(refused, RequeueError::OtherKind(_)), "{refused:?}");
    assert_eq!(refused.to_string(), message);
    assert_eq!(job.status(&db.client).await.unwrap().unwrap().state, JobState::Cancelled, "nothing changed");
    assert_eq!(wrong.wait(&db.client).await.unwrap_err().to_string(), message);
}

on_one_shard!(wrong_handle_leaves_the_wait_of_the_right_one_alone);
async fn wrong_handle_leaves_the_wait_of_the_right_one_alone(db: TestDb) {
    let gate = Gate::new();
    let job = gate.job().enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    let (client, right) = (db.client.clone(), job.clone());
    let waiting = tokio::spawn(async move { right.wait(&client).await });
    gate.until(|count| count.inside == 1).await;
    assert!(matches!(salute::handle(job.id()).wait(&db.client).await, Err(WaitError::OtherKind(_))));
    gate.open();
    assert_eq!(
        waiting.await.unwrap().unwrap(),
        Outcome::Completed(1),
        "the right handle receives the result"
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(handle_accepts_a_job_that_an_alias_names);
async fn handle_accepts_a_job_that_an_alias_names(db: TestDb) {
    let old = total::job(vec![1, 2]).delay(HOUR).enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set kind = 'old_total'").await;
    assert_eq!(old.status(&db.client).await.unwrap().unwrap().kind, "old_total");
    assert_eq!(old.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    assert_eq!(old.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(old.wait(&db.client).await.unwrap().into_result(), Ok(3));
    worker.shutdown().await.unwrap();
}
