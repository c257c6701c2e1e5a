//! The web server: who subscribes gets a mail, and a reminder a day later.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{post, put};
use pgjobq::Client;
use sqlx::PgPool;

use crate::jobs::{REMIND_AFTER, ask_to_confirm, remind};

pub(crate) async fn create_tables(pool: PgPool) -> Result<(), sqlx::Error> {
    let table = "create table if not exists example_subscribers (
        email text primary key, confirmed bool not null default false)";
    sqlx::query(table).execute(&pool).await.map(drop)
}

pub(crate) fn router(client: Client) -> Router {
    Router::new()
        .route("/subscribers/{email}", post(subscribe))
        .route("/subscribers/{email}/confirmation", put(confirm))
        .with_state(client)
}

/// The subscriber and both jobs commit together.
async fn subscribe(Shared(client): Shared<Client>, Path(email): Path<String>) -> Result<StatusCode, Failed> {
    let mut tx = client.pool().begin().await?;
    let insert = "insert into example_subscribers (email) values ($1) on conflict do nothing";
    let inserted = sqlx::query(insert).bind(&email).execute(&mut *tx).await?;
    if inserted.rows_affected() == 0 {
        return Ok(StatusCode::CONFLICT);
    }
    ask_to_confirm::enqueue(&mut *tx, email.clone()).await?;
    remind::job(email).delay(REMIND_AFTER).enqueue(&mut *tx).await?;
    tx.commit().await?;
    Ok(StatusCode::ACCEPTED)
}

async fn confirm(Shared(client): Shared<Client>, Path(email): Path<String>) -> Result<StatusCode, Failed> {
    let update = "update example_subscribers set confirmed = true where email = $1";
    let updated = sqlx::query(update).bind(email).execute(client.pool()).await?;
    Ok(if updated.rows_affected() == 1 { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
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
