//! Enqueuing from SQL: a trigger, psql, another language or driver: `cargo run --example from_sql`
//!
//! Any client of PostgreSQL calls the same function. With tokio-postgres, inside a transaction of your own:
//!
//! ```text
//! let row = tx.query_one("select job from pgjobq.enqueue('resize', $1)", &[&Json(args)]).await?;
//! let id: uuid::Uuid = row.get("job");
//! ```

use pgjobq::prelude::*;
use sqlx::Row;

#[job(queue = "pictures")]
async fn resize(picture: i64, width: Option<u32>) -> Result<String> {
    Ok(format!("picture {picture}, {} pixels wide", width.unwrap_or(640)))
}

/// Each new picture enqueues its job, in the transaction that inserts it.
const TRIGGER: &str = "
    create table if not exists example_pictures (id bigint generated always as identity, job uuid);
    create or replace function example_resize() returns trigger language plpgsql as $$
    begin
        select job into new.job from pgjobq.enqueue('resize', jsonb_build_object('picture', new.id));
        return new;
    end $$;
    create or replace trigger example_resize before insert on example_pictures
        for each row execute function example_resize();";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?; // Records queue, retries and priority of each kind: the defaults of the function.
    let worker = Worker::builder(&client).build().await?.start();

    // The arguments are a JSON object, keyed by argument name. An `Option` may be left out.
    let enqueue = "select job, is_new from pgjobq.enqueue('resize', '{\"picture\": 7, \"width\": 320}',
        delay => '10 milliseconds')";
    let row = sqlx::query(enqueue).fetch_one(client.pool()).await?;
    let (id, is_new): (sqlx::types::Uuid, bool) = (row.try_get("job")?, row.try_get("is_new")?);
    println!("new: {is_new}, {:?}", resize::handle(JobId::from(id)).wait(&client).await?);

    // A trigger.
    sqlx::raw_sql(TRIGGER).execute(client.pool()).await?;
    let insert = "insert into example_pictures default values returning job";
    let id: sqlx::types::Uuid = sqlx::query_scalar(insert).fetch_one(client.pool()).await?;
    println!("by a trigger: {:?}", resize::handle(JobId::from(id)).wait(&client).await?);

    // A mistake is an error, and the transaction that makes it fails.
    let wrong = "select pgjobq.enqueue('resize', '{}', queue => 'pictuers')";
    if let Err(error) = sqlx::query(wrong).execute(client.pool()).await {
        println!("rejected: {}", error.as_database_error().map_or("", |error| error.message()));
    }
    worker.shutdown().await?;
    Ok(())
}
