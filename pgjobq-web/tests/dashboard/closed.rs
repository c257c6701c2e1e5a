//! A browser that closes the connection ends nothing that others wait for, and gets no second turn.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use pgjobq::Client;
use pgjobq::observe::{Statement, TelemetryHook};
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq_web::router;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::stage::Stage;

const LONG: Duration = Duration::from_secs(20);

fn ask(app: &Router, path: &'static str) -> JoinHandle<Response> {
    let answer = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    tokio::spawn(async { answer.await.unwrap() })
}

/// The number of sessions that wait for a lock.
async fn waiting(stage: &Stage) -> u32 {
    let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    stage.text(waits).await.parse().unwrap()
}

#[tokio::test]
async fn closed_connections_get_no_second_turn() {
    Stage::run(async |stage| {
        let pool =
            PgPoolOptions::new().max_connections(20).connect_with(stage.options.clone()).await.unwrap();
        let client = Client::new(pool.clone());
        let app: Router = router(&client).statement_timeout(LONG).open_to_everyone();
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.audit in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let mut most = 0;
        for _ in 0..12 {
            let page = ask(&app, "/audit");
            for _ in 0..50 {
                most = most.max(waiting(stage).await);
            }
            page.abort();
            assert!(page.await.unwrap_err().is_cancelled());
        }
        assert_eq!(most, 4, "the number of statements that run at once");
        other.rollback().await.unwrap();
        let page = timeout(LONG, ask(&app, "/audit")).await.unwrap().unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        client.close().await;
        pool.close().await;
    })
    .await;
}

/// Notifies of each measurement of the fleet.
#[derive(Clone, Default)]
struct Measured(Arc<Notify>);

impl TelemetryHook for Measured {
    fn on_statement(&self, statement: &Statement) {
        if statement.name.starts_with("fleet") && statement.error.is_none() {
            self.0.notify_one();
        }
    }
}

#[tokio::test]
async fn measurement_outlives_its_viewer() {
    Stage::run(async |stage| {
        let measured = Measured::default();
        let client =
            Client::builder(stage.client.pool().clone()).telemetry_hook(measured.clone()).build().unwrap();
        let app: Router = router(&client).statement_timeout(LONG).open_to_everyone();
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.fleet in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let page = ask(&app, "/overview");
        while waiting(stage).await == 0 {}
        page.abort();
        assert!(page.await.unwrap_err().is_cancelled());
        other.rollback().await.unwrap();
        timeout(LONG, measured.0.notified()).await.expect("the measurement ended with its viewer");
        client.close().await;
    })
    .await;
}
