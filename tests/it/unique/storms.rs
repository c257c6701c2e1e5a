//! Many enqueues of few keys at the same time.

use std::collections::HashMap;

use pgjobq::enqueue_each;
use tokio::task::JoinSet;

use super::*;

on_one_and_eight_shards!(many_producers_of_one_key_get_one_job);
async fn many_producers_of_one_key_get_one_job(db: TestDb) {
    let mut producers = JoinSet::new();
    for n in 0..64 {
        let (client, pool) = (db.client.clone(), db.pool.clone());
        producers.spawn(async move {
            if n % 4 == 0 {
                let mut tx = pool.begin().await.unwrap();
                let handle = sync(1).enqueue(&mut *tx).await.unwrap();
                tx.commit().await.unwrap();
                return handle;
            }
            sync(1).enqueue(&client).await.unwrap()
        });
    }
    let handles = producers.join_all().await;
    assert_eq!(handles.iter().filter(|handle| handle.is_new()).count(), 1);
    assert!(handles.iter().all(|handle| handle.id() == handles[0].id()));
    assert_eq!(jobs(&db).await, 1);
}

on_one_and_eight_shards!(crossing_batches_do_not_deadlock);
async fn crossing_batches_do_not_deadlock(db: TestDb) {
    let mut producers = JoinSet::new();
    for producer in 0..6_u32 {
        let pool = db.pool.clone();
        producers.spawn(async move {
            let mut new = 0;
            for round in 0..8_u32 {
                let mut keys: Vec<u32> = (0..120).collect();
                fastrand::Rng::with_seed((producer * 8 + round).into()).shuffle(&mut keys);
                let jobs = keys.into_iter().map(|key| {
                    // Every third job has an id that other batches have as well.
                    let job = if key % 2 == 0 {
                        sync(round * 1000 + key)
                    } else {
                        sync_waiting(round * 1000 + key)
                    };
                    if key % 3 == 0 { job.id(uuid_of(round, key)) } else { job }
                });
                let mut tx = pool.begin().await.unwrap();
                let handles = enqueue_each(&mut *tx, jobs).await.unwrap();
                new += handles.iter().filter(|handle| handle.is_new()).count();
                tx.commit().await.unwrap();
            }
            new
        });
    }
    let new: usize = producers.join_all().await.into_iter().sum();
    assert_eq!((new, jobs(&db).await), (8 * 120, 8 * 120));
}

/// An id in the place of its job.
fn uuid_of(round: u32, key: u32) -> JobId {
    let place = sync(round * 1000 + key).job_id().as_uuid().as_u128() & 0x3ff;
    uuid::Uuid::from_u128(u128::from(round * 1000 + key + 1) << 64 | 0x7 << 76 | 2 << 62 | place).into()
}

on_one_and_eight_shards!(waiting_keys_are_exact_beside_workers);
async fn waiting_keys_are_exact_beside_workers(db: TestDb) {
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    let mut producers = JoinSet::new();
    for _ in 0..6 {
        let client = db.client.clone();
        producers.spawn(async move {
            for n in 0..100 {
                let _ = sync_waiting(n % 5).enqueue(&client).await.unwrap();
            }
        });
    }
    // No two jobs with one key wait that have never started.
    let twice = "select count(*) from (select from pgjobq.job_states s join pgjobq.jobs j using (id) \
                 where s.state = 'ready' and j.attempt = 0 group by j.unique_key having count(*) > 1) twice";
    while !producers.is_empty() {
        assert_eq!(db.number(twice).await, 0);
        let _ = producers.try_join_next();
    }
    db.until("not exists (select from pgjobq.jobs)").await;
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(replacing_producers_lose_no_argument);
async fn replacing_producers_lose_no_argument(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut producers = JoinSet::new();
    for producer in 0..6_u32 {
        let client = db.client.clone();
        producers.spawn(async move {
            let mut last = HashMap::new();
            for n in 0..40_u32 {
                let number = producer * 1000 + n;
                let job = unique_sync::job(number, 0)
                    .unique(format!("producer {producer}"))
                    .unique_while(UniqueWhile::Waiting)
                    .on_duplicate(OnDuplicate::Replace);
                last.insert(producer, (number, job.enqueue(&client).await.unwrap()));
            }
            last.remove(&producer).unwrap()
        });
    }
    for (number, handle) in producers.join_all().await {
        assert_eq!(handle.wait(&db.client).await.unwrap(), Outcome::Completed(number), "{handle:?}");
    }
    worker.shutdown().await.unwrap();
}
