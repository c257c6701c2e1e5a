//! The schema, and what becomes of one that is not ours.

use super::harness::TestDb;

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let db = TestDb::new(1).await;
    db.client.migrate().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.migrations").await, 13);
}

#[tokio::test]
async fn a_schema_of_another_draft_is_refused_by_the_name_of_the_migration() {
    let db = TestDb::new(1).await;
    db.run("update pgjobq.migrations set digest = 1 where name = '0004_claim'").await;
    let error = db.client.migrate().await.unwrap_err().to_string();
    assert!(error.contains("another draft of migration 0004_claim"), "{error}");
}
