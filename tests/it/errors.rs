//! What a stranger reads where something was set up wrongly: each error says what to do, once.

use pgjobq::{Client, JobId, prelude::*};

use super::harness::TestDb;

#[job]
async fn sent_nowhere() {}

/// What `main` prints when it returns this.
fn read(error: impl std::error::Error + 'static) -> String {
    format!("{:?}", Box::<dyn std::error::Error>::from(error))
}

#[tokio::test]
async fn what_is_no_address_is_told_what_one_is_like() {
    let error = read(Client::connect("localhost").await.unwrap_err());
    assert!(error.starts_with("the address of a database is like postgres://"), "{error}");
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_why() {
    let error = read(Client::connect("postgres://nobody@127.0.0.1:1/none").await.unwrap_err());
    assert!(error.starts_with("the database could not be reached: "), "{error}");
    assert_eq!(error.matches("refused").count(), 1, "{error}");
}

#[tokio::test]
async fn who_forgot_to_migrate_is_told_to() {
    let db = TestDb::empty().await;
    let enqueue = read(sent_nowhere::enqueue(&db.client).await.unwrap_err());
    let wait = read(sent_nowhere::handle(JobId::new()).wait(&db.client).await.unwrap_err());
    let build = read(db.worker().build().await.unwrap_err());
    for error in [enqueue, wait, build] {
        assert_eq!(error.matches("run `client.migrate().await?` once at start-up").count(), 1, "{error}");
        assert!(!error.contains("Some("), "{error}");
    }
}
