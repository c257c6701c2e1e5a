//! A job that runs, and one that is to be cancelled.

use std::time::Duration;

use pgjobq::Cause;
use pgjobq::prelude::*;

use super::{claim, explain, explained, first_cause, register, said};
use crate::harness::TestDb;

#[job]
async fn explained_hours() -> Result<()> {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(())
}

on_one_and_eight_shards!(running_job_names_its_worker_and_heartbeat);
async fn running_job_names_its_worker_and_heartbeat(db: TestDb) {
    let worker = db.worker().name("here:1").build().await.unwrap().start();
    let job = explained_hours::enqueue(&db.client).await.unwrap();
    db.until("exists (select from pgjobq.leases)").await;
    let explanation = explain(&db, job.id()).await;
    let Cause::Running { attempt: 1, worker: name, since, seen_at } = &explanation.reasons[0].cause else {
        panic!("{explanation:?}")
    };
    assert_eq!(name, "here:1");
    assert!(*since > std::time::UNIX_EPOCH && *seen_at > std::time::UNIX_EPOCH);
    let sentence = explanation.to_string();
    assert!(sentence.starts_with("It runs in the worker `here:1` (attempt 1, claimed at "), "{sentence}");
    job.cancel(&db.client).await.unwrap();
    assert_eq!(job.wait(&db.client).await.unwrap(), Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}

on_one_shard!(silence_of_the_worker_is_named);
async fn silence_of_the_worker_is_named(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    claim(&db, 1, "explained", 1).await;
    assert_eq!(said(&db, job).await.0, ["running"]);
    db.run("update pgjobq.workers set seen_at = now() - interval '40 minutes'").await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["worker_silent"]);
    let rest = "which has been silent for 40 minutes. Once that is longer than its lease of 60 minutes, other workers put the job \
                back in line.";
    assert!(sentence.ends_with(rest), "{sentence}");
    // The last worker is given up, and none is left that puts the job back in line.
    db.run("delete from pgjobq.workers").await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["worker_silent", "no_worker"]);
    assert!(sentence.contains("its worker was given up because it was silent"), "{sentence}");
    assert!(matches!(first_cause(&db, job).await, Cause::WorkerSilent { worker: None, .. }));
}

on_one_shard!(request_to_cancel_is_named_before_it_takes_effect);
async fn request_to_cancel_is_named_before_it_takes_effect(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    let runs = explained::enqueue(&db.client, 1).await.unwrap().id();
    claim(&db, 1, "explained", 1).await;
    let waits = explained::enqueue(&db.client, 2).await.unwrap().id();
    for job in [runs, waits] {
        db.run(&format!("select pgjobq.cancel('{job}', 'ordered twice')")).await; // No worker carries it out.
    }
    let (codes, sentence) = said(&db, waits).await;
    assert_eq!(codes, ["cancel_requested", "in_line"]);
    assert!(
        sentence.contains("asked to cancel it: ordered twice. A worker ends it within moments."),
        "{sentence}"
    );
    let (codes, sentence) = said(&db, runs).await;
    assert_eq!(codes, ["running", "cancel_requested"]);
    assert!(
        sentence.ends_with("Its attempt was asked to stop; one that never awaits runs to its end."),
        "{sentence}"
    );
}
