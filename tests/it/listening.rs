//! Notifications are received past a pooler that loses them, and never through one.

use std::time::Duration;

use pgjobq::Client;
use pgjobq_core::worker_api::{QueueId, Signal};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

use crate::error_text::check_says;
use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::multiplexer::{Lends, Multiplexer};

/// Returns a pool of one connection, which the pooler always serves with the same server connection, so that statements are
/// executed on the connection that prepared them.
async fn pool_of_one(pooler: &Multiplexer) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(pooler.options.clone()).await.unwrap()
}

#[tokio::test]
async fn notifications_arrive_past_a_pooler_that_loses_them() {
    in_time(async {
        let db = TestDb::new(1).await;
        let pooler = Multiplexer::to(&db.options, Lends::Last, 1).await;
        let pool = pool_of_one(&pooler).await;
        let client = Client::builder(pool).listen_url(&db.url()).build().unwrap();
        let mut signals = client.signals();
        assert!(matches!(signals.recv().await, Ok(Signal::Anything)), "the client listens");
        client.notifications().wake(&[QueueId(7)]); // Sent through the pooler.
        let heard = tokio::time::timeout(Duration::from_secs(30), signals.recv())
            .await
            .expect("the notification arrives");
        assert!(matches!(heard, Ok(Signal::Wake(queues)) if *queues == [QueueId(7)]));

        // Only waiters are notified of a job's end.
        let job = double::enqueue(&client, 21).await.unwrap();
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { job.wait(&client).await.unwrap() }
        });
        db.until("exists (select from pgjobq.waiters)").await;
        let worker = db.worker().build().await.unwrap().start();
        let ended = async { while !matches!(signals.recv().await, Ok(Signal::Ended(_))) {} };
        tokio::time::timeout(Duration::from_secs(30), ended)
            .await
            .expect("the notification of the job's end arrives");
        assert_eq!(waiting.await.unwrap().completed(), Some(42));
        worker.shutdown().await.unwrap();
        client.close().await;
    })
    .await;
}

#[tokio::test]
async fn listener_rejects_a_pooler_in_transaction_mode() {
    in_time(async {
        let db = TestDb::new(1).await;
        let pooler = Multiplexer::to(&db.options, Lends::Longest, 4).await;
        let pool = pool_of_one(&pooler).await;
        let client = Client::new(pool.clone());
        let mut signals = client.signals();
        db.until(
            "select exists (select from pg_stat_activity where datname = current_database()
                and application_name = 'pgjobq listener' and query like '%pg_backend_pid()%')",
        )
        .await;
        // Tries each connection of the pooler in turn, many times.
        for _ in 0..100 {
            let listening = "select 1 from pg_listening_channels()".to_owned();
            let channels = sqlx::raw_sql(AssertSqlSafe(listening)).fetch_all(&pool).await.unwrap();
            assert_eq!(
                channels.len(),
                0,
                "the next client of this connection would receive notifications that are not for it"
            );
        }
        assert!(signals.try_recv().is_err(), "no subscriber receives the signal that the listener listens");
        client.close().await;
    })
    .await;
}

#[tokio::test]
async fn invalid_listen_url_is_reported() {
    let pool = PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/app").unwrap();
    let said =
        "the `listen_url` is not the address of a database, which is like postgres://user:password@host/name";
    for (url, why) in [
        ("localhost:5432", "it does not begin with postgres://"),
        ("postgres://a:b/c", "invalid port number"),
    ] {
        let built = Client::builder(pool.clone()).listen_url(url).build();
        check_says(built, &format!("{said}: {why}"));
    }
}
