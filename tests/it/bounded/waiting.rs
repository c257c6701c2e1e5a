//! Enqueues that wait for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pgjobq::EnqueueError;
use pgjobq::prelude::*;

use super::{assert_accounted, bound, hold, patient, quick, room, worker};
use crate::harness::{PATIENCE, TestDb};
use crate::probe::Probe;

const LINE: &str = "(select count(*) from pgjobq.room_waiters where until > clock_timestamp())";

on_one_shard!(enqueue_waits_until_a_job_has_ended);
async fn enqueue_waits_until_a_job_has_ended(db: TestDb) {
    bound(&db, 1).await;
    let probe = Probe::new();
    hold::enqueue(&db.client, probe.number).await.unwrap();
    let client = patient(&db, PATIENCE);
    let waiting = tokio::spawn(async move { quick::enqueue(&client, 2).await });
    db.until(&format!("{LINE} = 1")).await;
    let worker = worker(&db, 2).await;
    probe.until(|probe| probe.running() == 1).await;
    assert!(!waiting.is_finished(), "a running job has its place");
    probe.gate.add_permits(1);
    assert!(waiting.await.unwrap().unwrap().is_new());
    db.until("not exists (select from pgjobq.jobs)").await;
    db.until(&format!("{LINE} = 0")).await;
    assert_eq!(room(&db).await, 1);
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(enqueue_gives_up_waiting_at_its_timeout);
async fn enqueue_gives_up_waiting_at_its_timeout(db: TestDb) {
    bound(&db, 1).await;
    let client = patient(&db, Duration::from_secs(8)); // Long enough for a statement on a busy machine.
    quick::enqueue(&client, 1).await.unwrap();
    let error = quick::enqueue(&client, 2).await.unwrap_err();
    assert!(matches!(&error, EnqueueError::QueueFull { bound: 1, .. }), "{error}");
    let error = client.enqueue_all((0..3).map(quick::job)).await.unwrap_err();
    assert!(
        matches!(&error.error, EnqueueError::QueueFull { .. }) && error.positions == [0, 1, 2],
        "{error}"
    );
    db.until(&format!("{LINE} = 0")).await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
    assert_accounted(&db).await;
}

on_one_shard!(dropped_wait_holds_no_place);
async fn dropped_wait_holds_no_place(db: TestDb) {
    bound(&db, 1).await;
    let first = quick::enqueue(&db.client, 1).await.unwrap();
    let client = patient(&db, PATIENCE);
    let single = tokio::spawn({
        let client = client.clone();
        async move { quick::enqueue(&client, 2).await.map(drop) }
    });
    let batch = tokio::spawn(async move { client.enqueue_all((3..9).map(quick::job)).await.map(drop) });
    db.until(&format!("{LINE} = 2")).await;
    single.abort();
    batch.abort();
    db.until(&format!("{LINE} = 0")).await;
    first.cancel(&db.client).await.unwrap();
    assert!(quick::job(10).try_enqueue(&db.client).await.unwrap().is_new(), "nobody else has the place");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
    assert_accounted(&db).await;
}

on_one_shard!(dead_process_delays_the_line_for_seconds_only);
async fn dead_process_delays_the_line_for_seconds_only(db: TestDb) {
    bound(&db, 1).await;
    let place = "select number from pgjobq.await_room((select id from pgjobq.queues where name = 'bounded'), null, 1)";
    db.run(place).await;
    let refused = quick::job(1).try_enqueue(&db.client).await;
    assert!(matches!(refused, Err(EnqueueError::QueueFull { .. })), "the room is for the first in line");
    assert!(quick::enqueue(&patient(&db, PATIENCE), 1).await.unwrap().is_new());
    assert_accounted(&db).await;
}

on_one_shard!(room_comes_in_the_order_of_the_line);
async fn room_comes_in_the_order_of_the_line(db: TestDb) {
    bound(&db, 1).await;
    let mut last = quick::enqueue(&db.client, 0).await.unwrap();
    let mut waiting = Vec::new();
    for number in 1..6 {
        let client = patient(&db, PATIENCE); // A line of its own, as in another process.
        waiting.push(tokio::spawn(async move { quick::enqueue(&client, number).await.unwrap() }));
        db.until(&format!("{LINE} = {number}")).await;
    }
    for next in waiting {
        last.cancel(&db.client).await.unwrap();
        last = next.await.unwrap();
        // Whoever came before is enqueued now, and nobody else.
        assert_eq!(db.text("select id from pgjobq.jobs").await, last.id().to_string());
    }
    assert_accounted(&db).await;
}

on_one_shard!(thousand_waiting_enqueues_share_a_place_in_line);
async fn thousand_waiting_enqueues_share_a_place_in_line(db: TestDb) {
    bound(&db, 10).await;
    db.client.enqueue_all((0..10).map(quick::job)).await.unwrap();
    let client = patient(&db, PATIENCE);
    let waiting: Vec<_> = (10..1010)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { quick::enqueue(&client, number).await })
        })
        .collect();
    db.until("(select max(want) from pgjobq.room_waiters) > 900").await;
    assert_eq!(db.number(LINE).await, 1);
    let worker = worker(&db, 20).await;
    for one in waiting {
        assert!(one.await.unwrap().unwrap().is_new());
    }
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(large_batch_flows_through_a_small_queue);
async fn large_batch_flows_through_a_small_queue(db: TestDb) {
    bound(&db, 20).await;
    let worker = worker(&db, 4).await;
    let (client, done) = (patient(&db, PATIENCE), Arc::new(AtomicBool::new(false)));
    let producer = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let all = client.enqueue_all((0..3000).map(quick::job)).await;
            done.store(true, Ordering::SeqCst);
            all
        }
    });
    let mut most = 0;
    while !done.load(Ordering::SeqCst) {
        most = most.max(db.number("select count(*) from pgjobq.jobs").await);
    }
    assert_eq!(producer.await.unwrap().unwrap().new, 3000);
    assert!((1..=20).contains(&most), "{most}");
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(waits_need_no_notifications);
async fn waits_need_no_notifications(db: TestDb) {
    bound(&db, 1).await;
    let first = quick::enqueue(&db.client, 1).await.unwrap();
    let client =
        Client::builder(db.pool.clone()).notifications(false).enqueue_timeout(PATIENCE).build().unwrap();
    let waiting = tokio::spawn(async move { quick::enqueue(&client, 2).await });
    db.until(&format!("{LINE} = 1")).await;
    first.cancel(&db.client).await.unwrap();
    assert!(waiting.await.unwrap().unwrap().is_new());
}

on_one_shard!(full_queue_delays_no_enqueue_elsewhere);
async fn full_queue_delays_no_enqueue_elsewhere(db: TestDb) {
    bound(&db, 1).await;
    db.client.queue("elsewhere").save().await.unwrap();
    quick::enqueue(&db.client, 0).await.unwrap();
    let client = patient(&db, PATIENCE);
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { quick::enqueue(&client, number).await.map(drop) })
        })
        .collect();
    for number in 0..50 {
        assert!(quick::job(number).queue("elsewhere").enqueue(&client).await.unwrap().is_new());
    }
    assert!(waiting.iter().all(|one| !one.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    let mixed = (0..5).map(|n| quick::job(n).queue(if n == 0 { "bounded" } else { "elsewhere" }));
    let error = patient(&db, Duration::from_secs(8)).enqueue_all(mixed).await.unwrap_err();
    assert_eq!((error.enqueued.new, error.positions.clone(), error.unsent_from), (4, vec![0], 5), "{error}");
    assert_accounted(&db).await;
}

on_one_shard!(place_in_line_is_kept_while_room_is_uncommitted);
async fn place_in_line_is_kept_while_room_is_uncommitted(db: TestDb) {
    bound(&db, 5).await;
    let mut tx = db.pool.begin().await.unwrap();
    pgjobq::enqueue_all(&mut *tx, (0..5).map(quick::job)).await.unwrap();
    let client = patient(&db, PATIENCE);
    let waiting = tokio::spawn(async move { quick::enqueue(&client, 9).await });
    db.until(&format!("{LINE} = 1")).await;
    let number = db.number("select min(number) from pgjobq.room_waiters").await;
    for _ in 0..5 {
        let renewed = db.text("select max(until)::text from pgjobq.room_waiters").await;
        db.until(&format!("(select max(until) from pgjobq.room_waiters) > '{renewed}'")).await;
    }
    assert_eq!(db.number("select max(number) from pgjobq.room_waiters").await, number);
    tx.rollback().await.unwrap();
    assert!(waiting.await.unwrap().unwrap().is_new());
    assert_accounted(&db).await;
}

on_one_shard!(place_from_before_a_clock_step_is_void);
async fn place_from_before_a_clock_step_is_void(db: TestDb) {
    bound(&db, 5).await;
    db.run(
        "insert into pgjobq.room_waiters (shard, queue_id, number, want, until)
         select 0, id, 0, 5, clock_timestamp() + interval '1 hour' from pgjobq.queues where name = 'bounded'",
    )
    .await;
    assert!(quick::job(1).try_enqueue(&db.client).await.unwrap().is_new());
    assert_eq!(db.client.enqueue_all((2..4).map(quick::job)).await.unwrap().new, 2);
    let turn =
        "select turn from pgjobq.await_room((select id from pgjobq.queues where name = 'bounded'), null, 2)";
    assert_eq!(db.number(&turn.replace("turn from", "turn::bigint from")).await, 2);
    db.run("select pgjobq.tidy_hints(0::smallint)").await;
    assert_eq!(db.number("select count(*) from pgjobq.room_waiters where number = 0").await, 0);
    assert_accounted(&db).await;
}
