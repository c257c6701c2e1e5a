//! Enqueues into a full queue.

use pgjobq::prelude::*;
use pgjobq::{
    CancelOutcome, EnqueueError, EnqueueOutcome, JobState, QueueError, WhenFull, WorkflowError, enqueue_all,
};

use super::{assert_accounted, bound, bound_and, fatal, quick, room};
use crate::harness::TestDb;

fn is_full(error: &EnqueueError) -> bool {
    matches!(error, EnqueueError::QueueFull { queue, .. } if queue == "bounded")
}

on_one_shard!(full_queue_refuses_one_more_job);
async fn full_queue_refuses_one_more_job(db: TestDb) {
    bound(&db, 2).await;
    let first = quick::job(1).try_enqueue(&db.client).await.unwrap();
    quick::job(2).enqueue(&db.client).await.unwrap();
    assert_eq!(room(&db).await, 0);
    let refused = quick::job(3).try_enqueue(&db.client).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "queue `bounded` is full: it is bounded at 2 jobs; try again when jobs of it have ended, or raise the bound \
         with `client.queue(\"bounded\").bounded(…).save()`"
    );
    // A duplicate needs no place.
    assert!(!quick::job(1).id(first.id()).try_enqueue(&db.client).await.unwrap().is_new());
    let pool = quick::job(3).enqueue(&db.pool).await.unwrap_err();
    assert!(is_full(&pool), "a pool does not wait: {pool}");
    assert_eq!(first.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    assert!(db.client.try_enqueue(quick::job(3)).await.unwrap().is_new());
    assert_accounted(&db).await;
}

on_one_shard!(full_queue_is_an_answer_in_a_transaction);
async fn full_queue_is_an_answer_in_a_transaction(db: TestDb) {
    bound(&db, 3).await;
    quick::job(1).enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    quick::job(2).enqueue(&mut *tx).await.unwrap();
    quick::job(3).enqueue(&mut *tx).await.unwrap();
    assert!(is_full(&quick::job(4).enqueue(&mut *tx).await.unwrap_err()));
    let all = enqueue_all(&mut *tx, (5..8).map(quick::job)).await.unwrap_err();
    assert!(is_full(&all.error) && all.enqueued.new == 0, "{all}");
    assert_eq!(room(&db).await, 2, "nobody else sees that");
    assert!(is_full(&quick::job(4).try_enqueue(&db.client).await.unwrap_err()), "but the places are taken");
    tx.commit().await.unwrap();
    assert_eq!((room(&db).await, db.number("select count(*) from pgjobq.jobs").await), (0, 3));
    assert_accounted(&db).await;
}

on_one_shard!(batch_in_a_transaction_is_enqueued_whole_or_not);
async fn batch_in_a_transaction_is_enqueued_whole_or_not(db: TestDb) {
    bound(&db, 100).await;
    db.client.queue("elsewhere").save().await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let jobs = (0..101).map(quick::job).chain([quick::job(7).queue("elsewhere")]);
    assert!(is_full(&enqueue_all(&mut *tx, jobs).await.unwrap_err().error));
    // What it did not get, it does not hold.
    assert!(quick::job(1).try_enqueue(&db.client).await.unwrap().is_new());
    assert_eq!(enqueue_all(&mut *tx, (0..99).map(quick::job)).await.unwrap().new, 99);
    tx.rollback().await.unwrap();
    assert_eq!(room(&db).await, 99);
    assert_accounted(&db).await;
}

on_one_shard!(full_queue_rejects_if_it_is_told_to);
async fn full_queue_rejects_if_it_is_told_to(db: TestDb) {
    bound_and(&db, 1, WhenFull::Reject).await;
    quick::job(1).enqueue(&db.client).await.unwrap();
    assert!(is_full(&quick::job(2).enqueue(&db.client).await.unwrap_err()));
    let all = db.client.enqueue_all((0..3).map(quick::job)).await.unwrap_err();
    assert!(is_full(&all.error), "{all}");
    assert_accounted(&db).await;
}

on_one_shard!(new_job_is_dropped_without_an_error);
async fn new_job_is_dropped_without_an_error(db: TestDb) {
    bound_and(&db, 2, WhenFull::DropNew).await;
    let all = db.client.enqueue_all((0..5).map(quick::job)).await.unwrap();
    assert_eq!((all.new, all.duplicates, all.dropped), (2, 0, 3));
    let dropped = quick::job(2).enqueue(&db.client).await.unwrap();
    assert_eq!(dropped.outcome(), EnqueueOutcome::Dropped);
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(quick::job(2).enqueue(&mut *tx).await.unwrap().outcome(), EnqueueOutcome::Dropped);
    tx.commit().await.unwrap();
    let in_sql = "(select concat_ws(', ', outcome, is_new, job) from pgjobq.enqueue('bounded_quick', '{\"number\": 2}', 'bounded'))";
    assert_eq!(db.text(in_sql).await, "dropped, f");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2);
    assert_accounted(&db).await;
}

on_one_shard!(oldest_waiting_job_is_dropped);
async fn oldest_waiting_job_is_dropped(db: TestDb) {
    bound_and(&db, 3, WhenFull::DropOldest).await;
    let mut jobs = Vec::new();
    for number in 0..5 {
        jobs.push(quick::job(number).enqueue(&db.client).await.unwrap());
    }
    let mut states = Vec::new();
    for job in &jobs {
        states.push(job.status(&db.client).await.unwrap().unwrap().state);
    }
    use JobState::{Cancelled, Ready};
    assert_eq!(states, [Cancelled, Cancelled, Ready, Ready, Ready]);
    let all = db.client.enqueue_all((10..13).map(quick::job)).await.unwrap();
    assert_eq!((all.new, db.number("select count(*) from pgjobq.jobs").await), (3, 3));
    assert_eq!(db.text("select min(cancelled->>'by') from pgjobq.finished").await, "pgjobq");
    let mut tx = db.pool.begin().await.unwrap();
    assert!(
        is_full(&quick::job(9).enqueue(&mut *tx).await.unwrap_err()),
        "it locks nothing in a transaction"
    );
    assert_accounted(&db).await;
}

on_one_shard!(no_job_is_dropped_for_jobs_that_have_room);
async fn no_job_is_dropped_for_jobs_that_have_room(db: TestDb) {
    bound_and(&db, 10, WhenFull::DropOldest).await;
    db.client.enqueue_all((0..8).map(quick::job)).await.unwrap();
    let drop = async |most: i32| {
        let queue = "(select id from pgjobq.queues where name = 'bounded')";
        db.run(&format!("select pgjobq.drop_oldest({queue}, {most})")).await;
        db.number("select count(*) from pgjobq.jobs").await
    };
    assert_eq!(drop(2).await, 8, "there is room");
    assert_eq!(drop(5).await, 5);
    bound_and(&db, 10, WhenFull::Wait).await;
    assert_eq!(drop(9).await, 5, "it drops none any more");
    assert_accounted(&db).await;
}

on_one_shard!(scheduled_jobs_are_not_dropped_for_newer_ones);
async fn scheduled_jobs_are_not_dropped_for_newer_ones(db: TestDb) {
    bound_and(&db, 1, WhenFull::DropOldest).await;
    let hour = std::time::Duration::from_secs(3600);
    quick::job(1).delay(hour).enqueue(&db.client).await.unwrap();
    assert!(is_full(&quick::job(2).enqueue(&db.client).await.unwrap_err()));
    assert_accounted(&db).await;
}

on_one_shard!(workflow_has_room_for_all_steps_or_none);
async fn workflow_has_room_for_all_steps_or_none(db: TestDb) {
    bound(&db, 3).await;
    let flow = |steps: u64| {
        let mut flow = Workflow::new("bounded");
        for number in 0..steps {
            flow.add(quick::step(number));
        }
        flow
    };
    let id = {
        let too_large = flow(4);
        let id = too_large.id();
        let error = too_large.enqueue(&db.client).await.unwrap_err();
        assert!(matches!(&error, WorkflowError::Step { error, .. } if is_full(error)), "{error}");
        id
    };
    assert_eq!(db.number("select count(*) from pgjobq.workflows").await, 0, "{id}");
    // A role that may only enqueue goes on in its transaction.
    let all = pgjobq::schema_sql("pgjobq").unwrap();
    db.run(&all[all.find("-- The grants").unwrap()..]).await;
    let mut tx = db.pool.begin().await.unwrap();
    sqlx::raw_sql("set local role pgjobq_producer").execute(&mut *tx).await.unwrap();
    let error = flow(4).enqueue(&mut *tx).await.unwrap_err();
    assert!(matches!(&error, WorkflowError::Step { error, .. } if is_full(error)), "{error}");
    flow(3).enqueue(&mut *tx).await.unwrap();
    assert!(flow(1).enqueue(&mut *tx).await.is_err());
    tx.commit().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
    assert_accounted(&db).await;
}

on_one_shard!(sql_enqueue_raises_with_a_hint);
async fn sql_enqueue_raises_with_a_hint(db: TestDb) {
    bound(&db, 1).await;
    db.run("select pgjobq.enqueue('bounded_quick', '{\"number\": 1}', queue => 'bounded')").await;
    let again = "select pgjobq.enqueue('bounded_quick', '{\"number\": 1}', queue => 'bounded')";
    let error = sqlx::raw_sql(again).execute(&db.pool).await.unwrap_err();
    let error = error.into_database_error().unwrap();
    assert_eq!(
        (error.code().as_deref(), error.message()),
        (Some("PJ003"), "queue 'bounded' is full: its bound is 1")
    );
    assert_eq!(db.number("select pgjobq.room('bounded')").await, 0);
    bound_and(&db, 1, WhenFull::DropNew).await;
    db.run(again).await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
}

on_one_shard!(impossible_bounds_are_refused_with_what_to_write);
async fn impossible_bounds_are_refused_with_what_to_write(db: TestDb) {
    for bound in [0, 1_000_001] {
        let error = db.client.queue("bounded").bounded(bound).save().await.unwrap_err();
        assert!(matches!(error, QueueError::Bound { bound: b, .. } if b == bound), "{error}");
        let error = db.client.queue("bounded").change().bound(bound).await.unwrap_err();
        assert!(error.to_string().contains("write 1 to 1,000,000"), "{error}");
    }
    bound(&db, 5).await;
    db.client.enqueue_all((0..4).map(quick::job)).await.unwrap();
    let error = db.client.queue("bounded").bounded(3).save().await.unwrap_err();
    assert!(matches!(error, QueueError::BoundTooSmall { bound: 3, jobs: 4, .. }), "{error}");
    let error = db.client.queue("bounded").change().bound(3).await.unwrap_err();
    assert!(matches!(error, QueueError::BoundTooSmall { bound: 3, jobs: 4, .. }), "{error}");
    fatal::enqueue(&db.client).await.unwrap();
    assert_eq!(room(&db).await, 0, "it is still 5");
    assert_accounted(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_is_refused_on_several_shards() {
    crate::harness::run(8, |db| async move {
        let error = db.client.queue("bounded").bounded(3).save().await.unwrap_err();
        assert!(matches!(error, QueueError::BoundOnShards(_)), "{error}");
        quick::enqueue(&db.client, 1).await.unwrap();
    })
    .await;
}
