//! Time that passes.

use std::collections::BTreeSet;
use std::time::Duration;

use pgjobq::testing::{AdvanceError, TestQueue, assert_enqueued};
use pgjobq::{EnqueueOutcome, sqlx};
use pgjobq_core::testing::STATEMENTS;
use sqlx::{AssertSqlSafe, Row};

use crate::jobs::{Ended, HOUR, fail_until, index, log, note, once_an_hour, twice_an_hour};

/// Times that stay. Nothing is decided by when something was installed or recorded. The ticks of schedules are times on the calendar:
/// if what has passed of them moved, they would come twice.
const NOT_MOVED: &[&str] = &[
    "attribute_indexes.created_at",
    "audit.asked_at",
    "kinds.recorded_at",
    "limits.recorded_at",
    "migrations.applied_at",
    "schedule_declarations.first_seen",
    "schedules.last_fired_at",
    "schedules.last_missed",
    "schedules.last_tick",
    "schedules.next_at",
    "schedules.passed_to",
    "schedules.paused_at",
    "schedules.set_at",
    "schedules.stopped_at",
    "ticks.fired_at",
    "ticks.tick",
];

/// Times that are parts of composite columns.
const PARTS: &[(&str, &str)] = &[("actions", "selection"), ("actions", "place")];

#[pgjobq::test]
async fn every_time_is_moved_or_listed(pg: TestQueue) -> Ended {
    let columns = "select c.relname::text as relation, a.attname::text as name
          from pg_attribute a
               join pg_class c on c.oid = a.attrelid
               join pg_type t on t.oid = a.atttypid
         where c.relnamespace = 'pgjobq'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and a.attnum > 0 and not a.attisdropped
           and 'timestamptz'::regtype in (t.oid, t.typbasetype, t.typelem)";
    let rows = sqlx::query(AssertSqlSafe(columns.to_owned())).fetch_all(pg.pool()).await.unwrap();
    let column =
        |row: &sqlx::postgres::PgRow| format!("{}.{}", row.get::<String, _>(0), row.get::<String, _>(1));
    let columns: BTreeSet<String> = rows.iter().map(column).collect();
    assert!(columns.len() > 30, "{columns:?}");
    let moved = moved();
    for column in &columns {
        let is_listed = NOT_MOVED.contains(&column.as_str());
        assert!(
            moved.contains(column) != is_listed,
            "`advance` must either move {column}, or it is listed here"
        );
    }
    for column in NOT_MOVED {
        assert!(columns.contains(*column), "{column} does not exist");
    }
    for (table, column) in PARTS {
        assert!(moved.contains(&format!("{table}.{column}")), "{table}.{column} has times in it");
    }
    Ok(())
}

/// Columns of JSON in which `advance` moves times.
const JSON_MOVED: &[&str] = &["finished.cancelled", "finished.errors", "unique_requests.job"];

/// Columns of JSON without times, or with some that stay: of recorded settings (`overrides`), of ticks, of edits by people (`meta`), and
/// of ends that a step has handed on to others.
const JSON_NOT_MOVED: &[&str] = &[
    "actions.left_out",
    "finished.args",
    "finished.attributes",
    "finished.meta",
    "finished.output",
    "fleet.state",
    "jobs.args",
    "jobs.attributes",
    "jobs.meta",
    "kinds.computed",
    "limits.overrides",
    "limits.rates",
    "queues.overrides",
    "schedule_declarations.definition",
    "schedules.code",
    "schedules.stored",
    "settings.limited",
    "steps.failed",
    "steps.inputs",
    "steps.output",
    "steps.outside",
    "workflows.cancelled",
];

#[pgjobq::test]
async fn every_json_column_is_moved_or_listed(pg: TestQueue) -> Ended {
    let columns = "select c.relname || '.' || a.attname
          from pg_attribute a
               join pg_class c on c.oid = a.attrelid
               join pg_type t on t.oid = a.atttypid
         where c.relnamespace = 'pgjobq'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
           and a.attnum > 0 and not a.attisdropped
           and (t.oid in ('json'::regtype, 'jsonb'::regtype)
                or t.typbasetype in ('json'::regtype, 'jsonb'::regtype)
                or t.typelem in ('json'::regtype, 'jsonb'::regtype))";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(pg.pool()).await.unwrap();
    let columns: BTreeSet<_> = columns.iter().map(String::as_str).collect();
    let listed: BTreeSet<_> = JSON_MOVED.iter().chain(JSON_NOT_MOVED).copied().collect();
    assert_eq!(columns, listed, "each column of JSON is in one of the two lists");
    let moved = moved();
    for column in JSON_MOVED {
        assert!(moved.contains(*column), "`advance` must move the times in {column}");
    }
    Ok(())
}

#[pgjobq::test]
async fn composite_columns_with_times_are_known(pg: TestQueue) -> Ended {
    let columns = "select c.relname::text, a.attname::text
          from pg_attribute a
               join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
               join pg_type t on t.oid = a.atttypid and t.typtype = 'c'
         where c.relnamespace = 'pgjobq'::regnamespace and a.attnum > 0
           and exists (select from pg_attribute p
                        where p.attrelid = t.typrelid and p.atttypid = 'timestamptz'::regtype)
         order by 1, 2 desc";
    let found: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(pg.pool()).await.unwrap();
    let found: Vec<_> = found.iter().map(|(table, column)| (table.as_str(), column.as_str())).collect();
    assert_eq!(found, PARTS);
    Ok(())
}

/// The columns that the statement moves, as it is written.
fn moved() -> BTreeSet<String> {
    let (_, sql) = STATEMENTS.iter().find(|(name, _)| *name == "advance").unwrap();
    let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut moved = BTreeSet::new();
    for update in sql.split("update pgjobq.").skip(1) {
        let (table, rest) = update.split_once(" set ").unwrap();
        let assigned = rest.split(" = ").map(|before| before.rsplit([' ', ',']).next().unwrap());
        moved.extend(assigned.map(|column| format!("{table}.{}", column.trim().split('.').next().unwrap())));
    }
    moved
}

#[pgjobq::test]
async fn every_statement_of_the_kit_runs(pg: TestQueue) -> Ended {
    let files =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pgjobq-core/queries/testing")).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let statements: BTreeSet<String> = STATEMENTS.iter().map(|(name, _)| format!("{name}.sql")).collect();
    assert_eq!(files, statements);
    for (name, sql) in STATEMENTS {
        let mut connection = pg.pool().acquire().await.unwrap();
        let prepared = sqlx::Executor::prepare(&mut *connection, sqlx::SqlSafeStr::into_sql_str(*sql)).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.unwrap_err());
    }
    Ok(())
}

#[pgjobq::test]
async fn scheduled_job_is_due_exactly_after_its_delay(pg: TestQueue) -> Ended {
    let log = log(&pg);
    note::job("a".to_owned()).delay(HOUR).enqueue(pg.client()).await?;
    pg.advance(HOUR - Duration::from_secs(60)).await?;
    assert!(pg.drain().await?.is_empty());
    assert_enqueued!(pg, note, delay = HOUR);
    pg.advance(Duration::from_secs(60)).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[pgjobq::test]
async fn next_time_is_that_of_the_first_job(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for hours in [3, 1, 2] {
        note::job(hours.to_string()).delay(hours * HOUR).enqueue(pg.client()).await?;
    }
    let mut passed = Duration::ZERO;
    while let Some(time) = pg.advance_to_next().await? {
        passed += time;
        assert_eq!(pg.drain().await?.completed(), 1);
    }
    assert_eq!(log.take(), ["1", "2", "3"]);
    assert!(passed <= 3 * HOUR && passed > 3 * HOUR - Duration::from_secs(60), "{passed:?}");
    Ok(())
}

#[pgjobq::test]
async fn unique_key_is_free_after_its_time(pg: TestQueue) -> Ended {
    let log = log(&pg);
    let ada = || once_an_hour::enqueue(pg.client(), "ada".to_owned());
    ada().await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert!(matches!(ada().await?.outcome(), EnqueueOutcome::Duplicate(_)));
    pg.advance(HOUR).await?;
    assert_eq!(ada().await?.outcome(), EnqueueOutcome::New);
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["ada", "ada"]);
    Ok(())
}

#[pgjobq::test]
async fn debounced_job_runs_once_after_the_quiet_time(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for version in 1..=3 {
        index::enqueue(pg.client(), 7, version).await?;
        pg.advance(Duration::from_secs(20)).await?;
        assert!(pg.drain().await?.is_empty());
    }
    pg.advance(Duration::from_secs(10)).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["7.3"]);
    Ok(())
}

#[pgjobq::test]
async fn unsettled_request_of_a_debounced_job_moves(pg: TestQueue) -> Ended {
    let log = log(&pg);
    index::enqueue(pg.client(), 7, 1).await?;
    // In a transaction: what it changes of the job that waits is settled by the next drain, after the time has passed.
    let mut tx = pg.pool().begin().await.unwrap();
    index::enqueue(&mut *tx, 7, 2).await?;
    tx.commit().await.unwrap();
    let requests = "select count(*) from pgjobq.unique_requests";
    let requests: i64 = sqlx::query_scalar(requests).fetch_one(pg.pool()).await.unwrap();
    assert_eq!(requests, 1, "it is not settled");
    pg.advance(HOUR).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["7.2"]);
    Ok(())
}

#[pgjobq::test]
async fn times_of_an_end_move_with_it(pg: TestQueue) -> Ended {
    fail_until::job(9).retries(0).enqueue(pg.client()).await?;
    assert_eq!(pg.drain().await?.dead(), 1);
    let cancelled = fail_until::job(9).delay(HOUR).enqueue(pg.client()).await?;
    cancelled.cancel(pg.client()).await?;
    let _ = pg.drain().await?;
    pg.advance(HOUR).await?;
    let times = "select coalesce(errors -> 0 ->> 'at', cancelled ->> 'asked_at')::timestamptz
                        between created_at and finished_at
                   from pgjobq.finished order by outcome desc";
    let between: Vec<bool> = sqlx::query_scalar(times).fetch_all(pg.pool()).await.unwrap();
    assert_eq!(between, [true, true], "of the failure, and of the request to cancel");
    Ok(())
}

#[pgjobq::test]
async fn rate_has_room_again_after_its_window(pg: TestQueue) -> Ended {
    let log = log(&pg);
    for number in 1..=5 {
        twice_an_hour::enqueue(pg.client(), number).await?;
    }
    for expected in [&["number 1", "number 2"][..], &["number 3", "number 4"], &["number 5"]] {
        assert_eq!(pg.drain().await?.completed(), expected.len());
        assert_eq!(log.take(), expected);
        assert!(pg.drain().await?.is_empty(), "the rate is used up");
        pg.advance(HOUR).await?;
    }
    Ok(())
}

#[pgjobq::test]
async fn pause_ends_at_its_time(pg: TestQueue) -> Ended {
    let log = log(&pg);
    note::enqueue(pg.client(), "a".to_owned()).await?;
    pg.client().queue("default").pause().until(std::time::SystemTime::now() + HOUR).await?;
    assert!(pg.drain().await?.is_empty());
    pg.advance(HOUR + Duration::from_secs(1)).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[pgjobq::test]
async fn retry_is_due_after_its_backoff(pg: TestQueue) -> Ended {
    fail_until::enqueue(pg.client(), 2).await?;
    assert_eq!(pg.drain().await?.retried(), 1);
    pg.advance(HOUR).await?;
    assert_eq!(pg.drain().await?.completed(), 1);
    Ok(())
}

#[pgjobq::test]
async fn time_passes_only_forwards(pg: TestQueue) -> Ended {
    let zero = pg.advance(Duration::ZERO).await.unwrap_err();
    assert!(matches!(zero, AdvanceError::Zero));
    assert_eq!(zero.to_string(), "time passes only forwards: advance by more than zero");
    let long = pg.advance(Duration::from_hours(24 * 3661)).await.unwrap_err();
    assert!(matches!(long, AdvanceError::TooLong(_)), "{long}");
    pg.advance(Duration::from_hours(24 * 3660)).await?;
    pg.advance(Duration::from_micros(1)).await?;
    Ok(())
}
