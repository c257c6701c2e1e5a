//! The dashboard does not hurt the database.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use futures_util::future::join_all;
use http_body_util::BodyExt as _;
use pgjobq::Client;
use pgjobq::observe::{Statement, TelemetryHook};
use pgjobq_web::router;
use tower::ServiceExt as _;

use crate::browser::Browser;
use crate::jobs::seed;
use crate::stage::Stage;

/// Counts statements that measure the fleet, and all others.
#[derive(Clone, Default)]
struct Counter(Arc<[AtomicUsize; 2]>);

impl TelemetryHook for Counter {
    fn on_statement(&self, statement: &Statement) {
        self.0[usize::from(!statement.name.starts_with("fleet"))].fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn hundred_viewers_share_one_measurement() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let counter = Counter::default();
        let client =
            Client::builder(stage.client.pool().clone()).telemetry_hook(counter.clone()).build().unwrap();
        let day = Duration::from_secs(86_400);
        let browser = Browser::new(router(&client).interval(day).open_to_everyone());
        let pages =
            join_all((0..100).map(|viewer| browser.get(if viewer % 2 == 0 { "overview" } else { "queues" })))
                .await;
        assert!(pages.iter().all(|page| page.status == StatusCode::OK));
        client.close().await; // The hook has then seen all statements.
        let [measured, others] = [0, 1].map(|n| counter.0[n].load(Ordering::SeqCst));
        assert_eq!(
            (measured, others),
            (1, 3),
            "the other three are the throughput, the pauses and the kinds"
        );
    })
    .await;
}

/// Keeps the names of all statements.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<&'static str>>>);

impl TelemetryHook for Names {
    fn on_statement(&self, statement: &Statement) {
        self.0.lock().unwrap().push(statement.name);
    }
}

#[tokio::test]
async fn hundred_viewers_share_one_list() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let names = Names::default();
        let client =
            Client::builder(stage.client.pool().clone()).telemetry_hook(names.clone()).build().unwrap();
        let browser = Browser::new(router(&client).open_to_everyone());
        let began = Instant::now();
        for path in ["dead", "limits", "workers"] {
            let pages = join_all((0..100).map(|_| browser.get(path))).await;
            assert!(pages.iter().all(|page| page.status == StatusCode::OK), "{path}");
        }
        let most = 1 + began.elapsed().as_secs() / 5; // A list is kept for five seconds.
        client.close().await; // The hook has then seen all statements.
        let names = names.0.lock().unwrap();
        for name in ["dead_groups", "fleet_limits", "workers"] {
            let asked = names.iter().filter(|found| **found == name).count() as u64;
            assert!((1..=most).contains(&asked), "{name} was asked {asked} times");
        }
    })
    .await;
}

#[tokio::test]
async fn slow_statement_ends_at_the_timeout() {
    Stage::run(async |stage| {
        let mut other = stage.client.pool().begin().await.unwrap();
        let lock = "lock table pgjobq.audit in access exclusive mode";
        pgjobq::sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
        let limit = Duration::from_millis(200);
        let browser = Browser::new(router(&stage.client).statement_timeout(limit).open_to_everyone());
        let began = Instant::now();
        let page = browser.get("audit").await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.text().contains("the database was too slow"), "{}", page.text());
        other.rollback().await.unwrap();
        let patient = Browser::new(router(&stage.client).open_to_everyone());
        assert_eq!(patient.get("audit").await.status, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn events_tick_without_a_statement() {
    Stage::run(async |stage| {
        let counter = Counter::default();
        let client =
            Client::builder(stage.client.pool().clone()).telemetry_hook(counter.clone()).build().unwrap();
        let app = router(&client).interval(Duration::from_secs(1)).open_to_everyone::<()>();
        let request = Request::get("/events").body(Body::empty()).unwrap();
        let response = app.oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut body = response.into_body();
        let mut text = String::new();
        while !text.contains("event: tick\ndata: -\n\n") {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            text += std::str::from_utf8(&frame).unwrap();
        }
        assert!(text.contains("retry: 1000"), "{text}");
        client.close().await;
        assert_eq!([0, 1].map(|n| counter.0[n].load(Ordering::SeqCst)), [0, 0]);
    })
    .await;
}

#[tokio::test]
async fn first_page_is_small() {
    Stage::run(async |stage| {
        seed(stage, "lorem").await;
        let browser = Browser::new(router(&stage.client).open_to_everyone());
        let page = browser.get("overview").await;
        let mut bytes = page.body.len();
        for link in page.attributes("href").into_iter().chain(page.attributes("src")) {
            if link.starts_with("assets/") {
                bytes += browser.get(&link).await.body.len();
            }
        }
        assert!(bytes < 60_000, "the first page has {bytes} bytes, with all that it loads");
    })
    .await;
}
