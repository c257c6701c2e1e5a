//! Batches of which a full queue takes only a part.

use pgjobq::{EnqueueError, JobId, WhenFull};

use super::{assert_accounted, bound_and, quick};
use crate::harness::TestDb;

on_one_shard!(rejected_batch_tells_new_jobs_from_duplicates);
async fn rejected_batch_tells_new_jobs_from_duplicates(db: TestDb) {
    bound_and(&db, 7, WhenFull::Reject).await;
    let ids: Vec<JobId> = (0..10).map(|_| JobId::new()).collect();
    let job = |n: usize| quick::job(n as u64).id(ids[n]);
    db.client.enqueue_all([0, 3, 6, 9].map(job)).await.unwrap();
    let error = db.client.enqueue_all((0..10).map(job)).await.unwrap_err();
    assert!(matches!(error.error, EnqueueError::QueueFull { .. }), "{error}");
    assert_eq!((error.enqueued.new, error.enqueued.duplicates, error.positions.len()), (3, 4, 3), "{error}");
    assert_eq!(error.unsent_from, 10);
    assert!(error.to_string().starts_with("3 jobs were enqueued, and then 3 of the jobs "), "{error}");
    db.run("select pgjobq.save_bound(id, 20, null) from pgjobq.queues where name = 'bounded'").await;
    let rest =
        error.positions.iter().map(|n| job(*n as usize)).chain((error.unsent_from as usize..10).map(job));
    let rest = db.client.enqueue_all(rest).await.unwrap();
    assert_eq!((rest.new, rest.duplicates), (3, 0), "who resumes sends no job twice");
    assert_accounted(&db).await;
}

on_one_shard!(rejected_batch_with_a_job_twice_is_counted);
async fn rejected_batch_with_a_job_twice_is_counted(db: TestDb) {
    bound_and(&db, 2, WhenFull::DropNew).await;
    let id = JobId::new();
    let all = [quick::job(1).id(id), quick::job(2).id(id), quick::job(3), quick::job(4)];
    let all = db.client.enqueue_all(all).await.unwrap();
    assert_eq!(all.new + all.duplicates + all.dropped, 4, "{all:?}");
    assert_eq!(all.new as i64, db.number("select count(*) from pgjobq.jobs").await, "{all:?}");
    assert_accounted(&db).await;
}
