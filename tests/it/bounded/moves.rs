//! Jobs that come to a bounded queue in other ways than by an enqueue.

use pgjobq::filter::all;
use pgjobq::prelude::*;
use pgjobq::{LeftOut, RequeueOutcome, RetryError};

use super::{assert_accounted, bound, fatal, quick, room, worker};
use crate::harness::TestDb;

on_one_shard!(dead_job_is_requeued_only_if_there_is_room);
async fn dead_job_is_requeued_only_if_there_is_room(db: TestDb) {
    bound(&db, 1).await;
    let dead = fatal::enqueue(&db.client).await.unwrap();
    let worker = worker(&db, 1).await;
    db.until("exists (select from pgjobq.finished)").await;
    worker.shutdown().await.unwrap();
    let blocking = quick::enqueue(&db.client, 1).await.unwrap();
    assert_eq!(dead.requeue(&db.client).await.unwrap(), RequeueOutcome::QueueFull);
    let report = db.client.jobs(all()).requeue().await.unwrap();
    assert_eq!((report.changed, &*report.left), (0, &[(LeftOut::QueueFull, 1)][..]));
    blocking.cancel(&db.client).await.unwrap();
    assert_eq!(dead.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(dead.requeue(&db.client).await.unwrap(), RequeueOutcome::AlreadyLive);
    assert_eq!(room(&db).await, 0);
    assert_accounted(&db).await;
}

on_one_shard!(moved_jobs_change_their_places);
async fn moved_jobs_change_their_places(db: TestDb) {
    bound(&db, 10).await;
    db.client.queue("small").bounded(3).save().await.unwrap();
    db.client.queue("free").save().await.unwrap();
    db.client.enqueue_all((0..5).map(quick::job)).await.unwrap();
    let report = db.client.jobs(all()).move_to("small").await.unwrap();
    assert_eq!((report.changed, &*report.left), (3, &[(LeftOut::QueueFull, 2)][..]));
    assert_eq!((room(&db).await, db.client.queue("small").room().await.unwrap()), (8, Some(0)));
    assert_accounted(&db).await;
    assert_eq!(db.client.jobs(all()).move_to("free").await.unwrap().changed, 5);
    assert_eq!((room(&db).await, db.client.queue("small").room().await.unwrap()), (10, Some(3)));
    assert_eq!(db.client.jobs(all()).move_to("bounded").await.unwrap().changed, 5);
    assert_eq!(room(&db).await, 5);
    assert_accounted(&db).await;
}

on_one_shard!(workflow_is_retried_only_if_all_steps_have_room);
async fn workflow_is_retried_only_if_all_steps_have_room(db: TestDb) {
    bound(&db, 3).await;
    let mut flow = Workflow::new("bounded");
    let first = flow.add(fatal::step());
    flow.add(quick::step(1).after(&first));
    let handle = flow.enqueue(&db.client).await.unwrap();
    let worker = worker(&db, 1).await;
    db.until("exists (select from pgjobq.workflows where ended_at is not null)").await;
    worker.shutdown().await.unwrap();
    assert_eq!(room(&db).await, 3);
    db.client.enqueue_all((0..2).map(quick::job)).await.unwrap();
    let error = handle.retry_failed(&db.client).await.unwrap_err();
    assert!(matches!(&error, RetryError::QueueFull { bound: 3, .. }), "{error}");
    db.run("select pgjobq.cancel(id) from pgjobq.jobs").await;
    db.run("select pgjobq.act_on_cancels(0::smallint, null, null, 10)").await;
    assert_eq!(handle.retry_failed(&db.client).await.unwrap(), 2);
    assert_eq!(room(&db).await, 1);
    assert_accounted(&db).await;
}

#[job(kind = "bounded_grow", queue = "default", retries = 0)]
async fn grow(ctx: JobContext, steps: u64) -> Result<()> {
    let flow = ctx.workflow()?;
    for number in 0..steps {
        flow.add(quick::step(number));
    }
    Ok(())
}

on_one_shard!(added_steps_wait_for_room);
async fn added_steps_wait_for_room(db: TestDb) {
    bound(&db, 2).await;
    let blocking = quick::enqueue(&db.client, 9).await.unwrap();
    let mut flow = Workflow::new("bounded");
    flow.add(grow::step(2));
    let handle = flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start(); // It does not serve the bounded queue.
    db.until("exists (select from pgjobq.leases where tickets is not null)").await;
    blocking.cancel(&db.client).await.unwrap();
    db.until("(select count(*) from pgjobq.jobs where limits & 8 > 0) = 2").await;
    assert_eq!(room(&db).await, 0);
    assert!(handle.status(&db.client).await.unwrap().is_some());
    worker.shutdown().await.unwrap();
    assert_accounted(&db).await;
}

on_one_shard!(added_steps_do_not_wait_behind_the_line);
async fn added_steps_do_not_wait_behind_the_line(db: TestDb) {
    bound(&db, 5).await;
    let pool = db.pool.clone();
    let others = tokio::spawn(async move {
        let place = "insert into pgjobq.room_waiters (shard, queue_id, number, want, until)
                     select 0, id, 0, 1000, clock_timestamp() + interval '2 seconds' from pgjobq.queues
                      where name = 'bounded'
                     on conflict (shard, queue_id, number) do update set until = excluded.until";
        loop {
            sqlx::query(place).execute(&pool).await.unwrap();
        }
    });
    db.until("exists (select from pgjobq.room_waiters)").await;
    let mut flow = Workflow::new("bounded");
    flow.add(grow::step(2));
    flow.enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.jobs where limits & 8 > 0) = 2").await;
    worker.shutdown().await.unwrap();
    others.abort();
    assert_accounted(&db).await;
}
