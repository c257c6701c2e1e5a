//! Jobs that end without an attempt are observed once, whoever has ended them.

use std::time::Duration;

use pgjobq::observe::{Event, Outcome};
use pgjobq::prelude::*;

use super::events::{observed_end, observed_wait};
use super::{Seen, observed, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

#[job(key = key, concurrency = 1, on_conflict = "drop")]
async fn observed_drop(ctx: JobContext, probe: u64, key: String) {
    let _ = key;
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

on_one_and_eight_shards!(jobs_that_end_without_an_attempt_are_observed_once);
async fn jobs_that_end_without_an_attempt_are_observed_once(db: TestDb) {
    let (client, seen) = observed(&db);
    let (other, seen_by_other) = observed(&db);
    let cancelled =
        observed_end::job(String::new()).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    cancelled.cancel(&client).await.unwrap();
    let purged =
        observed_end::job(String::new()).delay(Duration::from_secs(3600)).enqueue(&client).await.unwrap();
    let expired = observed_end::job(String::new()).queue("unserved").expires_in(Duration::from_millis(1));
    client.queue("unserved").save().await.unwrap();
    let expired = expired.enqueue(&client).await.unwrap();
    let one = worker(&client).build().await.unwrap().start();
    let two = worker(&other).build().await.unwrap().start();
    client.queue("default").purge().await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    one.shutdown().await.unwrap();
    two.shutdown().await.unwrap();
    client.close().await;
    other.close().await;
    let both = |job| [seen.outcomes(job), seen_by_other.outcomes(job)].concat();
    assert_eq!(both(cancelled.id()), [Outcome::Cancelled]);
    assert_eq!(both(purged.id()), [Outcome::Cancelled]);
    assert_eq!(both(expired.id()), [Outcome::Expired]);
    for ended in [seen.ended(), seen_by_other.ended()].concat() {
        assert_eq!((&*ended.job.kind, ended.job.attempt, ended.run), ("observed_end", 0, None));
    }
}

/// The outcomes of a job in the events of several processes.
fn outcomes<'s>(seen: impl IntoIterator<Item = &'s Seen>, job: JobId) -> Vec<Outcome> {
    seen.into_iter().flat_map(|seen| seen.outcomes(job)).collect()
}

on_one_shard!(job_cancelled_before_its_slot_is_observed_once);
async fn job_cancelled_before_its_slot_is_observed_once(db: TestDb) {
    let (client, seen) = observed(&db);
    let probe = Probe::new();
    // Short jobs before it let the worker claim ahead of its one slot.
    client.enqueue_all((0..2000).map(|_| observed_end::job(String::new()))).await.unwrap();
    let running = observed_wait::enqueue(&client, probe.number).await.unwrap();
    let waiting: Vec<JobId> = (0..50).map(|_| JobId::new()).collect();
    client.enqueue_all(waiting.iter().map(|id| observed_end::job(String::new()).id(*id))).await.unwrap();
    let one_slot = Worker::builder(&client).queue("default", 1).grace(Duration::from_secs(5));
    let worker = one_slot.build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    for job in &waiting {
        client.job(*job).cancel().await.unwrap();
    }
    db.until("(select count(*) from pgjobq.finished where outcome = 'cancelled') = 50").await;
    probe.gate.add_permits(1);
    let _ = end_of(&db.client, &running).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    for job in waiting {
        assert_eq!(seen.outcomes(job), [Outcome::Cancelled]);
    }
}

on_one_and_eight_shards!(child_cancelled_by_the_end_of_its_parent_is_observed);
async fn child_cancelled_by_the_end_of_its_parent_is_observed(db: TestDb) {
    let (client, seen) = observed(&db);
    let parent = observed_end::enqueue(&client, "fatal".to_owned()).await.unwrap();
    let child = observed_end::job(String::new()).after(&parent).enqueue(&client).await.unwrap();
    let grandchild = observed_end::job(String::new()).after(&child).enqueue(&client).await.unwrap();
    let worker = worker(&client).build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    client.close().await;
    assert_eq!(seen.outcomes(parent.id()), [Outcome::Dead]);
    assert_eq!(seen.outcomes(child.id()), [Outcome::Cancelled]);
    assert_eq!(seen.outcomes(grandchild.id()), [Outcome::Cancelled]);
}

on_one_shard!(job_dropped_by_its_limit_is_observed_by_one_worker);
async fn job_dropped_by_its_limit_is_observed_by_one_worker(db: TestDb) {
    let fleet = [observed(&db), observed(&db), observed(&db)];
    let mut workers = Vec::new();
    for (client, _) in &fleet {
        workers.push(worker(client).build().await.unwrap().start());
    }
    let (probe, key) = (Probe::new(), || "a".to_owned());
    let holder = observed_drop::enqueue(&db.client, probe.number, key()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    let mut dropped = Vec::new();
    for _ in 0..20 {
        // The commit notifies every worker of the job.
        let mut tx = db.pool.begin().await.unwrap();
        dropped.push(observed_drop::job(probe.number, key()).enqueue(&mut *tx).await.unwrap().id());
        tx.commit().await.unwrap();
    }
    db.until("(select count(*) from pgjobq.finished where outcome = 'cancelled') = 20").await;
    probe.gate.add_permits(1);
    let _ = end_of(&db.client, &holder).await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    for (client, _) in &fleet {
        client.close().await;
    }
    for job in dropped {
        assert_eq!(outcomes(fleet.iter().map(|(_, seen)| seen), job), [Outcome::Cancelled]);
    }
    let enqueued = |seen: &Seen| seen.count(|event| matches!(event, Event::Enqueued(_)));
    assert_eq!(
        fleet.iter().map(|(_, seen)| enqueued(seen)).sum::<usize>(),
        0,
        "by a client without observers"
    );
}
