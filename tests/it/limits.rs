//! Time limits of an enqueue and a wait under any fault, and their errors.

use std::time::{Duration, Instant};

use pgjobq::EnqueueError;
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection};

use crate::error_text::{check_says, whole};
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::proxy::Proxy;

/// Returns a client with this limit, connected through a proxy.
async fn limited(proxy: &Proxy, limit: Duration) -> Client {
    let pool =
        PgPoolOptions::new().acquire_timeout(Duration::from_secs(60)).connect_with(proxy.options()).await;
    Client::builder(pool.unwrap()).enqueue_timeout(limit).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_database_fails_an_enqueue_at_its_limit() {
    let db = TestDb::new(1).await;
    let proxy = Proxy::to(&db.options).await;
    let client = limited(&proxy, Duration::from_secs(8)).await;
    double::enqueue(&client, 1).await.unwrap();
    proxy.silence();
    for many in [false, true] {
        let started = Instant::now();
        let error = if many {
            client.enqueue_all((0..3).map(double::job)).await.unwrap_err().error
        } else {
            double::enqueue(&client, 1).await.unwrap_err()
        };
        let took = started.elapsed();
        assert!(took > Duration::from_secs(7) && took < Duration::from_secs(25), "{took:?}");
        assert!(matches!(error, EnqueueError::TimedOut { .. }), "{error:?}");
        let said = whole(&error);
        assert!(
            said.starts_with("the enqueue was not answered within 8s (`ClientBuilder::enqueue_timeout`): "),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unanswered_enqueue_says_that_its_job_may_be_enqueued() {
    let db = TestDb::new(1).await;
    let proxy = Proxy::to(&db.options).await;
    let client = limited(&proxy, Duration::from_secs(4)).await;
    double::enqueue(&client, 1).await.unwrap();
    let mut holder = PgConnection::connect_with(&db.options).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("lock table pgjobq.jobs in share mode").execute(&mut *lock).await.unwrap();
    check_says(
        client.enqueue_all((0..3).map(double::job)).await,
        "0 jobs were enqueued, and then jobs 1 to 3 (`double`) could not be: \
         the enqueue was not answered within 4s (`ClientBuilder::enqueue_timeout`): the job may be enqueued all the same; \
         trying again with the same id never enqueues a live job twice",
    );
    lock.rollback().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_pool_fails_an_enqueue_after_one_acquire_timeout() {
    let db = TestDb::new(1).await;
    let patience = Duration::from_secs(1);
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(patience);
    let pool = pool.connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    double::enqueue(&client, 1).await.unwrap();
    let all_of_them = pool.acquire().await.unwrap();
    let started = Instant::now();
    let said = "no connection of the client's pool came free in 1s, because all 1 are in use. Does this task hold one itself? \
                Then enqueue with `&mut *tx` on that one; otherwise enlarge the pool";
    let (one, another) = tokio::join!(double::enqueue(&client, 1), double::enqueue(&client, 2));
    check_says(one, said);
    check_says(another, said);
    check_says(
        client.enqueue_all((0..2).map(double::job)).await,
        &format!("0 jobs were enqueued, and then jobs 1 to 2 (`double`) could not be: {said}"),
    );
    assert!(started.elapsed() < 7 * patience, "{:?}", started.elapsed());
    check_says(
        pgjobq::Worker::builder(&client).queue("default", 1).build().await,
        &format!("the worker cannot start: {said}"),
    );
    drop(all_of_them);
    double::enqueue(&client, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wait_names_an_exhausted_pool() {
    let db = TestDb::new(1).await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(db.options.clone()).await.unwrap();
    let client = Client::builder(pool.clone()).build().unwrap();
    let job = double::enqueue(&client, 1).await.unwrap();
    check_says(
        job.wait_timeout(&client, Duration::from_millis(500)).await,
        &format!(
            "job {} has not ended in the time given. It keeps its place and goes on: wait again with this handle, or with one that is made from its id",
            job.id()
        ),
    );
    let all_of_them = pool.acquire().await.unwrap();
    let said = whole(&job.wait_timeout(&client, Duration::from_secs(2)).await.unwrap_err());
    let expected = format!(
        "job {} has not ended in the time given. It keeps its place and goes on: wait again with this handle, or with one that is made from its id; its end may have been missed: no connection of the client's pool came free in 2",
        job.id()
    );
    assert!(said.starts_with(&expected), "{said}");
    drop(all_of_them);
}

/// The limit of an enqueue's first try is ten seconds, less than sqlx's default of thirty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_pool_is_reported_at_a_shorter_limit() {
    let db = TestDb::new(1).await;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(db.options.clone()).await.unwrap();
    let limited = |limit| Client::builder(pool.clone()).enqueue_timeout(limit).build().unwrap();
    let (client, hasty) = (limited(Duration::from_secs(11)), limited(Duration::from_secs(2)));
    double::enqueue(&client, 1).await.unwrap();
    let all_of_them = pool.acquire().await.unwrap();
    let said = "no connection of the client's pool came free in 10s, because all 1 are in use. Does this task hold one itself? \
                Then enqueue with `&mut *tx` on that one; otherwise enlarge the pool";
    let (many, one) = tokio::join!(client.enqueue_all((0..2).map(double::job)), double::enqueue(&hasty, 1),);
    check_says(many, &format!("0 jobs were enqueued, and then jobs 1 to 2 (`double`) could not be: {said}"));
    let one = whole(&one.unwrap_err());
    assert!(
        one.contains(
            "; the last error: no connection of the client's pool came free in 2s, because all 1 are in use."
        ),
        "{one}"
    );
    drop(all_of_them);
    double::enqueue(&client, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicate_is_reported_after_connections_failed() {
    let db = TestDb::new(1).await;
    let proxy = Proxy::to(&db.options).await;
    let client = limited(&proxy, Duration::from_secs(30)).await;
    let id = double::enqueue(&client, 1).await.unwrap().id();
    db.run("update pgjobq.jobs set created_at = created_at - interval '1 minute'").await;
    proxy.cut();
    let enqueue = async || double::job(2).id(id).enqueue(&client).await.unwrap();
    let mending = async {
        // Nothing can be sent during this time, so nothing can be lost.
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.mend();
    };
    let (duplicate, ()) = tokio::join!(enqueue(), mending);
    assert!(!duplicate.is_new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_pool_is_reported_at_once() {
    let db = TestDb::new(1).await;
    let pool = PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    let handle = double::enqueue(&client, 1).await.unwrap();
    let waiting = tokio::spawn({
        let (client, handle) = (client.clone(), handle.clone());
        async move { handle.wait(&client).await }
    });
    db.until("exists (select from pgjobq.waiters)").await;
    pool.close().await;
    let said = "the client's pool is closed: keep it open for as long as its clients and workers are in use";
    let all_fail = tokio::time::timeout(Duration::from_secs(10), async {
        check_says(double::enqueue(&client, 1).await, said);
        check_says(
            client.enqueue_all((0..2).map(double::job)).await,
            &format!("0 jobs were enqueued, and then jobs 1 to 2 (`double`) could not be: {said}"),
        );
        check_says(handle.wait(&client).await, said);
        check_says(waiting.await.unwrap(), said);
    });
    all_fail.await.expect("no call waits for a closed pool");
}
