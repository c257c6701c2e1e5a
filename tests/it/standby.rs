//! A standby serves calls that only read. All others fail with an error that points to the primary.

use std::time::Duration;

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, Cause, DatabaseError, HandleError, JobState, Throughput};

use crate::harness::in_time;
use crate::lifecycle::double;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standby_shows_jobs_and_changes_none() {
    in_time(async {
        let server = Server::start(ServerOptions::fast()).await.unwrap();
        let primary = Client::connect(&server.url("postgres")).await.unwrap();
        primary.migrate().await.unwrap();
        let later = || double::job(1).delay(Duration::from_secs(3600));
        let waiting = later().enqueue(&primary).await.unwrap();
        let ended = later().enqueue(&primary).await.unwrap();
        assert_eq!(ended.cancel(&primary).await.unwrap(), CancelOutcome::Cancelled);
        primary.close().await;

        // This file keeps the server in recovery, waiting for a primary.
        std::fs::write(server.data_dir().join("standby.signal"), "").unwrap();
        server.restart().await.unwrap();
        let standby = Client::connect(&server.url("postgres")).await.unwrap();
        shows_and_changes_nothing(&standby, &waiting, &ended).await;
        standby.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn role_that_writes_nothing_sees_jobs_and_changes_none() {
    in_time(async {
        let db = crate::harness::TestDb::new(1).await;
        let later = || double::job(1).delay(Duration::from_secs(3600));
        let waiting = later().enqueue(&db.client).await.unwrap();
        let ended = later().enqueue(&db.client).await.unwrap();
        assert_eq!(ended.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
        let options = db.options.clone().options([("default_transaction_read_only", "on")]);
        let reader = Client::new(sqlx::PgPool::connect_with(options).await.unwrap());
        shows_and_changes_nothing(&reader, &waiting, &ended).await;
        reader.close().await;
    })
    .await;
}

async fn shows_and_changes_nothing(client: &Client, waiting: &JobHandle<i64>, ended: &JobHandle<i64>) {
    assert_eq!(waiting.status(client).await.unwrap().unwrap().state, JobState::Scheduled);
    assert_eq!(waiting.progress(client).await.unwrap(), None);
    assert_eq!(ended.status(client).await.unwrap().unwrap().state, JobState::Cancelled);
    let explained = waiting.explain(client).await.unwrap();
    assert!(matches!(explained.reasons[0].cause, Cause::Scheduled { .. }), "{explained}");
    assert_eq!(ended.explain(client).await.unwrap().reasons[0].code, "cancelled");
    let stats = client.queue("default").stats().await.unwrap().unwrap();
    assert_eq!((stats.scheduled, stats.ready, stats.completed_per_minute), (1, 0, 0.0));
    assert_eq!(client.throughput().await.unwrap(), [Throughput::default(); 20]);
    let fleet = client.fleet_state_unstored(Duration::from_secs(60)).await.unwrap();
    assert_eq!((fleet.workers, fleet.queues.iter().map(|queue| queue.scheduled).sum::<u64>()), (0, 1));
    client.fleet_limits().await.unwrap();
    assert!(client.workers().await.unwrap().is_empty());
    let stored = client.fleet_state(Duration::from_secs(60)).await;
    assert!(matches!(stored, Err(DatabaseError::ReadOnly(_))), "{stored:?}");
    assert_eq!(client.cancelled_jobs().list(9).await.unwrap()[0].id, ended.id());
    assert_eq!(ended.wait_timeout(client, Duration::from_secs(60)).await.unwrap(), Outcome::Cancelled);
    let refused = [
        client.queue("default").purge().await.map(drop),
        client.cancelled_jobs().requeue().await.map(drop),
        client.cancelled_jobs().purge().await.map(drop),
    ];
    let cancelled = waiting.cancel(client).await;
    assert!(matches!(cancelled, Err(HandleError::Database(DatabaseError::ReadOnly(_)))), "{cancelled:?}");
    for refused in refused {
        assert!(matches!(refused, Err(DatabaseError::ReadOnly(_))), "{refused:?}");
    }
}
