//! Announcements of the admission after a client's enqueue, about jobs that others have enqueued.

use pgjobq::{Client, EnqueueOutcome, OnConflict};
use pgjobq_core::worker_api::Signal;

use super::hold;
use crate::harness::{PATIENCE, TestDb};
use crate::probe::Probe;

on_one_shard!(end_of_another_callers_job_is_announced);
async fn end_of_another_callers_job_is_announced(db: TestDb) {
    let probe = Probe::new();
    let job = || hold::job(probe.number, "announced".to_owned());
    job().enqueue(&db.client).await.unwrap();
    let waits = job().enqueue(&db.client).await.unwrap();
    hold::job(probe.number, "child".to_owned()).after(&waits).enqueue(&db.client).await.unwrap();
    let listener = Client::new(db.pool.clone());
    let mut signals = listener.signals();
    while !matches!(signals.recv().await.unwrap(), Signal::Anything) {}
    let newest = job().on_conflict(OnConflict::CancelWaiting).enqueue(&db.client).await.unwrap();
    assert_eq!(newest.outcome(), EnqueueOutcome::New);
    let (mut ended, mut edges) = (false, false);
    let heard = async {
        while !(ended && edges) {
            match signals.recv().await.unwrap() {
                Signal::Ended(jobs) => ended |= jobs.contains(&waits.id().as_uuid()),
                Signal::Edges => edges = true,
                _ => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("both are announced");
}

on_one_shard!(job_of_another_queue_that_is_let_in_is_announced);
async fn job_of_another_queue_that_is_let_in_is_announced(db: TestDb) {
    let probe = Probe::new();
    db.client.queue("elsewhere").save().await.unwrap();
    let job = || hold::job(probe.number, "announced".to_owned());
    job().enqueue(&db.client).await.unwrap();
    let waits = job().queue("elsewhere").enqueue(&db.client).await.unwrap();
    // A worker of the other queue that waits to be notified, and a permit that became free without a look.
    db.run(
        "insert into pgjobq.workers (shard, id, name, lease, idle)
         select 0, 42, 'idle', '1 hour', array[id] from pgjobq.queues where name = 'elsewhere';
         delete from pgjobq.jobs where permit > 0",
    )
    .await;
    let queue = db.number("select id from pgjobq.queues where name = 'elsewhere'").await;
    let listener = Client::new(db.pool.clone());
    let mut signals = listener.signals();
    while !matches!(signals.recv().await.unwrap(), Signal::Anything) {}
    job().enqueue(&db.client).await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs where ticket is not null").await, 1);
    assert_eq!(db.text("select id from pgjobq.jobs where ticket is not null").await, waits.id().to_string());
    let heard = async {
        loop {
            if let Signal::Wake(queues) = signals.recv().await.unwrap()
                && queues.iter().any(|id| id.to_string() == queue.to_string())
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("its worker is notified");
}
