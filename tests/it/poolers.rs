//! Poolers: `build()` detects a pooler in transaction mode, and accepts all other connections.

use pgjobq::{BuildError, Client, SetupProblem, Worker};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::multiplexer::{Lends, Multiplexer};
use crate::pgbouncer::PgBouncer;
use crate::proxy::Proxy;

const EXPLAINED: &str = "the worker cannot start: a pooler in transaction mode stands before the database, and hands the \
    worker's connections to other clients between two statements: give the worker a client with a direct URL, or with one \
    in session mode (programs that only enqueue may go through a pooler that keeps prepared statements, as PgBouncer does \
    from 1.21 on with `max_prepared_statements`)";

fn client(options: &PgConnectOptions) -> Client {
    Client::new(PgPoolOptions::new().connect_lazy_with(options.clone()))
}

async fn refusal(client: &Client, connections: u32) -> BuildError {
    Worker::builder(client).queue("default", 5).connections(connections).build().await.unwrap_err()
}

#[track_caller]
fn assert_explained(error: &BuildError) {
    assert!(matches!(error.problems[..], [SetupProblem::Pooler]), "{error}");
    assert_eq!(error.to_string(), EXPLAINED);
}

#[tokio::test]
async fn transaction_mode_pooler_is_detected_with_any_lending_order() {
    in_time(async {
        let db = TestDb::new(1).await;
        for lends in [Lends::Last, Lends::Longest, Lends::Any] {
            for most in [1, 2, 3, 7] {
                // With two connections lent at random, the detection may miss the pooler by chance.
                for connections in if matches!(lends, Lends::Any) { [4, 4] } else { [2, 4] } {
                    let pooler = Multiplexer::to(&db.options, lends, most).await;
                    let built = refusal(&client(&pooler.options), connections).await;
                    assert!(
                        matches!(built.problems[..], [SetupProblem::Pooler]),
                        "{lends:?} {most} {connections}"
                    );
                    assert_explained(&built);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn transaction_mode_pooler_is_detected_while_others_use_it() {
    in_time(async {
        let db = TestDb::new(1).await;
        for lends in [Lends::Last, Lends::Longest, Lends::Any] {
            let pooler = Multiplexer::to(&db.options, lends, 5).await;
            let others =
                PgPoolOptions::new().max_connections(3).connect_with(pooler.options.clone()).await.unwrap();
            let mut busy = tokio::task::JoinSet::new();
            for _ in 0..3 {
                let others = others.clone();
                busy.spawn(async move { while sqlx::raw_sql("select 1").execute(&others).await.is_ok() {} });
            }
            for _ in 0..5 {
                assert_explained(&refusal(&client(&pooler.options), 4).await);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn plain_proxy_is_not_taken_for_a_pooler() {
    in_time(async {
        let db = TestDb::new(1).await;
        let network = Proxy::to(&db.options).await;
        runs_through(&network.options()).await;
    })
    .await;
}

#[tokio::test]
async fn pgbouncer_works_in_session_mode_only() {
    in_time(async {
        let db = TestDb::new(1).await;
        let Some(pgbouncer) = PgBouncer::to(&db.options, "transaction").await else { return };
        for connections in [2, 4, 4, 4, 4] {
            assert_explained(&refusal(&client(&pgbouncer.options), connections).await);
        }
        let Some(pgbouncer) = PgBouncer::to(&db.options, "session").await else { return };
        runs_through(&pgbouncer.options).await;
    })
    .await;
}

async fn runs_through(options: &PgConnectOptions) {
    let client = client(options);
    let worker = Worker::builder(&client).queue("default", 5).build().await.unwrap().start();
    assert_eq!(double::call(&client, 21).await.unwrap(), 42);
    worker.shutdown().await.unwrap();
    client.close().await;
}
