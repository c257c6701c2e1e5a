//! Many schedules on one tick.

use std::time::{Duration, Instant, SystemTime};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::{NewSchedule, WorkerBuilder};
use sqlx::postgres::PgPoolOptions;

use crate::clock::Clock;
use crate::harness::in_time;
use crate::jobs::note;
use crate::missed::{number, until};

/// The number of schedules.
const SCHEDULES: i64 = 5000;

/// Sets schedules that share one tick, ten seconds from now. No worker runs their jobs.
async fn share_a_tick(client: &Client) {
    client.queue("parked").save().await.unwrap();
    let daily = NewSchedule::new("every 1d", note::job(1).queue("parked"));
    client.schedules().upsert("s1", daily.starts(SystemTime::now() + Duration::from_secs(10))).await.unwrap();
    let copies = format!(
        "insert into pgjobq.schedules (name, kind, stored, set_by, set_at, passed_to, next_at)
         select 's' || n, kind, stored, set_by, set_at, passed_to, next_at
           from pgjobq.schedules, generate_series(2, {SCHEDULES}) n"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(copies)).execute(client.pool()).await.unwrap();
}

fn worker(client: &Client) -> WorkerBuilder {
    Worker::builder(client).queue("default", 1).heartbeat(Duration::from_millis(200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tick_that_thousands_share_is_missed_by_none() {
    in_time(async {
        let clock = Clock::new();
        let server = Server::start(clock.of(ServerOptions::durable())).await.unwrap();
        let pool = PgPoolOptions::new().max_connections(5).connect(&server.url("postgres")).await.unwrap();
        let client = Client::new(pool);
        client.migrate().await.unwrap();
        share_a_tick(&client).await;
        let workers =
            [worker(&client).build().await.unwrap().start(), worker(&client).build().await.unwrap().start()];
        let fired = "(select count(*) from pgjobq.jobs)";
        until(&client, &format!("{fired} > 0")).await;
        let begun = Instant::now();
        // By the clock of the database the workers need minutes.
        for (count, seconds) in [(1000, 40), (2500, 80), (4000, 120)] {
            until(&client, &format!("{fired} >= {count}")).await;
            clock.step_to(seconds);
        }
        until(&client, &format!("{fired} = {SCHEDULES}")).await;
        let took = begun.elapsed();
        eprintln!("{SCHEDULES} schedules on one tick, two workers: {took:?}");
        let ticks = "select count(*) from pgjobq.ticks t join pgjobq.jobs j on j.id = t.job";
        assert_eq!(number(&client, ticks).await, SCHEDULES);
        assert_eq!(number(&client, "select count(distinct tick) from pgjobq.ticks").await, 1);
        let missed = "select count(*) from pgjobq.schedules where last_missed is not null";
        assert_eq!(number(&client, missed).await, 0);
        for worker in workers {
            worker.shutdown().await.unwrap();
        }
    })
    .await;
}
