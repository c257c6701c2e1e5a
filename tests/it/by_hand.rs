//! Rows written into `pgjobq.jobs` by hand: the database rejects each with a message, or it runs and ends like any other job.
//! No other job waits for it.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{FailureReason, JobState};
use sqlx::AssertSqlSafe;

use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::end_of;

#[job]
async fn object(number: i64) -> Result<()> {
    Err(format!("not {number}").into())
}

/// Inserts a job with these columns, and valid values in all others.
async fn insert(db: &TestDb, id: JobId, columns: &[(&str, &str)]) -> std::result::Result<(), sqlx::Error> {
    let usual = [
        ("created_at", "now()"),
        ("queue_id", "(select id from pgjobq.queues where name = 'default')"),
        ("shard", "(select pgjobq.shard_of(d.id, shards) from pgjobq.settings)"),
        ("priority", "1"),
        ("retries", "0"),
        ("max_crashes", "3"),
        ("kind", "'double'"),
        ("args", r#"'{"number": 21}'"#),
        ("ticket", "nextval('pgjobq.ticket')"),
    ];
    let all = || usual.iter().filter(|usual| columns.iter().all(|column| column.0 != usual.0)).chain(columns);
    let names: Vec<_> = all().map(|column| column.0).collect();
    let values: Vec<_> = all().map(|column| column.1).collect();
    let (names, values) = (names.join(", "), values.join(", "));
    let sql = format!(
        "insert into pgjobq.jobs (id, {names}) select d.id, {values} from (select '{id}'::uuid) d(id)"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&db.pool).await.map(drop)
}

on_one_shard!(impossible_rows_are_rejected_with_a_message);
async fn impossible_rows_are_rejected_with_a_message(db: TestDb) {
    for (column, value) in [
        ("run_at", "'infinity'"),
        ("run_at", "'-infinity'"),
        ("expires_at", "'infinity'"),
        ("expires_at", "'-infinity'"),
        ("created_at", "'infinity'"),
        ("run_at", "'4000-01-01 BC'"),
        ("run_at", "'294276-01-01'"),
        ("ticket", "0"),
        ("ticket", "-7"),
        ("ticket", "9223372036854775807"),
        ("attempt", "-1"),
        ("attempt", "2000000001"),
        ("failures", "-1"),
        ("crashes", "-1"),
        ("waits_for", "-1"),
        ("retries", "-1"),
        ("max_crashes", "-1"),
        ("priority", "4"),
        ("priority", "-1"),
        ("kind", "''"),
        ("meta", "to_jsonb(repeat('x', 11000))"),
        ("attributes", "to_jsonb(repeat('x', 11000))"),
        ("kind", "repeat('x', 11000)"),
        // Indexes have them, and their entries are small.
        ("kind", "repeat('x', 2440)"),
        ("key", "repeat('x', 2440)"),
        ("unique_key", "repeat('x', 2440)"),
        // It would have no place in the waiting room.
        ("limits", "1"),
        ("limits", "2"),
    ] {
        let in_line = if matches!(column, "run_at" | "waits_for" | "limits") {
            ("ticket", "null")
        } else {
            ("weight", "null")
        };
        let error = insert(&db, JobId::new(), &[(column, value), in_line]).await.expect_err(column);
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "23514", "{column} {value}: {error}");
    }
    // In line without a permit of its kind, and without one of its queue.
    for columns in [
        [("limits", "1"), ("arrival", "7"), ("queue_permit", "7")],
        [("limits", "2"), ("arrival", "7"), ("permit", "7")],
        [("limits", "3"), ("arrival", "7"), ("permit", "7")],
    ] {
        let error = insert(&db, JobId::new(), &columns).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().constraint(), Some("in_line_means_due"), "{error}");
    }
    for column in
        ["created_at", "args", "kind", "queue_id", "shard", "priority", "attempt", "failures", "retries"]
    {
        let error = insert(&db, JobId::new(), &[(column, "null")]).await.expect_err(column);
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "23502", "{column}: {error}");
    }
}

on_one_shard!(senseless_rows_end_with_a_reason);
async fn senseless_rows_end_with_a_reason(db: TestDb) {
    let [list, number, null, strange, parent, both, twin] = [(); 7].map(|()| double::handle(JobId::new()));
    insert(&db, list.id(), &[("args", "'[1, 2, 3]'")]).await.unwrap();
    insert(&db, number.id(), &[("args", "'7'")]).await.unwrap();
    insert(&db, null.id(), &[("args", "'null'")]).await.unwrap();
    insert(&db, strange.id(), &[("meta", "'[7, {}]'")]).await.unwrap();
    insert(&db, parent.id(), &[("meta", r#"'{"parent": 7, "traceparent": {}}'"#)]).await.unwrap();
    // Two jobs with the same ticket.
    db.run("select setval('pgjobq.ticket', 1000)").await;
    for twin in [&both, &twin] {
        insert(&db, twin.id(), &[("ticket", "1000")]).await.unwrap();
    }
    let [stranger, nowhere, far, early] = [(); 4].map(|()| double::handle(JobId::new()));
    insert(&db, stranger.id(), &[("kind", "'nobody knows'")]).await.unwrap();
    insert(&db, nowhere.id(), &[("queue_id", "999")]).await.unwrap();
    insert(&db, far.id(), &[("ticket", "null"), ("run_at", "'9999-01-01'"), ("expires_at", "'9999-12-31'")])
        .await
        .unwrap();
    insert(&db, early.id(), &[("ticket", "null"), ("run_at", "'1970-06-01'")]).await.unwrap();
    let soon = double::job(4).delay(Duration::from_millis(300)).enqueue(&db.client).await.unwrap();

    let worker = db.worker().build().await.unwrap().start();
    for job in [&list, &number, &null] {
        let Outcome::Dead(failure) = db.without_backoff(end_of(&db.client, job)).await else { panic!() };
        assert_eq!(failure.errors[0].reason, FailureReason::Decode);
    }
    for job in [&strange, &parent, &both, &twin, &early] {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(42));
    }
    assert_eq!(end_of(&db.client, &soon).await, Outcome::Completed(8));
    for (job, state) in
        [(&stranger, JobState::Ready), (&nowhere, JobState::Ready), (&far, JobState::Scheduled)]
    {
        assert_eq!(db.client.job(job.id()).status().await.unwrap().unwrap().state, state);
    }
    worker.shutdown().await.unwrap();
}

/// The highest values that the columns hold.
const MOST: [(&str, &str); 5] = [
    ("attempt", "2000000000"),
    ("failures", "32767"),
    ("crashes", "32767"),
    ("retries", "32767"),
    ("max_crashes", "32767"),
];

on_one_shard!(jobs_at_the_limit_of_every_counter_end_normally);
async fn jobs_at_the_limit_of_every_counter_end_normally(db: TestDb) {
    let [completes, suspect] = [(); 2].map(|()| double::handle(JobId::new()));
    let [dies, tries_again] = [(); 2].map(|()| object::handle(JobId::new()));
    insert(&db, completes.id(), &[MOST[0], MOST[1]]).await.unwrap();
    insert(&db, suspect.id(), &MOST).await.unwrap();
    insert(&db, dies.id(), &[MOST[0], MOST[1], MOST[3], ("kind", "'object'")]).await.unwrap();
    insert(&db, tries_again.id(), &[MOST[0], ("retries", "1"), ("kind", "'object'")]).await.unwrap();
    // Each is the first in its lane.
    let neighbor = double::enqueue(&db.client, 2).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &neighbor).await, Outcome::Completed(4));
    assert_eq!(end_of(&db.client, &completes).await, Outcome::Completed(42));
    assert_eq!(end_of(&db.client, &suspect).await, Outcome::Completed(42));
    let Outcome::Dead(failure) = end_of(&db.client, &dies).await else { panic!() };
    assert_eq!(failure.message(), "not 21");
    let Outcome::Dead(failure) = end_of(&db.client, &tries_again).await else { panic!() };
    assert_eq!(failure.message(), "not 21");
    worker.shutdown().await.unwrap();
}

on_one_shard!(reap_returns_hand_written_rows_of_a_dead_worker);
async fn reap_returns_hand_written_rows_of_a_dead_worker(db: TestDb) {
    let (again, dies) = (double::handle(JobId::new()), double::handle(JobId::new()));
    insert(&db, again.id(), &[("attempt", "1999999999")]).await.unwrap();
    insert(&db, dies.id(), &[MOST[0]]).await.unwrap();
    let neighbor = double::enqueue(&db.client, 2).await.unwrap();
    let leave = "select pgjobq.register_worker(shard, 8, 'gone') from pgjobq.lanes group by shard;
        select pgjobq.claim(l.shard, l.queue_id, 8, 88, true, array['double'], 9, array[0, 0, 0, 0], null, null)
          from pgjobq.lanes l join pgjobq.queues q on q.id = l.queue_id and q.name = 'default';
        delete from pgjobq.workers where id = 8";
    db.run(leave).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &neighbor).await, Outcome::Completed(4));
    assert_eq!(end_of(&db.client, &again).await, Outcome::Completed(42));
    let Outcome::Dead(failure) = end_of(&db.client, &dies).await else { panic!() };
    assert_eq!(failure.errors[0].reason, FailureReason::Crash);

    worker.shutdown().await.unwrap();

    // A job whose `crashes` has the highest value, so that no further crash can be counted.
    let worn = double::handle(JobId::new());
    insert(&db, worn.id(), &MOST).await.unwrap();
    db.run(
        "select pgjobq.register_worker(shard, 9, 'gone') from pgjobq.lanes group by shard;
            select pgjobq.claim_quarantined(l.shard, l.queue_id, 9, 99, array['double'], 1, true, '{0,0,0,0}')
              from pgjobq.lanes l join pgjobq.queues q on q.id = l.queue_id and q.name = 'default';
            delete from pgjobq.workers where id = 9",
    )
    .await;
    let worker = db.worker().build().await.unwrap().start();
    let Outcome::Dead(failure) = end_of(&db.client, &worn).await else { panic!() };
    assert_eq!(failure.errors[0].reason, FailureReason::Crash);
    worker.shutdown().await.unwrap();
}

on_one_shard!(they_can_be_cancelled_and_put_back_in_line);
async fn they_can_be_cancelled_and_put_back_in_line(db: TestDb) {
    let job = double::handle(JobId::new());
    insert(&db, job.id(), &MOST).await.unwrap();
    assert_eq!(job.cancel(&db.client).await.unwrap(), pgjobq::CancelOutcome::Cancelled);
    assert_eq!(job.requeue(&db.client).await.unwrap(), pgjobq::RequeueOutcome::Requeued);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(42));
    worker.shutdown().await.unwrap();
}

on_one_shard!(children_with_strange_metas_hold_up_no_other);
async fn children_with_strange_metas_hold_up_no_other(db: TestDb) {
    let parent = double::enqueue(&db.client, 1).await.unwrap();
    let child = double::job(21).after(&parent).enqueue(&db.client).await.unwrap();
    let metas = [
        r#"{"delay": "abc"}"#,
        r#"{"delay": null}"#,
        r#"{"delay": -1.5}"#,
        r#"["delay", "workflow"]"#,
        r#"{"workflow": "zz", "step": "zz"}"#,
        r#"{"workflow": "019aa000-0000-7000-8000-000000000000", "step": 1e30}"#,
        r#"{"delay": 999999999999999999}"#,
    ];
    let mut strange = Vec::new();
    for meta in metas {
        let job = double::job(2).after(&parent).enqueue(&db.client).await.unwrap();
        db.run(&format!("update pgjobq.jobs set meta = '{meta}' where id = '{}'", job.id())).await;
        assert_eq!(job.explain(&db.client).await.unwrap().reasons[0].code, "blocked", "{meta}");
        assert_eq!(job.status(&db.client).await.unwrap().unwrap().state, JobState::Blocked, "{meta}");
        strange.push(job);
    }
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &child).await, Outcome::Completed(42));
    let late = strange.pop().unwrap();
    for (job, meta) in strange.iter().zip(metas) {
        db.until(&format!("not exists (select from pgjobq.jobs where id = '{}')", job.id())).await;
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(4), "{meta}");
    }
    let state = late.status(&db.client).await.unwrap().unwrap().state;
    assert_eq!(state, JobState::Scheduled, "a delay ends within a hundred years");
    worker.shutdown().await.unwrap();
}
