//! An application with a dashboard, on a database of its own.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{Router, post};
use pgjobq::filter::Filter;
use pgjobq::sqlx::{self, AssertSqlSafe, PgPool};
use pgjobq::{Client, RunningWorker, Worker, WorkerBuilder};
use pgjobq_web::User;
use tokio::net::TcpListener;

pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// An application. Its dashboard is nested under `/admin/jobs`, and once more at the root, for a proxy that strips a prefix.
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) address: String,
    database: String,
    workers: Vec<RunningWorker>,
}

impl App {
    /// Makes the database, and serves the dashboard for this administrator.
    pub(crate) async fn open(admin: &PgPool, title: &str, user: &str) -> Fallible<Self> {
        let database = format!("pgjobq_browser_{}", uuid::Uuid::new_v4().simple());
        execute(admin, &format!("create database {database}")).await?;
        let options = admin.connect_options().as_ref().clone().database(&database);
        let client = Client::new(PgPool::connect_with(options).await?);
        client.migrate().await?;
        client.queue("orders").save().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let app = router(&client, title, user);
        tokio::spawn(async { axum::serve(listener, app).await });
        Ok(Self { client, address, database, workers: Vec::new() })
    }

    /// A worker with this name, which waits for none of its jobs when it shuts down.
    pub(crate) fn worker(&self, name: &str) -> WorkerBuilder {
        let soon = Duration::from_millis(100);
        Worker::builder(&self.client).name(name).grace(soon).poll_interval(soon).heartbeat(5 * soon)
    }

    /// Starts a worker, which runs until the application closes.
    pub(crate) async fn start(&mut self, worker: WorkerBuilder) -> Fallible<()> {
        self.workers.push(worker.build().await?.start());
        Ok(())
    }

    /// Waits until this number of jobs matches.
    pub(crate) async fn until(&self, jobs: u64, filter: &Filter) -> Fallible<()> {
        while self.client.jobs(filter.clone()).count().await?.jobs != jobs {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Stops the workers, and drops the database.
    pub(crate) async fn close(self, admin: &PgPool) -> Fallible<()> {
        for worker in self.workers {
            worker.shutdown().await?;
        }
        self.client.close().await;
        self.client.pool().close().await;
        execute(admin, &format!("drop database {} with (force)", self.database)).await
    }
}

async fn execute(pool: &PgPool, sql: &str) -> Fallible<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await?;
    Ok(())
}

/// Everybody is the same administrator. A POST to `/orders` enqueues a job, as an order would.
fn router(client: &Client, title: &str, user: &str) -> Router {
    let dashboard = || {
        let user = user.to_owned();
        let user = move |_: Parts| std::future::ready(Ok::<_, StatusCode>(User::administrator(&*user)));
        pgjobq_web::router(client).title(title).interval(Duration::from_secs(1)).auth(user)
    };
    let (nested, at_root): (Router, Router) = (dashboard(), dashboard());
    let client = client.clone();
    let order = move || {
        let client = client.clone();
        async move {
            let order = client.kind("order").enqueue("{}").queue("orders").await;
            order.map_or(StatusCode::SERVICE_UNAVAILABLE, |_| StatusCode::CREATED)
        }
    };
    Router::new().route("/orders", post(order)).nest_service("/admin/jobs", nested).fallback_service(at_root)
}
