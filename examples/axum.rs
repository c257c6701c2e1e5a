//! An axum app with its worker inside: `cargo run --example axum [ADDRESS]`, and then
//! `curl -i -X POST localhost:3000/accounts/ada`

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use pgjobq::prelude::*;
use sqlx::PgPool;

/// Slow work is a job, so the request is answered at once.
#[job]
async fn welcome(name: String, pool: State<PgPool>) -> Result<()> {
    let welcomed = "update example_accounts set welcomed = true where name = $1";
    sqlx::query(welcomed).bind(name).execute(&*pool).await?;
    Ok(())
}

/// The account and its job commit together. If anything fails, or the caller goes away, neither exists.
async fn sign_up(Shared(client): Shared<Client>, Path(name): Path<String>) -> Result<Response, Failed> {
    let mut tx = client.pool().begin().await?;
    let insert = "insert into example_accounts (name) values ($1)";
    sqlx::query(insert).bind(&name).execute(&mut *tx).await?;
    let job = welcome::job(name).enqueue(&mut *tx).await?;
    tx.commit().await?;
    let location = [(header::LOCATION, format!("/jobs/{}", job.id()))];
    Ok((StatusCode::ACCEPTED, location, "signed up; see how the job stands at its location\n")
        .into_response())
}

/// Returns the state of any job.
async fn job_status(Shared(client): Shared<Client>, Path(id): Path<JobId>) -> Result<Response, Failed> {
    Ok(match client.job(id).status().await? {
        Some(job) => format!("{} after {} attempts\n", job.state, job.attempts).into_response(),
        None => (StatusCode::NOT_FOUND, "no such job\n").into_response(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let pool = PgPool::connect(database.url()).await?;
    let client = Client::new(pool.clone());
    client.migrate().await?;
    let table =
        "create table if not exists example_accounts (name text, welcomed bool not null default false)";
    sqlx::query(table).execute(&pool).await?;

    let worker = Worker::builder(&client).state(pool).build().await?.start();
    let app = Router::new()
        .route("/accounts/{name}", post(sign_up))
        .route("/jobs/{id}", get(job_status))
        .with_state(client);
    let listener = tokio::net::TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // On Ctrl-C or SIGTERM the server answers its last requests, which may enqueue jobs or wait for them;
    axum::serve(listener, app).with_graceful_shutdown(shutdown_signal()).await?;
    worker.shutdown().await?; // then the worker lets its last jobs finish, and releases the rest.
    println!("the server and its worker have stopped");
    Ok(())
}

/// Every error is an internal one in this example.
struct Failed(Box<dyn std::error::Error>);

impl<E: std::error::Error + 'static> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        (StatusCode::INTERNAL_SERVER_ERROR, "something went wrong\n").into_response()
    }
}
