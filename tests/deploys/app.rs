//! The part of the application that is the same in both versions: it works, or it takes orders.

use std::io::Read;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::sqlx::{self, PgPool, Postgres, Transaction};

/// The ledger of all runs.
#[derive(Clone)]
pub(crate) struct Ledger(PgPool);

impl Ledger {
    /// Records that an order was charged, and lets a kill fall into the middle of it.
    pub(crate) async fn charge(&self, order: i64, cents: i64, code: i16) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        sqlx::query("insert into charged (number, cents, code) values ($1, $2, $3)")
            .bind(order)
            .bind(cents)
            .bind(code)
            .execute(&self.0)
            .await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(())
    }

    /// Records a refund, and how many run beside it.
    pub(crate) async fn refund(&self, order: i64, cents: i64, code: i16) -> Result<()> {
        sqlx::query("update desk set running = running + 1, most = greatest(most, running + 1)")
            .execute(&self.0)
            .await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        sqlx::query("insert into refunded (number, cents, code) values ($1, $2, $3)")
            .bind(order)
            .bind(cents)
            .bind(code)
            .execute(&self.0)
            .await?;
        sqlx::query("update desk set running = running - 1").execute(&self.0).await?;
        Ok(())
    }
}

/// Runs what the arguments say: `work LEASE`, in seconds; `take FROM TO`, which takes these orders, each in a transaction with its
/// job; or `back FROM TO`, which takes these back.
pub(crate) fn main(
    charge: impl AsyncFn(&mut Transaction<'static, Postgres>, i64),
    take_back: impl AsyncFn(&Client, i64),
) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let url = std::env::var("DATABASE_URL").unwrap();
        let pool = PgPoolOptions::new().max_connections(4).connect(&url).await.unwrap();
        Client::new(pool.clone()).migrate().await.unwrap(); // Also records the kinds of this version.
        match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["work", lease] => work(pool, Duration::from_secs(lease.parse().unwrap())).await,
            ["take", from, to] => take(&pool, from.parse().unwrap(), to.parse().unwrap(), charge).await,
            ["back", from, to] => {
                let client = Client::new(pool);
                for order in from.parse().unwrap()..to.parse().unwrap() {
                    take_back(&client, order).await;
                }
            }
            other => panic!("work LEASE, take FROM TO, or back FROM TO, and not {other:?}"),
        }
    });
}

/// Works until a signal comes, or until standard input ends.
async fn work(pool: PgPool, lease: Duration) {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = ended.send(());
    });
    let worker = Worker::builder(&Client::new(pool.clone()))
        .queue("default", 8)
        .state(Ledger(pool))
        .heartbeat(Duration::from_millis(200))
        .lease(lease)
        .claim_timeout(Duration::from_secs(2))
        .poll_interval(Duration::from_millis(200))
        .connections(3)
        .build()
        .await
        .unwrap();
    println!("works");
    let stopped = async {
        let _ = end.await;
    };
    worker.run_until(stopped).await.unwrap();
}

async fn take(
    pool: &PgPool,
    from: i64,
    to: i64,
    charge: impl AsyncFn(&mut Transaction<'static, Postgres>, i64),
) {
    for order in from..to {
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("insert into orders values ($1)").bind(order).execute(&mut *tx).await.unwrap();
        charge(&mut tx, order).await;
        tx.commit().await.unwrap();
    }
}
