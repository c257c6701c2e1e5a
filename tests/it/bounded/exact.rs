//! The bound holds whatever commits when, and no place is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgjobq::prelude::*;
use pgjobq::{EnqueueError, enqueue_all};
use sqlx::{Connection, PgConnection};

use super::{assert_accounted, bound, patient, quick, room, worker};
use crate::harness::{PATIENCE, TestDb};

const BOUND: i64 = 50;

/// A sequence of numbers that differs between seeds.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn is_serialization_failure(error: &EnqueueError) -> bool {
    matches!(error, EnqueueError::Database(error) if error.to_string().contains("could not serialize"))
}

/// Enqueues in transactions of its own, which commit, roll back, or are killed. Returns the number of committed jobs.
async fn produce(options: sqlx::postgres::PgConnectOptions, seed: u64, rounds: u64) -> u64 {
    let (mut dice, mut committed) = (Dice(seed), 0);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    for round in 0..rounds {
        let level = ["read committed", "repeatable read", "serializable"][dice.roll(3) as usize];
        let begun =
            connection.begin_with(sqlx::AssertSqlSafe(format!("begin isolation level {level}"))).await;
        let mut tx = begun.unwrap();
        let (mut jobs, mut refused) = (0, false);
        for _ in 0..=dice.roll(3) {
            let count = 1 + dice.roll(12);
            let enqueued = enqueue_all(&mut *tx, (0..count).map(quick::job)).await;
            match enqueued {
                Ok(enqueued) => jobs += enqueued.new,
                Err(error) if matches!(error.error, EnqueueError::QueueFull { .. }) => {}
                // At this level a caller tries the whole transaction again.
                Err(error) if level == "serializable" && is_serialization_failure(&error.error) => {
                    refused = true;
                    break;
                }
                Err(error) => panic!("{level}: {error}"),
            }
        }
        match dice.roll(4) {
            _ if refused => tx.rollback().await.unwrap(),
            0 => tx.rollback().await.unwrap(),
            1 if round % 5 == 0 => {
                let killed =
                    sqlx::query("select pg_terminate_backend(pg_backend_pid())").execute(&mut *tx).await;
                assert!(killed.is_err());
                drop(tx);
                connection = PgConnection::connect_with(&options).await.unwrap();
            }
            _ => match tx.commit().await {
                Ok(()) => committed += jobs,
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("40001") => {}
                Err(error) => panic!("{level}: {error}"),
            },
        }
    }
    committed
}

on_one_shard!(bound_holds_beside_rollbacks_kills_and_workers);
async fn bound_holds_beside_rollbacks_kills_and_workers(db: TestDb) {
    bound(&db, BOUND as usize).await;
    db.client.enqueue_all((0..BOUND as u64).map(quick::job)).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, BOUND, "the queue fills up to its bound");
    assert!(quick::job(0).try_enqueue(&db.client).await.is_err(), "and no further");
    let workers = [worker(&db, 3).await, worker(&db, 3).await];
    let done = Arc::new(AtomicBool::new(false));
    let streamed = Arc::new(AtomicU64::new(0));
    let streams: Vec<_> = (0..2)
        .map(|_| {
            let (client, done, streamed) = (patient(&db, PATIENCE), Arc::clone(&done), Arc::clone(&streamed));
            tokio::spawn(async move {
                while !done.load(Ordering::SeqCst) {
                    let all = client.enqueue_all((0..80).map(quick::job)).await.unwrap();
                    quick::enqueue(&client, 1).await.unwrap();
                    streamed.fetch_add(all.new + 1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let producers: Vec<_> = (1..=4).map(|seed| tokio::spawn(produce(db.options.clone(), seed, 60))).collect();
    let mut most = 0;
    while !producers.iter().all(tokio::task::JoinHandle::is_finished) {
        most = most.max(db.number("select count(*) from pgjobq.jobs").await);
    }
    done.store(true, Ordering::SeqCst);
    let mut committed = BOUND as u64;
    for producer in producers {
        committed += producer.await.unwrap();
    }
    for stream in streams {
        stream.await.unwrap();
    }
    assert!(most <= BOUND, "never above the bound: {most}");
    db.until("not exists (select from pgjobq.jobs)").await;
    let jobs = committed + streamed.load(Ordering::SeqCst);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await as u64, jobs);
    assert_eq!(room(&db).await, BOUND as u64);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    assert_accounted(&db).await;
}

on_one_shard!(places_of_failed_and_expired_jobs_return);
async fn places_of_failed_and_expired_jobs_return(db: TestDb) {
    bound(&db, 4).await;
    super::fatal::enqueue(&db.client).await.unwrap();
    quick::job(1).expires_in(std::time::Duration::from_millis(1)).enqueue(&db.client).await.unwrap();
    let second = quick::job(2).delay(std::time::Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    quick::job(3).max_crashes(0).enqueue(&db.client).await.unwrap();
    assert_eq!(room(&db).await, 0);
    second.cancel(&db.client).await.unwrap();
    assert_eq!(room(&db).await, 1);
    let worker = worker(&db, 2).await;
    db.until("(select count(*) from pgjobq.finished) = 4").await;
    assert_eq!(room(&db).await, 4);
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

#[job(kind = "bounded_transactional", queue = "bounded", retries = 0)]
async fn transactional(tx: &mut Tx, fails: bool) -> Result<()> {
    quick::job(1).queue("default").enqueue(&mut *tx).await?;
    if fails { Err(JobError::fatal("no")) } else { Ok(()) }
}

on_one_shard!(transactional_job_returns_its_place);
async fn transactional_job_returns_its_place(db: TestDb) {
    bound(&db, 2).await;
    db.client.enqueue_all([transactional::job(false), transactional::job(true)]).await.unwrap();
    let client = patient(&db, PATIENCE);
    let waiting = tokio::spawn(async move { client.enqueue_all((0..4).map(quick::job)).await });
    let worker = worker(&db, 2).await;
    assert_eq!(waiting.await.unwrap().unwrap().new, 4);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(room(&db).await, 2);
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(duplicates_take_no_place);
async fn duplicates_take_no_place(db: TestDb) {
    bound(&db, 10).await;
    let id = JobId::new();
    let twice = (0..4).map(|n| if n < 2 { quick::job(n).id(id) } else { quick::job(n) });
    let all = db.client.enqueue_all(twice).await.unwrap();
    assert_eq!((all.new, all.duplicates, room(&db).await), (3, 1, 7));
    assert!(!quick::job(1).id(id).enqueue(&db.client).await.unwrap().is_new());
    assert_eq!(room(&db).await, 7);
    // Sixty jobs of which one is a duplicate go another way in the database.
    db.client.queue("bounded").bounded(100).save().await.unwrap();
    let all = db
        .client
        .enqueue_all((0..60).map(|n| if n == 7 { quick::job(n).id(id) } else { quick::job(n) }))
        .await;
    assert_eq!((all.unwrap().new, room(&db).await), (59, 38));
    assert_accounted(&db).await;
}

on_one_shard!(small_chunks_are_folded);
async fn small_chunks_are_folded(db: TestDb) {
    bound(&db, 6400).await;
    db.client.enqueue_all((0..200).map(quick::job)).await.unwrap();
    for job in 0..100 {
        let end = format!(
            "select pgjobq.cancel((select id from pgjobq.jobs order by id limit 1 offset {}));
             select pgjobq.act_on_cancels(0::smallint, null, null, 10)",
            job % 50
        );
        db.run(&end).await;
    }
    let small = "select count(*) from pgjobq.room where places < 64";
    assert!(db.number(small).await > 32);
    for _ in 0..5 {
        db.run("select pgjobq.fold_room(0::smallint)").await;
    }
    assert!(db.number(small).await <= 32);
    assert_eq!(room(&db).await, 6300);
    assert_accounted(&db).await;
}

on_one_shard!(live_jobs_in_a_batch_lose_no_room);
async fn live_jobs_in_a_batch_lose_no_room(db: TestDb) {
    super::bound_and(&db, 20, pgjobq::WhenFull::DropNew).await;
    let ids: Vec<JobId> = (0..18).map(|_| JobId::new()).collect();
    let jobs = || ids.iter().map(|id| quick::job(0).id(*id));
    db.client.enqueue_all(jobs()).await.unwrap();
    // Two places for nineteen jobs, of which one is new.
    let all = db.client.enqueue_all(jobs().chain([quick::job(1)])).await.unwrap();
    assert_eq!((all.new, all.duplicates, all.dropped), (1, 18, 0));
    assert_accounted(&db).await;
}

on_one_shard!(refused_transaction_holds_no_room);
async fn refused_transaction_holds_no_room(db: TestDb) {
    bound(&db, 20).await;
    db.client.queue("bounded_b").bounded(1).save().await.unwrap();
    let (mut takes, mut refused, mut next) =
        (db.pool.begin().await.unwrap(), db.pool.begin().await.unwrap(), db.pool.begin().await.unwrap());
    enqueue_all(&mut *takes, (0..15).map(quick::job)).await.unwrap();
    let error = enqueue_all(&mut *refused, (0..10).map(quick::job)).await.unwrap_err();
    assert!(matches!(error.error, EnqueueError::QueueFull { .. }), "{error}");
    takes.rollback().await.unwrap();
    // It has room in one queue, and none in the other.
    let both = (0..10).map(quick::job).chain((0..2).map(|n| quick::job(n).queue("bounded_b")));
    enqueue_all(&mut *refused, both).await.unwrap_err();
    assert_eq!(enqueue_all(&mut *next, (0..20).map(quick::job)).await.unwrap().new, 20);
    next.commit().await.unwrap();
    refused.rollback().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(room_can_be_taken_while_it_is_folded);
async fn room_can_be_taken_while_it_is_folded(db: TestDb) {
    bound(&db, 128).await;
    db.run(
        "delete from pgjobq.room;
         select pgjobq.give_room(0::smallint, array[id], false)
           from pgjobq.queues, generate_series(1, 128) where name = 'bounded'",
    )
    .await;
    let mut folds = db.pool.begin().await.unwrap();
    sqlx::query("select pgjobq.fold_room(0::smallint)").execute(&mut *folds).await.unwrap();
    assert!(quick::job(1).try_enqueue(&db.client).await.unwrap().is_new());
    folds.commit().await.unwrap();
    assert_accounted(&db).await;
}
