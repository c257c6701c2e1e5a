//! A whole application, axum and jobs, that is tested with the test kit: `cargo run --example newsletter [ADDRESS]`, and then
//! `curl -i -X POST localhost:3000/subscribers/ada@example.org`. Its tests: `cargo test --example newsletter`

mod app;
mod jobs;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use pgjobq::prelude::*;
use sqlx::PgPool;

use jobs::{AnyMailer, Mailer};

struct Console;

impl Mailer for Console {
    fn send(&self, to: &str, subject: &str) -> std::io::Result<()> {
        println!("to {to}: {subject}");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let pool = PgPool::connect(database.url()).await?;
    let client = Client::new(pool.clone());
    client.migrate().await?;
    app::create_tables(pool.clone()).await?;

    let mailer: AnyMailer = Box::new(Console);
    let worker = Worker::builder(&client).state(mailer).state(pool).build().await?.start();
    let listener = tokio::net::TcpListener::bind(address.parse::<SocketAddr>()?).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app::router(client)).with_graceful_shutdown(shutdown_signal()).await?;
    worker.shutdown().await?;
    println!("the server and its worker have stopped");
    Ok(())
}
