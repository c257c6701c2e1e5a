//! No table grows without bound, and no statement reads the rows of ended jobs again.

use std::time::Duration;

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::{Client, JobError};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Row};

use crate::harness::TestDb;
use crate::probe::end_of;

const HOUR: Duration = Duration::from_secs(3600);

#[job(queue = "growing", retries = 1, backoff = "10ms")]
async fn grow(ctx: JobContext, fate: String) -> Result<()> {
    ctx.progress(50, "half-way");
    match &*fate {
        "dies" => Err("no".into()),
        "cancels itself" => Err(JobError::cancel()),
        "recovers" if ctx.failures() == 0 => Err("not yet".into()),
        _ => Ok(()),
    }
}

#[job(queue = "growing", retries = 1, backoff = "1h")]
async fn wait_to_fail_again() -> Result<()> {
    Err("no".into())
}

/// Returns the number of pages that a statement reads once the catalogs are cached.
async fn pages(db: &TestDb, statement: &str) -> i64 {
    let explain = format!("explain (analyze, buffers, format json) {statement}");
    let mut connection = db.pool.acquire().await.unwrap();
    let mut pages = i64::MAX;
    for _ in 0..3 {
        sqlx::raw_sql("begin").execute(&mut *connection).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(explain.clone())).fetch_one(&mut *connection).await.unwrap();
        sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
        let plan: serde_json::Value = row.get(0);
        let count = |name: &str| plan[0]["Plan"][name].as_i64().unwrap();
        pages = pages.min(count("Shared Hit Blocks") + count("Shared Read Blocks"));
    }
    pages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_are_empty_again_when_everything_has_ended() {
    let db = TestDb::new(2).await;
    let worker = db.worker().queue("growing", 5).build().await.unwrap().start();
    let mut jobs = Vec::new();
    for fate in ["completes", "dies", "cancels itself", "recovers"].repeat(5) {
        jobs.push(grow::enqueue(&db.client, fate.to_owned()).await.unwrap());
    }
    let late = grow::job("is cancelled".to_owned()).delay(HOUR).enqueue(&db.client).await.unwrap();
    late.cancel(&db.client).await.unwrap();
    db.client.queue("attic").save().await.unwrap();
    let expires = grow::job("expires".to_owned()).queue("attic").expires_in(Duration::from_millis(1));
    jobs.push(expires.enqueue(&db.client).await.unwrap());
    for job in &jobs {
        let _ = end_of(&db.client, job).await;
    }
    assert!(db.number("select count(*) from pgjobq.waiters").await > 0);
    db.until("exists (select from pgjobq.rates)").await;
    // A person deletes a job that has failed, and requests to cancel one that no longer exists.
    let gone = wait_to_fail_again::enqueue(&db.client).await.unwrap();
    db.until(&format!("exists (select from pgjobq.failures where job = '{}')", gone.id())).await;
    db.run(&format!(
        "delete from pgjobq.jobs where id = '{0}';
         insert into pgjobq.cancels (shard, job, created_at, asked_by)
           select pgjobq.shard_of('{0}', 2::smallint), '{0}', now(), 'somebody'",
        gone.id()
    ))
    .await;
    db.client.queue("growing").delete().await.unwrap();
    db.until("not exists (select from pgjobq.cancels)").await;
    worker.shutdown().await.unwrap();
    // Runs the maintenance that workers do each minute.
    db.run(
        "select pgjobq.tidy_failures(s::smallint, '00000000-0000-0000-0000-000000000000', 100) from generate_series(0, 1) s;
         do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$;
         select pgjobq.tidy_hints(s::smallint, 'infinity') from generate_series(0, 1) s;
         select pgjobq.forget_queue(id) from unnest(pgjobq.forgettable_queues(clock_timestamp() + interval '32 days')) id",
    )
    .await;
    let rows = "select string_agg(name || ': ' || count, ', ') from (
            select relname as name, (xpath('/row/c/text()', query_to_xml(format('select count(*) as c from %s', oid::regclass),
                                                                          false, true, '')))[1]::text::int as count
              from pg_class where relnamespace = 'pgjobq'::regnamespace and relkind in ('r', 'p')
               and relname not in ('settings', 'migrations', 'definitions', 'kinds', 'limits')) t
         where count > case name when 'queues' then 15 when 'lanes' then 30 when 'lost_ends' then 2 else 0 end";
    let left: Option<String> = sqlx::query_scalar(rows).fetch_one(&db.pool).await.unwrap();
    assert_eq!(left, None);
    assert_eq!(db.number("select count(*) from pgjobq.queues where name = 'growing'").await, 0);
}

#[tokio::test]
async fn finish_reads_no_process_that_no_longer_waits() {
    let db = TestDb::new(1).await;
    let nothing = "'{}'";
    let finish = format!("select pgjobq.finish(0::smallint, 1, 'test', {})", [nothing; 14].join(", "));
    let before = pages(&db, &finish).await;
    db.run("insert into pgjobq.waiters select 0, n, now() - interval '1 hour' from generate_series(1, 100000) n; analyze pgjobq.waiters")
        .await;
    let after = pages(&db, &finish).await;
    assert!(after <= before + 5, "{after} pages, and {before} before the first wait");
    db.run("select pgjobq.tidy_hints(0::smallint)").await;
    assert_eq!(db.number("select count(*) from pgjobq.waiters").await, 0);
}

#[tokio::test]
async fn deleted_queue_does_not_read_the_jobs_of_others() {
    let db = TestDb::new(1).await;
    let schedule = "insert into pgjobq.jobs (id, created_at, run_at, queue_id, shard, priority, retries, max_crashes, kind, args)
                    select gen_random_uuid(), now(), now() + interval '1 hour', id, 0, 1, 20, 3, 'stay', '{}'
                      from pgjobq.queues, generate_series(1, 50000) where name = 'default'";
    db.client.queue("attic").save().await.unwrap();
    db.client.queue("attic").delete().await.unwrap();
    let look = "select pgjobq.deleted_queues('{0}')";
    let before = pages(&db, look).await;
    db.run(schedule).await;
    let after = pages(&db, look).await;
    assert!(after <= before + 10, "{after} pages, and {before} when nothing was scheduled");
    // All have the same `run_at`, so that the scan cannot stop between them.
    db.run("insert into pgjobq.queues (name) values ('moved'); update pgjobq.jobs set queue_id = (select id from pgjobq.queues where name = 'moved')
             where id in (select id from pgjobq.jobs limit 1200)").await;
    assert_eq!(db.client.queue("moved").purge().await.unwrap(), 1200);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 48_800);
}

#[tokio::test]
async fn stray_rows_written_by_hand_are_refused_or_found() {
    let db = TestDb::new(2).await;
    let insert = |shard, queue| {
        format!(
            "insert into pgjobq.jobs (id, created_at, ticket, queue_id, shard, priority, retries, max_crashes, kind, args)
             select gen_random_uuid(), now(), nextval('pgjobq.ticket'), {queue}, {shard}, 1, 20, 3, 'stay', '{{}}'"
        )
    };
    for shard in [-1, 2] {
        let refused = sqlx::query(AssertSqlSafe(insert(shard, 1))).execute(&db.pool).await.unwrap_err();
        assert!(refused.to_string().contains("shard_exists"), "{refused}");
    }
    db.run(&insert(1, 1)).await;
    for _ in 0..3 {
        db.run(&insert(1, 997)).await;
        db.run(&insert(1, 998)).await;
    }
    assert_eq!(db.text("select pgjobq.stray_queues(1::smallint)").await, "{997,998}");
    // Quarantined, scheduled, and blocked jobs.
    for (queue, change) in [
        (996, "crashes = 1"),
        (995, "ticket = null, run_at = now() + interval '1 hour'"),
        (994, "ticket = null, waits_for = 1"),
    ] {
        db.run(&insert(1, queue)).await;
        db.run(&format!("update pgjobq.jobs set {change} where queue_id = {queue}")).await;
    }
    assert_eq!(db.text("select pgjobq.stray_queues(1::smallint)").await, "{994,995,996,997,998}");
    assert_eq!(db.text("select pgjobq.stray_queues(0::smallint)").await, "{}");
}

#[tokio::test]
async fn deleted_queue_keeps_its_lanes_while_a_job_is_left() {
    let db = TestDb::new(2).await;
    db.client.queue("attic").save().await.unwrap();
    db.client.queue("attic").delete().await.unwrap();
    let id = db.number("select id from pgjobq.queues where name = 'attic'").await;
    db.run(&format!(
        "insert into pgjobq.jobs (id, created_at, ticket, queue_id, shard, priority, retries, max_crashes, kind, args)
         select gen_random_uuid(), now(), nextval('pgjobq.ticket'), {id}, 1, 1, 20, 3, 'stay', '{{}}'"
    ))
    .await;
    let forgotten = async |change: &str| {
        db.run(change).await;
        db.run(&format!("select pgjobq.forget_queue({id})")).await;
        db.number(&format!("select 2 - count(*) from pgjobq.lanes where queue_id = {id}")).await
    };
    let claim = format!(
        "select pgjobq.register_worker(1::smallint, 42, 'ghost');
         select pgjobq.claim(1::smallint, {id}, 42, 7, true, array['stay'], 9, '{{0,0,0,0}}', null, null)"
    );
    assert_eq!(forgotten(&claim).await, 0, "the job runs");
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 1);
    assert_eq!(forgotten("delete from pgjobq.leases").await, 0, "the job is ready");
    assert_eq!(forgotten("update pgjobq.jobs set crashes = 1").await, 0, "the job is quarantined");
    let retried = "update pgjobq.jobs set ticket = null, run_at = now() + interval '1 hour'";
    assert_eq!(forgotten(retried).await, 0, "the job waits for its next attempt");
    assert_eq!(forgotten("delete from pgjobq.jobs").await, 2);
}

#[tokio::test]
async fn every_table_identifies_its_rows_to_a_publication() {
    let db = TestDb::new(1).await;
    let without = "select string_agg(relname, ', ') from pg_class c
                    where relnamespace = 'pgjobq'::regnamespace and relkind in ('r', 'p') and relreplident <> 'f'
                      and not exists (select from pg_index where indrelid = c.oid and indisprimary)";
    let without: Option<String> = sqlx::query_scalar(without).fetch_one(&db.pool).await.unwrap();
    assert_eq!(without, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_end_while_a_publication_includes_every_table() {
    let server = Server::start(ServerOptions::fast().set("wal_level", "logical")).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(12).connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql("create publication p for all tables").execute(&pool).await.unwrap();
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();
    let builder =
        pgjobq::Worker::builder(&client).queue("growing", 5).poll_interval(Duration::from_millis(100));
    let worker = builder.build().await.unwrap().start();
    let late = grow::job("is cancelled".to_owned()).delay(HOUR).enqueue(&client).await.unwrap();
    late.cancel(&client).await.unwrap();
    assert_eq!(end_of(&client, &late).await, Outcome::Cancelled);
    for fate in ["completes", "recovers", "cancels itself", "dies"] {
        let job = grow::enqueue(&client, fate.to_owned()).await.unwrap();
        let outcome = end_of(&client, &job).await;
        match fate {
            "dies" => assert!(matches!(outcome, Outcome::Dead(_)), "{outcome:?}"),
            "cancels itself" => assert_eq!(outcome, Outcome::Cancelled),
            _ => assert_eq!(outcome, Outcome::Completed(())),
        }
    }
    assert_eq!(client.dead_jobs().requeue().await.unwrap(), 1);
    assert_eq!(client.cancelled_jobs().purge().await.unwrap(), 2);
    worker.shutdown().await.unwrap();
    pool.close().await;
}

/// Checks the pages that statements read, from the start and from the cursor, while an open snapshot keeps 100,000 dead index
/// entries of jobs that came due, or expired.
async fn check_pages_behind_dead_entries(column: &str, statements: [impl Fn(&str) -> String; 2]) {
    let db = TestDb::new(1).await;
    let (start, cursor) = ("timestamptz '-infinity'", "now() - interval '1 minute'");
    let mut before = Vec::new();
    for statement in &statements {
        before.push(pages(&db, &statement(start)).await);
    }
    db.run(&format!(
        "insert into pgjobq.jobs (id, created_at, {column}, queue_id, shard, priority, retries, max_crashes, kind, args)
         select gen_random_uuid(), now(), now() - interval '1 hour', 1, 0, 1, 20, 3, 'stay', '{{}}' from generate_series(1, 100000)"
    ))
    .await;
    let mut open = db.pool.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select count(*) from pgjobq.jobs").execute(&mut *open).await.unwrap();
    db.run("delete from pgjobq.jobs").await;
    for (statement, before) in statements.iter().zip(before) {
        let swept = pages(&db, &statement(start)).await;
        let guessed = pages(&db, &statement(cursor)).await;
        let statement = statement(cursor);
        assert!(
            swept > before + 200,
            "a sweep reads {swept} pages, so that this test shows something: {statement}"
        );
        assert!(
            guessed <= before + 20,
            "{guessed} pages, and {before} when nothing had been due: {statement}"
        );
    }
    open.rollback().await.unwrap();
}

#[tokio::test]
async fn promote_passes_no_job_that_was_promoted_before() {
    let statement = |function: &'static str| {
        move |from: &str| match function {
            "find_due" => format!("select pgjobq.find_due(array[0]::smallint[], array[{from}])"),
            _ => format!("select pgjobq.promote(0::smallint, 1000, {from})"),
        }
    };
    check_pages_behind_dead_entries("run_at", [statement("find_due"), statement("promote")]).await;
}

#[tokio::test]
async fn expire_passes_no_job_that_expired_before() {
    let nil = "'00000000-0000-0000-0000-000000000000'";
    let statement = |function: &'static str| {
        move |from: &str| match function {
            "find_expiring" => format!("select pgjobq.find_expiring(array[0]::smallint[], array[{from}])"),
            _ => format!("select pgjobq.expire(0::smallint, {from}, {nil}, 500)"),
        }
    };
    check_pages_behind_dead_entries("expires_at", [statement("find_expiring"), statement("expire")]).await;
}

#[tokio::test]
async fn expire_locks_no_lane_for_jobs_that_run() {
    let db = TestDb::new(1).await;
    let nil = "00000000-0000-0000-0000-000000000000";
    db.run(
        "select pgjobq.enqueue('stay') from generate_series(1, 3);
         update pgjobq.jobs set expires_at = now() + interval '1 hour';
         select pgjobq.register_worker(0::smallint, 42, 'ghost');
         select pgjobq.claim(0::smallint, queue_id, 42, 7, true, array['stay'], 2, '{0,0,0,0}', null, null)
           from (select queue_id from pgjobq.jobs limit 1) j;
         update pgjobq.jobs set expires_at = now() - interval '1 hour'
          where ticket < (select max(ticket) from pgjobq.jobs)",
    )
    .await;
    let mut open = db.pool.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *open).await.unwrap();
    let expire = format!(
        "set local lock_timeout = '1s'; select pgjobq.expire(0::smallint, '-infinity', '{nil}', 500)"
    );
    db.run(&expire).await;
    open.commit().await.unwrap();
    // The third job stays waiting.
    db.run("update pgjobq.jobs set expires_at = now() - interval '1 hour'").await;
    db.run(&expire).await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2);
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'expired'").await, 1);
}
