//! The partitions of ended jobs on every day of four years: no row is dropped before its retention ends.

use std::time::Duration;

use pgjobq::EndedState;
use pgjobq::prelude::*;

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::probe::end_of;

const DAY: Duration = Duration::from_secs(86_400);

/// Makes and drops partitions as workers do, `every` days, and finds on each day the partition for each retention.
/// Commits each day, because each partition takes locks until then.
fn live_through(from: &str, to: &str, every: u32) -> String {
    format!(
        "do $$
        declare
            v_today date;
            v_now timestamptz;
            v_keep interval;
            v_time interval;
            v_due date;
            v_day date;
        begin
            for v_today in select d::date from generate_series(timestamp '{from}', timestamp '{to}', '1 day') d loop
                perform set_config('timezone', (array['UTC', 'Pacific/Kiritimati', 'Etc/GMT+12', 'Europe/Berlin'])[((v_today - '2027-01-01') & 3) + 1], false),
                        set_config('datestyle', (array['SQL, YMD', 'German, MDY', 'ISO, DMY'])[(v_today - '2027-01-01') % 3 + 1], false);
                if (v_today - '{from}') % {every} = 0 then
                    perform pgjobq.make_partitions(3660, (v_today + time '23:59:59.999') at time zone 'UTC');
                    while pgjobq.drop_partition((v_today + time '00:00') at time zone 'UTC') loop end loop;
                    if exists (select 1 from pgjobq.finished_days where day < v_today)
                       or (select count(*) from pgjobq.finished_days) > 60 then
                        raise exception '%: % days', v_today, (select count(*) from pgjobq.finished_days);
                    end if;
                end if;
                foreach v_time in array array[interval '0', '23:59:59.999'] loop
                    v_now := (v_today + v_time) at time zone 'UTC';
                    foreach v_keep in array array[interval '1 minute', '1 hour', '1 day', '7 days', '8 days', '30 days', '31 days',
                                                  '1 month', '90 days', '365 days', '1 year', '3660 days', '10 years'] loop
                        v_due := (v_now at time zone 'UTC' + v_keep)::date;
                        v_day := pgjobq.drop_day(v_keep, v_now);
                        if v_day < v_due or not exists (select 1 from pgjobq.finished_days where day = v_day)
                           or exists (select 1 from pgjobq.finished_days where day >= v_due and day < v_day)
                           or v_day - v_due > (case when v_keep < '7 days' then 0 when v_keep < '92 days' then 7
                                                   else (extract(epoch from v_keep) / 86400 / 3)::int end) then
                            raise exception 'kept for % from % on, so until %, and dropped after %', v_keep, v_now, v_due, v_day;
                        end if;
                    end loop;
                end loop;
                commit;
            end loop;
        end $$"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_dropped_early_on_any_date() {
    let db = TestDb::new(1).await;
    // The state after an installation on New Year's Day, without the partitions around today's date.
    db.run("do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$").await;
    // Maintenance every day for two years; then by workers that miss it for up to a week.
    db.run(&live_through("2027-01-01", "2028-12-31", 1)).await;
    db.run(&live_through("2029-01-01", "2030-12-31", 8)).await;
    let torn = "select count(*) from (select 'finished_' || to_char(day, 'YYYYMMDD') from pgjobq.finished_days
                union all select 'finished_rest') d(name)
                full join (select inhrelid::regclass::text from pg_inherits where inhparent = 'pgjobq.finished'::regclass) p(name)
                  on p.name = 'pgjobq.' || d.name where p.name is null or d.name is null";
    assert_eq!(db.number(torn).await, 0, "partitions and days are the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn longer_retention_makes_its_partitions_at_once() {
    let db = TestDb::new(1).await;
    db.client.queue("default").retain(EndedState::Completed, 3660 * DAY).save().await.unwrap();
    let missing = "select count(*) from (select pgjobq.drop_day('3660 days') as day) d
                    where not exists (select from pgjobq.finished_days f where f.day = d.day)";
    assert_eq!(db.number(missing).await, 0);
    assert!(db.number("select count(*) from pgjobq.finished_days").await <= 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_without_a_partition_ends_and_is_kept_as_long() {
    let db = TestDb::new(1).await;
    // The owner of the functions may still drop partitions, but no longer create any.
    let owner = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
    db.run(&format!(
        "create role {owner};
         do $$ declare v_what text; begin
             for v_what in
                 select format('table %s', oid::regclass) from pg_class where relnamespace = 'pgjobq'::regnamespace and relkind in ('r', 'p')
                 union all
                 select format('function %s', oid::regprocedure) from pg_proc
                  where pronamespace = 'pgjobq'::regnamespace and proname in ('make_partitions', 'drop_partition')
             loop
                 execute format('alter %s owner to {owner}', v_what);
             end loop;
         end $$;
         grant usage on schema pgjobq to {owner};
         do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$"
    ))
    .await;
    assert_eq!(db.number("select count(*) from pgjobq.finished_days").await, 0);
    let worker = db.worker().build().await.unwrap().start();
    let job = double::enqueue(&db.client, 21).await.unwrap();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(42));
    let kept = "select drop_on - ((created_at at time zone 'UTC') + interval '1 day')::date from pgjobq.finished_rest";
    assert!((0..=1).contains(&db.number(kept).await));
    // With the right restored, new days get partitions. Rows in `finished_rest` stay until their retention ends.
    db.run(&format!("grant create on schema pgjobq to {owner}; update pgjobq.finished set kind = 'first'"))
        .await;
    db.client.migrate().await.unwrap();
    assert!(db.number("select count(*) from pgjobq.finished_days").await > 10);
    assert_eq!(db.text("select pgjobq.tidy_rest(10)").await, "(0,t)");
    assert_eq!(double::call(&db.client, 4).await.unwrap(), 8);
    assert_eq!(db.text("select pgjobq.tidy_rest(10, now() + interval '9 days')").await, "(1,f)");
    assert_eq!(db.number("select count(*) from pgjobq.finished where kind = 'first'").await, 0);
    worker.shutdown().await.unwrap();
    db.drop_role(&owner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrate_waits_for_another_session_that_makes_partitions() {
    let db = TestDb::new(1).await;
    db.run("do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$").await;
    let mut open = db.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('pgjobq.make_partitions'))")
        .execute(&mut *open)
        .await
        .unwrap();
    let client = db.client.clone();
    let migrated = tokio::spawn(async move { client.migrate().await });
    db.until("exists (select from pg_locks where locktype = 'advisory' and not granted)").await;
    open.commit().await.unwrap();
    migrated.await.unwrap().unwrap();
    assert!(db.number("select count(*) from pgjobq.finished_days").await > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_starts_while_somebody_reads_ended_jobs() {
    let db = TestDb::new(1).await;
    db.run("do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$").await;
    let mut dump = db.pool.begin().await.unwrap();
    sqlx::query("lock table pgjobq.finished in access share mode").execute(&mut *dump).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 21).await.unwrap(), 42);
    assert_eq!(db.number("select count(*) from pgjobq.finished_rest").await, 1);
    dump.commit().await.unwrap();
    db.client.migrate().await.unwrap();
    assert!(db.number("select count(*) from pgjobq.finished_days").await > 10);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_partition_is_made_in_a_transaction_of_its_own() {
    let db = TestDb::new(1).await;
    db.run("do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$").await;
    db.client.migrate().await.unwrap();
    let days = db.number("select count(*) from pgjobq.finished_days").await;
    assert!(days > 10);
    assert_eq!(db.number("select count(distinct xmin::text) from pgjobq.finished_days").await, days);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_attached_while_the_rest_is_large() {
    let db = TestDb::new(1).await;
    db.run("do $$ begin while pgjobq.drop_partition('infinity') loop end loop; end $$").await;
    db.run(
        "insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes, retries,
                                      max_crashes, created_at, drop_on)
         select 0, gen_random_uuid(), 'completed', 1, 1, 'old', to_jsonb(repeat('x', 1800)), 1, 0, 0, 0, 0, now(), current_date + 500
           from generate_series(1, 5000)",
    )
    .await;
    db.client.migrate().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(db.number("select count(*) from pgjobq.finished_days").await, 0);
    let mut problems = Vec::new();
    in_time(async {
        while problems.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            problems = worker.health().problems;
        }
    })
    .await;
    assert!(problems[0].contains("`finished_rest` is large"), "{problems:?}");
    assert_eq!(db.number("select pgjobq.make_partitions(0, p_most => 2, p_rest_bytes => null)").await, 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_starts_though_partitions_take_too_long() {
    let db = TestDb::new(1).await;
    db.run(
        "create or replace function pgjobq.make_partitions(
            p_days int, p_now timestamptz default clock_timestamp(), p_most int default null, p_rest_bytes bigint default 8388608)
         returns int language plpgsql as $$ begin
             raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled';
         end $$",
    )
    .await;
    db.client.migrate().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 21).await.unwrap(), 42);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_partition_is_emptied_until_it_can_be_dropped() {
    let db = TestDb::new(1).await;
    db.run(
        "insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes, retries,
                                      max_crashes, created_at, drop_on)
         select 0, gen_random_uuid(), 'completed', 1, 1, 'old', '{}', 1, 0, 0, 0, 0, now(), min(day) from pgjobq.finished_days",
    )
    .await;
    let days = db.number("select count(*) from pgjobq.finished_days").await;
    let drop = |later: u32| {
        format!(
            "select pgjobq.drop_partition((min(day) + {later}) at time zone 'UTC') is true from pgjobq.finished_days"
        )
    };
    // A transaction that completed a job stays open.
    let mut open = db.pool.begin().await.unwrap();
    sqlx::query("lock table only pgjobq.finished in row exclusive mode").execute(&mut *open).await.unwrap();
    db.run(&drop(1)).await;
    assert_eq!(db.number("select count(*) from pgjobq.finished_days").await, days);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 0, "its rows are gone");
    for (later, says) in [(1, "lock timeout"), (2, "is over, but another transaction uses the table")] {
        // The session before may hold the lock of `drop_partition` for an instant after its answer.
        let refused = loop {
            if let Err(refused) = sqlx::query(sqlx::AssertSqlSafe(drop(later))).execute(&db.pool).await {
                break refused;
            }
        };
        assert!(refused.to_string().contains(says), "{refused}");
    }
    open.commit().await.unwrap();
    db.until(&drop(1)).await;
    assert_eq!(db.number("select count(*) from pgjobq.finished_days").await, days - 1);
    // Another session is dropping: the answer differs from "nothing to drop".
    let mut other = db.pool.begin().await.unwrap();
    let at_it = "select pg_advisory_xact_lock(hashtext('pgjobq.make_partitions'))";
    sqlx::query(at_it).execute(&mut *other).await.unwrap();
    assert_eq!(db.text("select pgjobq.drop_partition('infinity') is null").await, "true");
    other.commit().await.unwrap();
}
