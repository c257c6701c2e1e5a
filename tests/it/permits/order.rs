//! The order of the jobs of a key.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use pgjobq::prelude::*;

use super::hold;
use crate::harness::TestDb;
use crate::probe::Probe;

/// The jobs of each key that have completed, in that order.
static DONE: LazyLock<Mutex<HashMap<u32, Vec<u32>>>> = LazyLock::new(Mutex::default);

/// Fails once, if its number says so.
#[job(kind = "permits_in_order", queue = "default", key = key, concurrency = 1, retries = 2, backoff = "1ms")]
async fn in_order(ctx: JobContext, key: u32, n: u32) -> Result<()> {
    if (key + n).is_multiple_of(13) && ctx.failures() == 0 {
        return Err("the first attempt fails".into());
    }
    DONE.lock().unwrap().entry(key).or_default().push(n);
    Ok(())
}

const KEYS: u32 = 1000;
const JOBS: u32 = 20;

on_one_shard!(jobs_of_a_key_run_in_order);
async fn jobs_of_a_key_run_in_order(db: TestDb) {
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    for n in 0..JOBS {
        let jobs = (0..KEYS).map(|key| in_order::job(key, n));
        db.client.enqueue_all(jobs).await.unwrap();
    }
    db.until("not exists (select from pgjobq.jobs)").await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    let done = DONE.lock().unwrap();
    assert_eq!(done.len(), KEYS as usize);
    for (key, done) in done.iter() {
        assert_eq!(*done, Vec::from_iter(0..JOBS), "key {key}");
    }
}

on_one_shard!(higher_priority_goes_first_within_a_key);
async fn higher_priority_goes_first_within_a_key(db: TestDb) {
    let probe = Probe::new();
    let mut jobs = Vec::new();
    for priority in [Priority::Normal, Priority::Low, Priority::Normal, Priority::Critical] {
        let job = hold::job(probe.number, "first".to_owned()).priority(priority);
        jobs.push(job.enqueue(&db.client).await.unwrap().id());
    }
    probe.gate.add_permits(4);
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    let order: Vec<_> = probe.runs().iter().map(|(id, _)| *id).collect();
    // The first one was let in before the others came.
    assert_eq!(order, [jobs[0], jobs[3], jobs[2], jobs[1]]);
}

on_one_shard!(keys_take_turns_under_the_limit_of_their_queue);
async fn keys_take_turns_under_the_limit_of_their_queue(db: TestDb) {
    db.client.queue("default").concurrency(1).save().await.unwrap();
    let probe = Probe::new();
    let job = |key: &str| hold::job(probe.number, key.to_owned());
    db.client.enqueue_all((0..20).map(|_| job("many"))).await.unwrap();
    let last = job("one").enqueue(&db.client).await.unwrap();
    probe.gate.add_permits(21);
    let worker = db.worker().build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    let place = probe.runs().iter().position(|(id, _)| *id == last.id());
    assert_eq!(place, Some(1));
}
