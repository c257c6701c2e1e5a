//! Actions whose browser or process goes away before they have ended.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use pgjobq::sqlx::PgPool;
use pgjobq::{Client, sqlx};
use pgjobq_web::router;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::browser::{Browser, form};
use crate::stage::Stage;

/// Longer than a test takes.
const MINUTE: Duration = Duration::from_secs(60);
/// The action waits for this lock of a test, and its audit record does not.
const LOCK: &str = "lock table pgjobq.pauses in access exclusive mode";

/// Notifies when a handler is dropped before it has answered.
struct Watch(Arc<Notify>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

#[tokio::test]
async fn action_outlives_its_closed_connection() {
    Stage::run(async |stage| {
        let app = router(&stage.client).statement_timeout(MINUTE).open_to_everyone::<()>();
        let browser = Browser::new(app.clone());
        let body = form(&browser.token().await, &[("scope", "kind"), ("name", "k")]);
        let dropped = Arc::new(Notify::new());
        let notify = Arc::clone(&dropped);
        let watched = app.layer(from_fn(move |request: Request, next: Next| {
            let watch = Watch(Arc::clone(&notify));
            async move {
                let answer = next.run(request).await;
                std::mem::forget(watch);
                answer
            }
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, watched).into_future());
        let mut lock = stage.client.pool().begin().await.unwrap();
        sqlx::raw_sql(LOCK).execute(&mut *lock).await.unwrap();

        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /pause HTTP/1.1\r\nHost: {address}\r\nSec-Fetch-Site: same-origin\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            browser.cookies(),
            body.len()
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        stage.until("(select count(*) from pgjobq.audit) = 1").await;
        drop(connection);
        tokio::time::timeout(MINUTE, dropped.notified()).await.expect("the handler is dropped");
        assert_eq!(stage.text("select outcome from pgjobq.audit").await, "");
        lock.rollback().await.unwrap();
        stage.until("exists (select from pgjobq.audit where outcome is not null)").await;
        assert_eq!(stage.text("select outcome from pgjobq.audit").await, "The kind `k` is paused.");
        assert_eq!(stage.text("select count(*) from pgjobq.pauses").await, "1");
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn record_of_an_action_outlives_the_process() {
    Stage::run(async |stage| {
        let mut lock = stage.client.pool().begin().await.unwrap();
        sqlx::raw_sql(LOCK).execute(&mut *lock).await.unwrap();
        // A process of its own, as far as tasks and connections are concerned.
        let process =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = stage.options.clone();
        process.spawn(async move {
            let client = Client::new(PgPool::connect_with(options).await.unwrap());
            let app = router(&client).statement_timeout(MINUTE).open_to_everyone();
            Browser::new(app).post("pause", &[("scope", "kind"), ("name", "k"), ("reason", "it rains")]).await
        });
        stage.until("(select count(*) from pgjobq.audit) = 1").await;
        tokio::task::spawn_blocking(move || process.shutdown_timeout(MINUTE)).await.unwrap();
        lock.rollback().await.unwrap();
        let page = Browser::new(router(&stage.client).open_to_everyone()).get("audit").await.text();
        assert!(page.contains("it rains") && page.contains("not known: the program died"), "{page}");
        assert_eq!(stage.text("select count(*) from pgjobq.audit where outcome is null").await, "1");
    })
    .await;
}
