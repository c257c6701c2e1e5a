//! Ticks that nobody fired, because no worker ran or the database was down.

use std::time::{Duration, SystemTime};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::{Missed, NewSchedule};
use sqlx::postgres::PgPoolOptions;

use crate::clock::Clock;
use crate::harness::{PATIENCE, TestDb, in_time};
use crate::jobs::{JOBS, fired, neglect, note};

/// Makes a schedule of intervals. The last tick was half an interval ago, so that none comes while the test runs.
fn every(minutes: u64, missed: Missed) -> NewSchedule {
    let intervals = Duration::from_secs(minutes * 60) * 100 + Duration::from_secs(minutes * 30);
    note::schedule(format!("every {minutes}m"), 1).missed(missed).starts(SystemTime::now() - intervals)
}

/// Returns the number of ticks of the last hours that have jobs, once a worker has looked.
async fn after_hours(db: &TestDb, name: &str, missed: Missed) -> i64 {
    db.client.schedules().upsert(name, every(60, missed)).await.unwrap();
    neglect(db, name, "5 hours").await;
    let worker = db.worker().build().await.unwrap().start();
    db.until(&format!("(select next_at > clock_timestamp() from pgjobq.schedules where name = '{name}')"))
        .await;
    worker.shutdown().await.unwrap();
    fired(db, name).await
}

on_one_shard!(missed_ticks_follow_the_policy);
async fn missed_ticks_follow_the_policy(db: TestDb) {
    assert_eq!(after_hours(&db, "skip", Missed::Skip).await, 0);
    assert_eq!(after_hours(&db, "once", Missed::RunOnce).await, 1);
    assert_eq!(after_hours(&db, "three", Missed::RunAll(3)).await, 3);
    assert_eq!(after_hours(&db, "all", Missed::RunAll(100)).await, 5);
    let hours = format!("select count(distinct tick % 3600000000) from {JOBS} where schedule = 'all'");
    assert_eq!(db.number(&hours).await, 1);

    let missed = async |name: &str| db.client.schedules().get(name).await.unwrap().last_missed;
    assert!(missed("skip").await.unwrap().why.starts_with("no worker fired it within a minute"));
    assert!(missed("once").await.unwrap().why.contains("a later tick has the one job"));
    assert!(missed("three").await.unwrap().why.contains("more ticks were missed than the 3"));
    assert_eq!(missed("all").await, None);
}

/// Waits until a query on the server's only database is true. The server may be down meanwhile.
pub(crate) async fn until(client: &Client, condition: &str) {
    let query = format!("select ({condition})::boolean");
    let looked = async {
        while !sqlx::query_scalar(sqlx::AssertSqlSafe(query.clone()))
            .fetch_one(client.pool())
            .await
            .unwrap_or(false)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("never true: {condition}"));
}

pub(crate) async fn number(client: &Client, sql: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select ({sql})::bigint")))
        .fetch_one(client.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_down_across_ticks_catches_up_by_policy() {
    in_time(async {
        let clock = Clock::new();
        let server = Server::start(clock.of(ServerOptions::durable())).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(5).connect(&server.url("postgres")).await.unwrap();
        let client = Client::new(pool);
        client.migrate().await.unwrap();
        let builder = Worker::builder(&client).queue("default", 5).heartbeat(Duration::from_millis(200));
        let worker = builder.poll_interval(Duration::from_millis(200)).build().await.unwrap().start();
        let policies = [("skip", Missed::Skip), ("once", Missed::RunOnce), ("all", Missed::RunAll(1000))];
        for (name, missed) in policies {
            client.schedules().upsert(name, every(10, missed)).await.unwrap();
        }
        let looked = "(select count(*) = 3 and bool_and(next_at > clock_timestamp()) from pgjobq.schedules where stored is not null)";
        until(&client, looked).await;

        // It is down for an hour, by its own clock; the worker's clock and patience do not matter.
        server.stop_immediately().await.unwrap();
        clock.step_to(3600);
        server.start_again().await.unwrap();
        until(&client, looked).await;
        let count = async |name: &str| {
            number(&client, &format!("select count(*) from {JOBS} where schedule = '{name}'")).await
        };
        assert_eq!((count("skip").await, count("once").await, count("all").await), (0, 1, 6));
        let twice = format!(
            "select count(*) from (select from {JOBS} group by schedule, tick having count(*) > 1) t"
        );
        assert_eq!(number(&client, &twice).await, 0);

        // The clock is set right again, an hour back. Nothing is fired twice.
        let before = number(&client, &format!("select count(*) from {JOBS}")).await;
        clock.step_to(0);
        client.schedules().upsert("other", note::schedule("* * * * * *", 1)).await.unwrap();
        until(&client, &format!("(select count(*) >= 2 from {JOBS} where schedule = 'other')")).await;
        let after = number(&client, &format!("select count(*) from {JOBS} where schedule <> 'other'")).await;
        assert_eq!(after, before);
        worker.shutdown().await.unwrap();
    })
    .await;
}
