//! A job commits with the data that it is about, or vanishes with them: `cargo run --example transactional_enqueue`

use pgjobq::prelude::*;
use sqlx::PgPool;

/// The worker hands the pool in. The order is there, always: it was committed together with this job.
#[job]
async fn send_receipt(order_id: i64, pool: State<PgPool>) -> Result<String> {
    let item: String = sqlx::query_scalar("select item from example_orders where id = $1")
        .bind(order_id)
        .fetch_one(&*pool)
        .await?;
    Ok(format!("Thank you for buying {item}."))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let pool = PgPool::connect(database.url()).await?;
    let client = Client::new(pool.clone()); // On the application's own pool.
    client.migrate().await?;
    let table =
        "create table if not exists example_orders (id bigint generated always as identity, item text)";
    sqlx::query(table).execute(&pool).await?;
    let worker = Worker::builder(&client).state(pool.clone()).build().await?.start();

    // The order and its job commit together.
    let mut tx = pool.begin().await?;
    let order_id = insert_order(&mut tx, "a kettle").await?;
    let receipt = send_receipt::job(order_id).enqueue(&mut *tx).await?;
    println!("before the commit:   {:?}", receipt.status(&client).await?.map(|job| job.state));
    tx.commit().await?;
    println!("after the commit:    {:?}", receipt.wait(&client).await?);

    // A rollback leaves neither.
    let mut tx = pool.begin().await?;
    let order_id = insert_order(&mut tx, "a teapot").await?;
    let receipt = send_receipt::job(order_id).enqueue(&mut *tx).await?;
    tx.rollback().await?;
    println!("after a rollback:    {:?}", receipt.status(&client).await?.map(|job| job.state));

    // The same from SQL: from a trigger, from psql, from another language.
    let mut tx = pool.begin().await?;
    let order_id = insert_order(&mut tx, "two cups").await?;
    let enqueue = "select job from pgjobq.enqueue('send_receipt', jsonb_build_object('order_id', $1))";
    let id: sqlx::types::Uuid = sqlx::query_scalar(enqueue).bind(order_id).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    println!("enqueued from SQL:   {:?}", send_receipt::handle(JobId::from(id)).wait(&client).await?);

    worker.shutdown().await?;
    Ok(())
}

async fn insert_order(connection: &mut sqlx::PgConnection, item: &str) -> sqlx::Result<i64> {
    let insert = "insert into example_orders (item) values ($1) returning id";
    sqlx::query_scalar(insert).bind(item).fetch_one(connection).await
}
