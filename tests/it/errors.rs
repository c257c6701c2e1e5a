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

/// Returns the message of an error. Checks that no cause repeats it, and that `Debug` adds nothing.
fn check_message(error: impl std::error::Error + 'static) -> String {
    let message = error.to_string();
    assert!(error.source().is_none(), "the message contains the cause: {message}");
    assert_eq!(read(error), message);
    message
}

#[tokio::test]
async fn unreachable_database_error_names_place_and_cause() {
    let refused = "the database at 127.0.0.1:1 could not be reached: Connection refused (os error 111)";
    let url = "postgres://nobody:secret@127.0.0.1:1/none";
    assert_eq!(check_message(Client::connect(url).await.unwrap_err()), refused);
    let pool = sqlx::postgres::PgPoolOptions::new().acquire_timeout(std::time::Duration::from_millis(100));
    let client = Client::builder(pool.connect_lazy(url).unwrap()).build().unwrap();
    assert_eq!(check_message(client.migrate().await.unwrap_err()), refused);
    assert_eq!(check_message(client.queue("mail").stats().await.unwrap_err()), refused);
    assert_eq!(
        check_message(Worker::builder(&client).queue("default", 1).build().await.unwrap_err()),
        format!("the worker cannot start: {refused}")
    );
}

#[tokio::test]
async fn missing_database_error_names_it() {
    let db = TestDb::empty().await;
    let url = db.url();
    let (start, name) = (url.split_once(db.address().1).unwrap(), "no_such_database");
    let error = check_message(Client::connect(&format!("{}{name}{}", start.0, start.1)).await.unwrap_err());
    assert_eq!(
        error,
        "the database refused the connection: database \"no_such_database\" does not exist (SQLSTATE 3D000)"
    );
}

#[job]
async fn weigh(grams: f64) {
    let _ = grams;
}

#[job]
async fn count_pairs(pairs: std::collections::BTreeMap<(u8, u8), u8>) {
    let _ = pairs;
}

#[tokio::test]
async fn refused_arguments_are_named_in_every_error() {
    let db = TestDb::new(1).await;
    let nan = "the arguments of the `weigh` job could not be written as JSON: `grams` is NaN, or holds it, which JSON cannot \
               express: send an `Option`, or text";
    assert_eq!(check_message(weigh::enqueue(&db.client, f64::NAN).await.unwrap_err()), nan);
    assert_eq!(check_message(weigh::call(&db.client, f64::NAN).await.unwrap_err()), nan);
    let all = db.client.enqueue_all([weigh::job(1.0), weigh::job(f64::NAN)]).await.unwrap_err();
    assert_eq!(
        check_message(pgjobq::Error::from(all)),
        format!("1 job was enqueued, and then job 2 (`weigh`) could not be: {nan}")
    );
    let pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(
        check_message(count_pairs::enqueue(&db.client, pairs).await.unwrap_err()),
        "the arguments of the `count_pairs` job could not be written as JSON: `pairs` has a map with keys that are no text, and \
         JSON has no others: send a list of pairs, `Vec<(K, V)>`"
    );
}

#[tokio::test]
async fn server_message_has_its_hint_and_no_line() {
    let db = TestDb::new(1).await;
    db.run(
        "drop function pgjobq.save_queue(text, bigint, bigint, bigint, bigint, int);
         create function pgjobq.save_queue(text, bigint, bigint, bigint, bigint, int) returns int language plpgsql as $$
         begin raise exception 'no' using errcode = 'object_in_use', hint = 'Try later.'; end $$",
    )
    .await;
    let error = check_message(db.client.queue("mail").save().await.unwrap_err());
    assert_eq!(error, "the database refused a statement: no (SQLSTATE 55006); Try later.");
    // A job function's own error of sqlx, as it is recorded.
    let own = sqlx::query("select 1 / 0").execute(&db.pool).await.unwrap_err();
    assert!(own.to_string().contains(" at line "), "sqlx prints a line of PostgreSQL's source");
    assert_eq!(JobError::from(own).to_string(), "error returned from database: division by zero");
}

#[tokio::test]
async fn missing_function_is_no_reason_to_go_without_partitions() {
    let db = TestDb::new(1).await;
    db.run("drop function pgjobq.make_partitions").await;
    let error = db.client.try_to_make_partitions(std::time::Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, pgjobq::DatabaseError::NotMigrated { .. }), "{error:?}");
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
         it does not begin with postgres://"
    );
    let other = pgjobq::Error::from(pgjobq::NotCompleted::Expired);
    assert_eq!(format!("{other:?}"), "the job expired before a worker started it");
}
