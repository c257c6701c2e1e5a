//! Errors of a wrong setup, as a new user reads them: each names the remedy, once.

use pgjobq::{Client, JobId, prelude::*};

use super::harness::TestDb;

#[job]
async fn sent_nowhere() {}

/// Returns the text that `main` prints when it returns this error.
fn read(error: impl std::error::Error + 'static) -> String {
    format!("{:?}", Box::<dyn std::error::Error>::from(error))
}

#[tokio::test]
async fn invalid_url_error_shows_the_expected_format() {
    let error = read(Client::connect("localhost").await.unwrap_err());
    assert!(error.starts_with("the address of a database is like postgres://"), "{error}");
}

#[tokio::test]
async fn url_of_another_database_fails_at_once() {
    let started = std::time::Instant::now();
    let error = read(Client::connect("mysql://root@127.0.0.1:1/shop").await.unwrap_err());
    assert!(
        error.starts_with("the address of a database is like postgres://user:password@host/name"),
        "{error}"
    );
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "no connection was attempted");
}

#[tokio::test]
async fn number_of_shards_is_checked_when_the_client_is_built() {
    let pool = || sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    for shards in [0, 1025, u16::MAX] {
        let error = read(Client::builder(pool()).shards(shards).build().unwrap_err());
        assert!(
            error.starts_with(&format!("a database has 1 to 1024 shards, and cannot have {shards}")),
            "{error}"
        );
    }
    assert!(Client::builder(pool()).shards(1024).build().is_ok());
}

#[tokio::test]
async fn closed_pool_fails_a_wait_and_an_enqueue_at_once() {
    let db = TestDb::new(1).await;
    let waits =
        sent_nowhere::job().delay(std::time::Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let (client, handle) = (db.client.clone(), waits.clone());
    let waiting = tokio::spawn(async move { read(handle.wait(&client).await.unwrap_err()) });
    tokio::task::yield_now().await;
    db.pool.close().await;
    let started = std::time::Instant::now();
    let errors = [
        waiting.await.unwrap(),
        read(waits.wait(&db.client).await.unwrap_err()),
        read(sent_nowhere::enqueue(&db.client).await.unwrap_err()),
        read(waits.status(&db.client).await.unwrap_err()),
    ];
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "none of them waits for its limit");
    for error in errors {
        assert!(error.starts_with("the client's pool is closed: keep it open"), "{error}");
    }
}

#[tokio::test]
async fn unreachable_database_error_says_why() {
    let error = read(Client::connect("postgres://nobody@127.0.0.1:1/none").await.unwrap_err());
    assert!(error.starts_with("the database could not be reached: "), "{error}");
    assert_eq!(error.matches("refused").count(), 1, "{error}");
}

#[tokio::test]
async fn missing_schema_error_says_to_migrate() {
    let db = TestDb::empty().await;
    let enqueue = read(sent_nowhere::enqueue(&db.client).await.unwrap_err());
    let wait = read(sent_nowhere::handle(JobId::new()).wait(&db.client).await.unwrap_err());
    let build = read(db.worker().build().await.unwrap_err());
    for error in [enqueue, wait, build] {
        assert_eq!(error.matches("run `client.migrate().await?` once at start-up").count(), 1, "{error}");
        assert!(!error.contains("Some("), "{error}");
    }
}

/// A program that only passes errors on with `?`.
async fn program(url: &str) -> Result<(), pgjobq::Error> {
    let client = Client::connect(url).await?;
    client.migrate().await?;
    sent_nowhere::call(&client).await?;
    sent_nowhere::enqueue(&client).await?.wait(&client).await?.into_result()?;
    client.job(JobId::new()).cancel().await?;
    client.queue("anywhere").save().await?;
    client.enqueue_all([sent_nowhere::job()]).await?;
    let mut tx = client.pool().begin().await?;
    sent_nowhere::handle(JobId::new()).requeue_as(&client, sent_nowhere::job()).await?;
    sent_nowhere::job().enqueue(client.within(&mut tx)).await?;
    Worker::builder(&client).build().await?.run_until(std::future::ready(())).await?;
    Ok(())
}

#[tokio::test]
async fn every_error_turns_into_one_that_main_prints_well() {
    let printed = format!("{:?}", program("mysql://root@127.0.0.1/shop").await.unwrap_err());
    assert_eq!(
        printed,
        "the address of a database is like postgres://user:password@host/name, and this one is not: \
         error with configuration: it does not begin with postgres://"
    );
    let other = pgjobq::Error::from(pgjobq::NotCompleted::Expired);
    assert_eq!(format!("{other:?}"), "the job expired before a worker started it");
}
