//! The line of those who wait for room: what disturbs it, and what it must not disturb.

use std::time::{Duration, Instant};

use pgjobq::{EnqueueError, JobId};

use super::{assert_accounted, bound, patient, quick};
use crate::harness::{PATIENCE, TestDb};

const LINE: &str = "(select count(*) from pgjobq.room_waiters where until > clock_timestamp())";

on_one_shard!(locked_id_delays_no_other_job_of_the_line);
async fn locked_id_delays_no_other_job_of_the_line(db: TestDb) {
    bound(&db, 1).await;
    db.client.queue("elsewhere").save().await.unwrap();
    quick::enqueue(&db.client, 0).await.unwrap();
    let locked = JobId::new();
    let mut tx = db.pool.begin().await.unwrap();
    quick::job(1).id(locked).queue("elsewhere").enqueue(&mut *tx).await.unwrap();
    let client = patient(&db, PATIENCE);
    let enqueue = |job: pgjobq::NewJob<u64>| {
        let client = client.clone();
        tokio::spawn(async move { job.enqueue(&client).await.map(|job| job.is_new()) })
    };
    let waits = enqueue(quick::job(2).id(locked));
    db.until("(select max(want) from pgjobq.room_waiters) = 1").await;
    let others: Vec<_> = (3..23).map(|n| enqueue(quick::job(n))).collect();
    db.until("(select max(want) from pgjobq.room_waiters) = 21").await;
    let began = Instant::now();
    bound(&db, 40).await;
    for other in others {
        assert!(other.await.unwrap().unwrap());
    }
    // A single job has this patience with its id, and a place in line lasts for three of these seconds.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(!waits.is_finished());
    tx.rollback().await.unwrap();
    assert!(waits.await.unwrap().unwrap());
    assert_accounted(&db).await;
}

on_one_shard!(outage_is_not_taken_for_a_full_queue);
async fn outage_is_not_taken_for_a_full_queue(db: TestDb) {
    bound(&db, 1).await;
    quick::enqueue(&db.client, 0).await.unwrap();
    let client = patient(&db, Duration::from_secs(4));
    let mut outage = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.room_waiters in exclusive mode").execute(&mut *outage).await.unwrap();
    let single = tokio::spawn({
        let client = client.clone();
        async move { quick::enqueue(&client, 1).await.map(drop) }
    });
    let batch = client.enqueue_all((2..5).map(quick::job)).await.unwrap_err().error;
    let single = single.await.unwrap().unwrap_err();
    for error in [batch, single] {
        assert!(matches!(error, EnqueueError::TimedOut { maybe_enqueued: false, .. }), "{error}");
    }
    outage.rollback().await.unwrap();
    let error = quick::enqueue(&patient(&db, Duration::from_secs(8)), 1).await.unwrap_err();
    assert!(matches!(error, EnqueueError::QueueFull { .. }), "{error}");
}

on_one_shard!(notifications_do_not_make_slow_looks_frequent);
async fn notifications_do_not_make_slow_looks_frequent(db: TestDb) {
    bound(&db, 1).await;
    quick::enqueue(&db.client, 0).await.unwrap();
    db.run(
        "create sequence looks;
         create function slow_look() returns trigger language plpgsql as $$ begin
             perform nextval('public.looks'), pg_sleep(0.02);
             return new;
         end $$;
         create trigger slow_look before insert or update on pgjobq.room_waiters
            for each row execute function slow_look()",
    )
    .await;
    let client = patient(&db, PATIENCE);
    let waiting = tokio::spawn(async move { quick::enqueue(&client, 2).await });
    db.until("(select last_value from looks) > 2").await; // It listens by now.
    let before = db.number("select last_value from looks").await;
    let began = Instant::now();
    for _ in 0..200 {
        db.run("select pg_notify(pgjobq.channel(), 'room ' || id) from pgjobq.queues where name = 'bounded'")
            .await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let looks = db.number("select last_value from looks").await - before;
    let most = 5 + began.elapsed().as_millis() as i64 / 100;
    assert!(looks < most, "{looks} looks after 200 notifications");
    waiting.abort();
}

on_one_shard!(closed_client_does_not_wait_for_the_line);
async fn closed_client_does_not_wait_for_the_line(db: TestDb) {
    bound(&db, 1).await;
    quick::enqueue(&db.client, 0).await.unwrap();
    let client = patient(&db, PATIENCE);
    let single = tokio::spawn({
        let client = client.clone();
        async move { quick::enqueue(&client, 1).await.map(drop) }
    });
    let batch = tokio::spawn({
        let client = client.clone();
        async move { client.enqueue_all((2..5).map(quick::job)).await.map(drop) }
    });
    db.until(&format!("{LINE} = 2")).await;
    let mut silence = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.room_waiters in exclusive mode").execute(&mut *silence).await.unwrap();
    let looks = "(select count(*) from pg_stat_activity where wait_event_type = 'Lock'
                     and datname = current_database() and query like '%await_room%')";
    db.until(&format!("{looks} = 2")).await;
    client.close().await;
    assert!(matches!(single.await.unwrap(), Err(EnqueueError::Closed)));
    assert!(matches!(batch.await.unwrap().unwrap_err().error, EnqueueError::Closed));
    silence.rollback().await.unwrap();
}
