//! Claims stay fast beside a thousand queues, and with a ticket far ahead. Each test compares two times of one run, because
//! the machine may be busy.

use std::time::{Duration, Instant};

use pgjobq::WorkerBuilder;
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::end_of;

#[job(retries = 0)]
async fn end_quickly() {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_never_pass_the_tickets_that_were_drawn() {
    let db = TestDb::new(1).await;
    let worker = db.worker().poll_interval(Duration::from_secs(60)).build().await.unwrap().start();
    end_quickly::call(&db.client).await.unwrap();
    let before = time_of_100_calls(&db).await;
    db.run("insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, retries, max_crashes, kind, args)
            select 0, gen_random_uuid(), now(), 9223372036854775806, id, 1, 0, 3, 'end_quickly', '{}'
              from pgjobq.queues where name = 'default'").await;
    end_quickly::call(&db.client).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    // With a scan hint at the top, only a sweep, a quarter of a second later, would find each of these.
    let after = time_of_100_calls(&db).await;
    assert!(after < 2 * before + Duration::from_secs(5), "{after:?} after, {before:?} before");
    worker.shutdown().await.unwrap();
}

/// Returns how long a hundred jobs take, one after the other.
async fn time_of_100_calls(db: &TestDb) -> Duration {
    let begun = Instant::now();
    for _ in 0..100 {
        end_quickly::call(&db.client).await.unwrap();
    }
    begun.elapsed()
}

/// Returns how long a worker takes for 400 jobs of the queue `q500`.
async fn time_of_400(db: &TestDb, worker: WorkerBuilder) -> Duration {
    let worker = worker.build().await.unwrap().start();
    let first = end_quickly::job().queue("q500").enqueue(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(()));
    let begun = Instant::now();
    db.client.enqueue_all((0..400).map(|_| end_quickly::job().queue("q500"))).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    let took = begun.elapsed();
    worker.shutdown().await.unwrap();
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_queues_do_not_slow_down_one_of_them() {
    let db = TestDb::new(1).await;
    db.run("select pgjobq.create_queue('q' || n) from generate_series(1, 1000) n").await;
    let alone = time_of_400(&db, db.worker().queue("q500", 4)).await;
    let among = (1..=1000).fold(db.worker(), |worker, n| worker.queue(format!("q{n}"), 4));
    let among = time_of_400(&db, among).await;
    // A claim that looked at every queue took fifteen times as long.
    assert!(among < 5 * alone + Duration::from_secs(1), "{among:?} among a thousand, {alone:?} alone");
}
