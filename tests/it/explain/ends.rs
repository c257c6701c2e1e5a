//! A job that has ended, and one that does not exist.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Cause, FailureReason, Workflow};

use super::{explain, explained, said};
use crate::harness::TestDb;

#[job(retries = 1, backoff = "1ms")]
async fn explained_failure() -> Result<()> {
    Err("the mailbox is full".into())
}

on_one_and_eight_shards!(unknown_job_is_explained);
async fn unknown_job_is_explained(db: TestDb) {
    let nobody = JobId::new();
    let (codes, sentence) = said(&db, nobody).await;
    assert_eq!(codes, ["not_found"]);
    assert_eq!(
        sentence,
        "There is no job with this id. The transaction that enqueued it has not committed, or was rolled back; or the job has ended, \
         and is no longer kept."
    );
    let mut flow = Workflow::new("nightly");
    flow.add(explained::step(1));
    let run = flow.enqueue(&db.client).await.unwrap();
    let explanation = explain(&db, run.id().as_uuid().into()).await;
    assert_eq!(explanation.reasons[0].cause, Cause::Workflow { name: "nightly".to_owned() });
}

on_one_shard!(ended_jobs_say_how_and_when);
async fn ended_jobs_say_how_and_when(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let completed = explained::enqueue(&db.client, 1).await.unwrap();
    assert_eq!(completed.wait(&db.client).await.unwrap(), Outcome::Completed(()));
    let (codes, sentence) = said(&db, completed.id()).await;
    assert_eq!(codes, ["completed"]);
    assert!(
        sentence.starts_with("It completed at ") && sentence.ends_with(" ago), after 1 attempt."),
        "{sentence}"
    );

    let dead = explained_failure::enqueue(&db.client).await.unwrap();
    assert!(matches!(dead.wait(&db.client).await.unwrap(), Outcome::Dead(_)));
    let explanation = explain(&db, dead.id()).await;
    let Cause::Dead { attempts, failures, crashes, reason, error, .. } = &explanation.reasons[0].cause else {
        panic!("{explanation:?}")
    };
    assert_eq!((*attempts, *failures, *crashes, *reason), (2, 2, 0, Some(FailureReason::Error)));
    assert_eq!(error.as_deref(), Some("the mailbox is full"));
    let rest = ", in attempt 2. It had failed 2 times (`retries` is 1), and crashed 0 times (`max_crashes` is 3). Its last error \
                (error): the mailbox is full";
    let sentence = explanation.to_string();
    assert!(sentence.starts_with("It died at ") && sentence.ends_with(rest), "{sentence}");

    let late = explained::job(2).queue("nobodys").expires_in(Duration::from_millis(1));
    db.client.queue("nobodys").save().await.unwrap();
    let late = late.enqueue(&db.client).await.unwrap();
    assert_eq!(late.wait(&db.client).await.unwrap(), Outcome::Expired);
    let (codes, sentence) = said(&db, late.id()).await;
    assert_eq!(codes, ["expired"]);
    assert!(sentence.ends_with(", because no worker had started it in time."), "{sentence}");
    worker.shutdown().await.unwrap();
}

on_one_shard!(cancelled_job_says_by_whom_and_why);
async fn cancelled_job_says_by_whom_and_why(db: TestDb) {
    let job = explained::job(1).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    job.cancel(&db.client).by("ada").because("ordered twice").await.unwrap();
    let explanation = explain(&db, job.id()).await;
    let Cause::Cancelled { by, reason, .. } = &explanation.reasons[0].cause else {
        panic!("{explanation:?}")
    };
    assert_eq!((by.as_deref(), reason.as_deref()), (Some("ada"), Some("ordered twice")));
    let sentence = explanation.to_string();
    assert!(sentence.contains(" by ada (role `") && sentence.ends_with("`): ordered twice."), "{sentence}");
}
