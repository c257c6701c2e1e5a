//! The schema as a person sees it in psql: comments, views, and functions that fit a screen.

use std::time::Duration;

use pgjobq::FailureReason;
use sqlx::{AssertSqlSafe, Row};

use crate::harness::TestDb;
use crate::lifecycle::double;

/// Functions that a caller may use from SQL. A new one needs a line here, and `Public.` in its comment.
const PUBLIC: &[&str] = &[
    "cancel",
    "cancel_workflow",
    "change_kind_setting",
    "change_setting",
    "channel",
    "create_queue",
    "delete_queue",
    "enqueue",
    "explain",
    "new_id",
    "pause",
    "pause_schedule",
    "recount_room",
    "remove_schedule",
    "resume",
    "resume_schedule",
    "room",
    "run_schedule",
    "set_args",
    "stop_action",
];

async fn names(db: &TestDb, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&db.pool).await.unwrap()
}

#[tokio::test]
async fn everything_in_the_schema_has_a_comment() {
    let db = TestDb::new(1).await;
    let silent = "select relname::text from pg_class c
         where relnamespace = 'pgjobq'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
           and obj_description(c.oid, 'pg_class') is null
        union all
        select proname::text from pg_proc p
         where pronamespace = 'pgjobq'::regnamespace and obj_description(p.oid, 'pg_proc') is null
        union all
        select typname::text from pg_type t
         where typnamespace = 'pgjobq'::regnamespace and typtype = 'c' and obj_description(t.oid, 'pg_type') is null
           and exists (select from pg_class where oid = typrelid and relkind = 'c')";
    assert_eq!(names(&db, silent).await, [""; 0]);
    let public = "select proname::text from pg_proc p where pronamespace = 'pgjobq'::regnamespace
         and obj_description(p.oid, 'pg_proc') like 'Public. %' order by 1";
    assert_eq!(names(&db, public).await, PUBLIC);
    let neither = "select proname::text from pg_proc p where pronamespace = 'pgjobq'::regnamespace
         and obj_description(p.oid, 'pg_proc') !~ '^(Public|Internal)[.] '";
    assert_eq!(names(&db, neither).await, [""; 0]);
}

#[test]
fn sql_functions_fit_a_screen() {
    let schema = pgjobq::schema_sql("pgjobq").unwrap();
    let long: Vec<_> = schema.lines().filter(|line| line.chars().count() > 110).collect();
    assert!(long.is_empty(), "lines of more than 110 columns: {long:#?}");
    let mut function = ("", 0);
    let mut count = 0;
    for (number, line) in schema.lines().enumerate() {
        if line.starts_with("create or replace function ") {
            function = (line, number);
        } else if !function.0.is_empty() && (line == "end $$;" || line == "$$;") {
            let lines = number - function.1 + 1;
            assert!(lines <= 60, "{} has {lines} lines", function.0);
            count += 1;
            function = ("", number);
        }
    }
    assert!(count > 90, "{count} functions were found");
}

#[tokio::test]
async fn unknown_failure_reason_is_rejected() {
    let db = TestDb::new(1).await;
    let insert = "insert into pgjobq.failures (shard, job, attempt, reason, message)
                  values (0, gen_random_uuid(), 1, 'whim', '')";
    let error = sqlx::raw_sql(insert).execute(&db.pool).await.unwrap_err();
    assert!(error.to_string().contains("reason_is_known"), "{error}");
}

#[tokio::test]
async fn failure_reasons_are_the_same_in_sql_and_rust() {
    let db = TestDb::new(1).await;
    let check = "select pg_get_constraintdef(c.oid) from pg_constraint c where c.conname = 'reason_is_known'";
    let check = db.text(check).await;
    // The words stand between quotes.
    let mut words: Vec<_> = check.split('\'').skip(1).step_by(2).collect();
    words.sort_unstable();
    assert_eq!(words, ["crash", "decode", "error", "fatal", "panic", "release", "timeout"]);
    for word in words {
        assert_eq!(word.parse::<FailureReason>().unwrap().as_str(), word);
    }
}

on_one_and_eight_shards!(overviews_show_queues_and_workers);
async fn overviews_show_queues_and_workers(db: TestDb) {
    db.run("select pgjobq.create_queue('other')").await;
    double::enqueue(&db.client, 1).await.unwrap();
    double::job(2).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    double::job(3).queue("other").enqueue(&db.client).await.unwrap();
    // A worker holds a lease over one of the two waiting jobs.
    db.run("select pgjobq.register_worker(shard, 7, 'mine', p_queues => '{default}', p_slots => '{3}') from pgjobq.lanes group by shard;
            select pgjobq.claim(l.shard, l.queue_id, 7, 77, true, array['double'], 9, array[0, 0, 0, 0], null, null)
              from pgjobq.lanes l join pgjobq.queues q on q.id = l.queue_id and q.name = 'default'").await;
    let overview = "select string_agg(format('%s: %s ready, %s scheduled, %s running, %s workers, exact %s',
                                             queue, ready, scheduled, running, workers, exact), '; ' order by queue)
                      from pgjobq.queue_overview where queue in ('default', 'other')";
    let wanted = "default: 0 ready, 1 scheduled, 1 running, 1 workers, exact t; \
                  other: 1 ready, 0 scheduled, 0 running, 0 workers, exact t";
    assert_eq!(db.text(overview).await, wanted);
    let row = sqlx::query(
        "select name, serves || running_in, leases, running, silent_for >= '0' as silent, slots from pgjobq.workers_overview",
    )
    .fetch_one(&db.pool)
    .await
    .unwrap();
    let row: (String, Vec<String>, i64, i64, bool, Vec<i32>) =
        (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5));
    assert_eq!(row, ("mine".to_owned(), vec!["default".to_owned(); 2], 1, 1, true, vec![3]));
}
