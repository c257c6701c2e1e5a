//! Claims stay fast with a ticket far ahead. The test compares two times of one run, because the machine may be busy.

use std::time::{Duration, Instant};

use pgjobq::prelude::*;

use crate::harness::TestDb;

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
