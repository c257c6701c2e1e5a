//! A client keeps the connection of an enqueue for the next one, and no other caller misses it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use crate::coalesced::{HELD, Held};
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::proxy::Proxy;

/// Ends the connection on which the last enqueue was sent.
const TERMINATE: &str = "select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query like '%from pgjobq.enqueue_%' and pid <> pg_backend_pid()";

/// Returns once the pool has each of its connections back.
async fn all_returned(pool: &sqlx::PgPool) {
    let returned = async {
        while pool.num_idle() < pool.size() as usize {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), returned).await.expect("every connection returns");
}

on_one_shard!(enqueues_in_a_row_borrow_few_connections);
async fn enqueues_in_a_row_borrow_few_connections(db: TestDb) {
    let lent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lent);
    let pool = PgPoolOptions::new().before_acquire(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(true) })
    });
    let pool = pool.connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    for n in 0..300 {
        assert!(double::enqueue(&client, n).await.unwrap().is_new());
    }
    let lent = lent.load(Ordering::Relaxed);
    assert!(lent < 100, "300 enqueues borrowed a connection {lent} times");
    all_returned(&pool).await;
}

on_one_shard!(kept_connection_that_breaks_loses_and_doubles_no_job);
async fn kept_connection_that_breaks_loses_and_doubles_no_job(db: TestDb) {
    let client = Client::new(PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap());
    // Between two enqueues.
    assert!(double::enqueue(&client, 0).await.unwrap().is_new());
    for n in 1..10 {
        db.run(TERMINATE).await;
        assert!(double::enqueue(&client, n).await.unwrap().is_new());
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 10);
    // During the statement.
    let held = Held::commits(&db).await;
    let in_flight = tokio::spawn({
        let client = client.clone();
        async move { double::enqueue(&client, 10).await.unwrap() }
    });
    db.until(&format!("({HELD}) = 1")).await;
    db.run(TERMINATE).await;
    db.until(&format!("({HELD}) = 1 and (select count(*) from pgjobq.jobs) = 10")).await; // Sent again.
    held.let_go().await;
    assert!(in_flight.await.unwrap().is_new());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 11);
}

on_one_shard!(answer_lost_on_a_kept_connection_is_found);
async fn answer_lost_on_a_kept_connection_is_found(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let first = double::enqueue(&client, 0).await.unwrap();
    let held = Held::commits(&db).await;
    let in_flight = tokio::spawn({
        let client = client.clone();
        async move { double::enqueue(&client, 1).await.unwrap() }
    });
    db.until(&format!("({HELD}) = 1")).await;
    proxy.cut();
    held.let_go().await;
    db.until("(select count(*) from pgjobq.jobs) = 2").await; // Committed, and not answered.
    proxy.mend();
    assert!(in_flight.await.unwrap().is_new());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2, "no job is stored twice");

    // A job that was enqueued long before the connection broke is a duplicate, and no new one.
    db.run("update pgjobq.jobs set created_at = created_at - interval '1 minute'").await;
    double::enqueue(&client, 2).await.unwrap();
    proxy.cut();
    let again = double::job(3).id(first.id());
    let (again, ()) = tokio::join!(again.enqueue(&client), async { proxy.mend() });
    assert!(!again.unwrap().is_new());
}

on_one_shard!(kept_connection_returns_if_others_want_one);
async fn kept_connection_returns_if_others_want_one(db: TestDb) {
    for size in [1, 2] {
        let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(30));
        let pool = pool.connect_with(db.options.clone()).await.unwrap();
        let client = Client::new(pool.clone());
        for n in 0..20 {
            double::enqueue(&client, n).await.unwrap();
            // All connections of the pool, in transactions.
            let mut all = Vec::new();
            for _ in 0..size {
                all.push(pool.begin().await.unwrap());
            }
            // A caller who has the last one enqueues with it.
            double::enqueue(all.last_mut().unwrap().as_mut(), n).await.unwrap();
            for tx in all {
                tx.commit().await.unwrap();
            }
        }
        let callers = (0..50).map(|n| double::enqueue(&client, n));
        for one in futures_util::future::join_all(callers).await {
            one.unwrap();
        }
        all_returned(&pool).await;
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 180);
}

on_one_shard!(closed_client_and_closed_pool_keep_no_connection);
async fn closed_client_and_closed_pool_keep_no_connection(db: TestDb) {
    let pool = PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    double::enqueue(&client, 1).await.unwrap();
    client.close().await;
    all_returned(&pool).await;
    let client = Client::new(pool.clone());
    double::enqueue(&client, 2).await.unwrap();
    drop(client);
    all_returned(&pool).await;
    let client = Client::new(pool.clone());
    double::enqueue(&client, 3).await.unwrap();
    tokio::time::timeout(Duration::from_secs(30), pool.close()).await.expect("the pool closes");
    assert_eq!(pool.size(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kept_connection_ends_with_its_runtime() {
    let db = TestDb::new(1).await;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    for n in 0..10 {
        let theirs = client.clone();
        // A runtime of one thread that ends while a connection is kept.
        let one = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                double::enqueue(&theirs, n).await.unwrap();
                double::enqueue(&theirs, n).await.unwrap()
            })
        });
        assert!(tokio::task::spawn_blocking(|| one.join().unwrap()).await.unwrap().is_new());
        assert!(double::enqueue(&client, n).await.unwrap().is_new());
    }
    all_returned(&pool).await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 30);
}
