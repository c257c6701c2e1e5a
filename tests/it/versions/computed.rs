//! What an enqueue from SQL computes from arguments of older versions: keys, weights and unique keys.

use pgjobq::EnqueueOutcome;
use pgjobq::prelude::*;
use serde::Deserialize;

use crate::harness::TestDb;

/// The arguments of the first version, which had other names.
#[derive(Deserialize)]
struct BillV1 {
    customer: u32,
    order: u32,
    lines: u32,
}

impl From<BillV1> for BillArgs {
    fn from(old: BillV1) -> Self {
        Self { customer_id: old.customer, order_id: old.order, line_count: old.lines }
    }
}

#[job(kind = "version_bill", version = 2, upcast_from = BillV1, key = customer_id, weight = line_count, unique = order_id)]
async fn bill(customer_id: u32, order_id: u32, line_count: u32) {
    let _ = (customer_id, order_id, line_count);
}

/// Records what the program of the first version computed.
async fn record_first_version(db: &TestDb) {
    db.run(
        r#"select pgjobq.record_kinds('[{"kind": "version_bill", "queue": "default", "priority": 1, "retries": 20,
               "max_crashes": 3, "redact": [], "version": 1,
               "computed": {"key": ["customer"], "weight": ["lines"], "unique": ["order"]}}]')"#,
    )
    .await;
}

/// Enqueues a job of that version from SQL. Returns the outcome.
async fn trigger(db: &TestDb, order: u32) -> String {
    let args = format!(r#"{{"customer": 3, "order": {order}, "lines": 5}}"#);
    db.text(&format!("select outcome from pgjobq.enqueue('version_bill', '{args}')")).await
}

async fn refused(db: &TestDb, sql: &str) -> (String, Option<String>) {
    let error = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&db.pool).await.unwrap_err();
    let error = error.into_database_error().unwrap().downcast::<sqlx::postgres::PgDatabaseError>();
    (error.message().to_owned(), error.hint().map(str::to_owned))
}

on_one_and_eight_shards!(older_arguments_are_computed_by_the_code_of_their_version);
async fn older_arguments_are_computed_by_the_code_of_their_version(db: TestDb) {
    // After the second version, as in a rollback, and then that one again.
    record_first_version(&db).await;
    db.client.migrate().await.unwrap();
    assert_eq!(trigger(&db, 7).await, "new");
    assert_eq!(trigger(&db, 8).await, "new", "another order");
    assert_eq!(trigger(&db, 7).await, "duplicate");
    let stored = "select string_agg(concat_ws(' ', key, weight, unique_key), ', ' order by unique_key) from pgjobq.jobs";
    assert_eq!(db.text(stored).await, "3 5 [7], 3 5 [8]");

    // The new code computes the same.
    let same = bill::enqueue(&db.client, 3, 7, 5).await.unwrap();
    assert!(matches!(same.outcome(), EnqueueOutcome::Duplicate(_)), "{:?}", same.outcome());
    let newer = r#"select outcome from pgjobq.enqueue('version_bill', '{"customer_id": 3, "order_id": 8, "line_count": 5}', version => 2)"#;
    assert_eq!(db.text(newer).await, "duplicate");
}

on_one_shard!(version_that_no_program_recorded_is_not_guessed);
async fn version_that_no_program_recorded_is_not_guessed(db: TestDb) {
    for (given, what, parameter) in [
        ("", "key", "key"),
        (", key => '3'", "weight", "weight"),
        (", key => '3', weight => 5", "unique key", "unique_key"),
    ] {
        let sql = format!(
            r#"select pgjobq.enqueue('version_bill', '{{"customer": 3, "order": 7, "lines": 5}}'{given})"#
        );
        let (message, hint) = refused(&db, &sql).await;
        assert_eq!(
            message,
            format!(
                "no program has recorded how version 1 of 'version_bill' computes the {what} of a job, and its arguments have \
                 other names in the version that is recorded"
            )
        );
        let expected =
            format!("Write it: {parameter} => ... Or name the version of the arguments: version => ...");
        assert_eq!(hint, Some(expected));
    }
    let given = r#"select outcome from pgjobq.enqueue('version_bill', '{"order": 7}', key => '3', weight => 5, unique_key => '[7]')"#;
    assert_eq!(db.text(given).await, "new");
    // With the names of the version that is recorded, there is nothing to guess.
    for (order, outcome) in [(7, "duplicate"), (8, "new")] {
        let args = format!(r#"{{"customer_id": 3, "order_id": {order}, "line_count": 5}}"#);
        let sql = format!("select outcome from pgjobq.enqueue('version_bill', '{args}')");
        assert_eq!(db.text(&sql).await, outcome);
    }
}

on_one_shard!(program_that_starts_again_records_nothing);
async fn program_that_starts_again_records_nothing(db: TestDb) {
    record_first_version(&db).await;
    db.client.migrate().await.unwrap();
    let rows = "select string_agg(xmin::text, ' ' order by kind) from pgjobq.kinds";
    let before = db.text(rows).await;
    db.client.migrate().await.unwrap();
    assert_eq!(db.text(rows).await, before);
    let recorded = "select computed from pgjobq.kinds where kind = 'double'";
    assert_eq!(db.text(recorded).await, r#"{"1": {}}"#);
}
