//! Versions that a worker does not read.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Cause, PauseScope};

use super::{price, stored, tax};
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::end_of;

async fn first_cause(db: &TestDb, job: JobId) -> (Cause, String) {
    let explanation = db.client.explain(job).await.unwrap();
    (explanation.reasons[0].cause.clone(), explanation.reasons[0].sentence.clone())
}

fn unread(kind: &str, version: &str, reads: &[u16]) -> Cause {
    let (queue, kind, version) = ("default".to_owned(), kind.to_owned(), version.to_owned());
    Cause::UnreadVersion { queue, kind, version, reads: reads.to_vec(), workers: 1 }
}

on_one_and_eight_shards!(newer_job_waits_for_newer_workers);
async fn newer_job_waits_for_newer_workers(db: TestDb) {
    let newer = stored(&db, "price", r#"{"eur": 5}"#, 4).await;
    let renamed = stored(&db, "cost", r#"{"eur": 5}"#, 4).await;
    let worker = db.worker().build().await.unwrap().start();
    // Jobs behind it in its line, and the queue itself, go on.
    for number in 1..20 {
        assert_eq!(double::call(&db.client, number).await.unwrap(), number * 2);
    }
    let (cause, sentence) = first_cause(&db, newer).await;
    assert_eq!(cause, unread("price", "4", &[1, 2, 3]));
    assert_eq!(
        sentence,
        "Its arguments are of version 4, and no live worker of its queue `default` reads that version of `price`: 1 worker reads \
         1, 2, 3. Newer code enqueued it: a worker of that code takes it."
    );
    assert_eq!(first_cause(&db, renamed).await.0, unread("cost", "4", &[1, 2, 3]));
    let touched = "select coalesce(sum(attempt + failures + crashes), 0) from pgjobq.jobs";
    assert_eq!(db.number(touched).await, 0);
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs where ticket is not null").await, 2);
}

on_one_shard!(job_older_than_the_code_reads_waits);
async fn job_older_than_the_code_reads_waits(db: TestDb) {
    let old = stored(&db, "tax", r#"{"rate": 0.2}"#, 1).await;
    let read = stored(&db, "tax", r#"{"percent": 20}"#, 2).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &tax::handle(read)).await, Outcome::Completed(200));
    let (cause, sentence) = first_cause(&db, old).await;
    assert_eq!(cause, unread("tax", "1", &[2, 3]));
    assert!(
        sentence.ends_with("Start a worker that reads it: its struct stays in `upcast_from`."),
        "{sentence}"
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(statistics_and_warnings_name_the_version);
async fn statistics_and_warnings_name_the_version(db: TestDb) {
    stored(&db, "price", "{}", 4).await;
    let worker = db.worker().build().await.unwrap().start();
    db.until(
        "exists (select from pgjobq.workers where 'price@3' = any (kinds) and not 'price@4' = any (kinds))",
    )
    .await;
    let stats = db.client.queue("default").stats().await.unwrap().unwrap();
    assert_eq!(stats.unaccepted, 1);
    let kind = "select kind from pgjobq.unaccepted(0::smallint, (select id from pgjobq.queues where name = 'default'))";
    assert_eq!(db.text(kind).await, "price@4");
    worker.shutdown().await.unwrap();
}

on_one_shard!(details_name_the_workers_of_the_version);
async fn details_name_the_workers_of_the_version(db: TestDb) {
    let jobs = [stored(&db, "price", "{}", 4).await, stored(&db, "price", "{}", 2).await];
    db.client.kind("price").pause().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where 'price@2' = any (kinds))").await;
    let mut workers = Vec::new();
    for job in jobs {
        let details = db.client.job(job).details().await.unwrap().unwrap();
        assert_eq!(Some(&details.status), price::handle(job).status(&db.client).await.unwrap().as_ref());
        workers.push(details.status.workers);
    }
    assert_eq!(workers, [0, 1]);
    worker.shutdown().await.unwrap();
}

on_one_shard!(pause_of_a_kind_stops_all_its_versions);
async fn pause_of_a_kind_stops_all_its_versions(db: TestDb) {
    db.client.kind("price").pause().await.unwrap();
    let jobs = [
        stored(&db, "price", r#"{"cents": 5}"#, 1).await,
        stored(&db, "price", r#"{"amount": "5 EUR"}"#, 2).await,
    ];
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
    for job in jobs {
        let Cause::Paused { scope, .. } = first_cause(&db, job).await.0 else { panic!("it is paused") };
        assert_eq!(scope, PauseScope::Kind);
    }
    assert!(db.client.kind("price").resume().await.unwrap());
    for job in jobs {
        let outcome = price::handle(job).wait_timeout(&db.client, Duration::from_secs(60)).await.unwrap();
        assert_eq!(outcome, Outcome::Completed("5 EUR".to_owned()));
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(text_written_by_hand_as_version_disturbs_nobody);
async fn text_written_by_hand_as_version_disturbs_nobody(db: TestDb) {
    let job = stored(&db, "price", r#"{"cents": 5}"#, 1).await;
    db.run(r#"update pgjobq.jobs set meta = '{"version": "two"}'"#).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
    assert_eq!(first_cause(&db, job).await.0, unread("price", "two", &[1, 2, 3]));
    worker.shutdown().await.unwrap();
}

/// One at a time.
#[job(kind = "version_seal", concurrency = 1)]
async fn seal(number: u32) -> Result<u32> {
    Ok(number)
}

on_one_and_eight_shards!(newer_job_keeps_its_permit_until_it_is_taken_away);
async fn newer_job_keeps_its_permit_until_it_is_taken_away(db: TestDb) {
    let newer = stored(&db, "version_seal", r#"{"letter": 1}"#, 2).await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select permit from pgjobq.jobs) = 1").await;
    let older = seal::enqueue(&db.client, 7).await.unwrap();
    let (cause, sentence) = first_cause(&db, older.id()).await;
    assert!(matches!(cause, Cause::Limited { .. }), "{cause:?}: {sentence}");
    assert_eq!(double::call(&db.client, 1).await.unwrap(), 2, "jobs without a limit go on");

    // As the guide says.
    db.run("select pgjobq.cancel(id, 'rolled back') from pgjobq.jobs where meta ->> 'version' = '2'").await;
    assert_eq!(end_of(&db.client, &older).await, Outcome::Completed(7));
    let cancelled = "state = 'cancelled' and kind = 'version_seal'".parse().unwrap();
    db.client.jobs(cancelled).requeue().await.unwrap();
    db.until("(select ticket is not null from pgjobq.jobs)").await;
    assert_eq!(first_cause(&db, newer).await.0, unread("version_seal", "2", &[1]));
    worker.shutdown().await.unwrap();
}
