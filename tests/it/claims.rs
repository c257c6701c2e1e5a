//! Claims are bounded in bytes and in slots. A lane that is locked, slow or refused delays no other lane.

use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use pgjobq::{Client, Tx, Worker};
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions, Connection};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};
use crate::proxy::Proxy;

#[job(retries = 0)]
async fn measure_args(values: Box<serde_json::value::RawValue>) -> Result<usize> {
    Ok(values.get().len())
}

#[job(queue = "other", retries = 0)]
async fn pass_elsewhere() {}

#[job(retries = 0, timeout = "10s")]
async fn hold_place(tx: &mut Tx, for_ms: u64) -> Result<()> {
    sqlx::query("select 1").execute(&mut **tx).await?;
    tokio::time::sleep(Duration::from_millis(for_ms)).await;
    Ok(())
}

#[job(retries = 0)]
async fn end_at_once() {}

#[job(retries = 0)]
async fn stay_a_while() {
    tokio::time::sleep(Duration::from_millis(100 + fastrand::u64(..400))).await;
}

#[job(retries = 0)]
async fn occupy_slot(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

/// Inserts jobs whose arguments take few bytes on disk and `numbers` times 131,072 digits as text.
async fn insert_swelling(db: &TestDb, jobs: usize, numbers: usize) {
    db.run("alter table pgjobq.jobs drop constraint if exists args_fit").await;
    db.run(&format!(
        "insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, retries, max_crashes, kind, args)
         select 0, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, 1, 0, 3, 'measure_args',
                jsonb_build_object('values', (select jsonb_agg(1e131071) from generate_series(1, {numbers})))
           from pgjobq.queues q, generate_series(1, {jobs}) where q.name = 'default'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_too_large_to_print_is_buried_alone() {
    let db = TestDb::new(1).await;
    insert_swelling(&db, 1, 8200).await;
    insert_swelling(&db, 60, 4).await;
    let behind = end_at_once::enqueue(&db.client).await.unwrap();
    let other = pass_elsewhere::enqueue(&db.client).await.unwrap();
    let worker =
        db.worker().queue("other", 2).claim_timeout(Duration::from_secs(30)).build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &other).await, Outcome::Completed(()));
    let stands_before = "not exists (select from pgjobq.finished where outcome = 'dead')";
    assert_eq!(db.text(stands_before).await, "true", "the other queue did not wait for this one");
    assert_eq!(
        behind.wait_timeout(&db.client, Duration::from_secs(150)).await.unwrap(),
        Outcome::Completed(())
    );
    db.until("not exists (select from pgjobq.jobs)").await;
    let dead = "select errors->0->>'message' from pgjobq.finished where outcome = 'dead'";
    assert!(db.text(dead).await.starts_with("its arguments cannot be read: "), "{}", db.text(dead).await);
    assert_eq!(
        db.number(
            "select count(*) from pgjobq.finished where kind = 'measure_args' and outcome = 'completed'"
        )
        .await,
        60
    );
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_jobs_arrive_over_a_slow_link() {
    let db = TestDb::new(1).await;
    let proxy = Proxy::slow_to(&db.options, 1 << 20).await;
    let client = Client::new(PgPoolOptions::new().connect_lazy_with(proxy.options()));
    let args = serde_json::value::to_raw_value(&"x".repeat(400_000)).unwrap();
    db.client.enqueue_all((0..16).map(|_| measure_args::job(args.clone()))).await.unwrap();
    // To read all of them takes three times the claim timeout.
    let worker = Worker::builder(&client).queue("default", 20).claim_timeout(Duration::from_secs(2));
    let worker = worker.build().await.unwrap().start();
    tokio::time::timeout(Duration::from_secs(100), async {
        while db.number("select count(*) from pgjobq.jobs").await > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("every job arrives");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answer_of_a_claim_returns_its_jobs_at_once() {
    let db = TestDb::new(1).await;
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_lazy_with(proxy.options()));
    // Only the return of the lease makes them ready in time.
    let worker = Worker::builder(&client).queue("default", 20).claim_timeout(Duration::from_secs(60));
    let worker = worker
        .lease(Duration::from_secs(300))
        .heartbeat(Duration::from_secs(60))
        .build()
        .await
        .unwrap()
        .start();
    let registered = "exists (select from pgjobq.workers where idle <> '{}')";
    db.until(registered).await;
    let mut holder = db.options.connect().await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *lock).await.unwrap();
    let job = end_at_once::enqueue(&db.client).await.unwrap();
    db.until("exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%pgjobq.claim(%')").await;
    proxy.cut();
    lock.rollback().await.unwrap();
    // The server executes the claim, but its answer is lost.
    db.until("exists (select from pgjobq.leases)").await;
    let lost = Instant::now();
    proxy.mend();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    assert!(lost.elapsed() < Duration::from_secs(30), "{:?}", lost.elapsed());
    assert_eq!(db.number("select attempt + crashes + failures from pgjobq.finished").await, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactional_jobs_wait_for_places_outside_their_timeout() {
    let db = TestDb::new(1).await;
    let pool = PgPoolOptions::new().max_connections(4).connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool);
    db.client.enqueue_all((0..40).map(|_| hold_place::job(1500))).await.unwrap();
    let behind = end_at_once::enqueue(&db.client).await.unwrap();
    let worker = Worker::builder(&client).queue("default", 40).build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &behind).await, Outcome::Completed(()));
    let waiting = "select count(*) from pgjobq.job_states where kind = 'hold_place' and state = 'ready'";
    assert!(db.number(waiting).await >= 20, "no more were claimed than there are places");
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(
        db.number("select count(*) from pgjobq.finished where outcome = 'completed' and kind = 'hold_place'")
            .await,
        40
    );
    worker.shutdown().await.unwrap();
    client.close().await;
}

/// Returns the worker's transactions per second once they are fewer than `limit`. A worker in a busy loop never gets there.
/// The first windows also count the worker's start, late statistics, and the vacuuming of a new database.
async fn transactions_a_second(db: &TestDb, limit: i64) -> i64 {
    let count = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()";
    let mut lowest = i64::MAX;
    for _ in 0..6 {
        let (before, begun) = (db.number(count).await, Instant::now());
        tokio::time::sleep(Duration::from_secs(3)).await; // The window of the measurement.
        let made = db.number(count).await - before;
        lowest = lowest.min(made * 1000 / begun.elapsed().as_millis() as i64);
        if lowest < limit {
            break;
        }
    }
    lowest
}

/// Refuses claims of the queue `default`.
const REFUSE: &str = "create function refuse() returns trigger language plpgsql as $$ begin
        if new.queue_id = (select id from pgjobq.queues where name = 'default') then
            raise exception 'no';
        end if;
        return new;
    end $$;
    create trigger refuse before insert on pgjobq.leases for each row execute function refuse()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_or_blocked_worker_never_spins() {
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let worker = || Worker::builder(&db.client).queue("default", 2).queue("other", 2);
    let running = worker().build().await.unwrap().start();
    let idle = transactions_a_second(&db, 40).await;
    assert!(idle < 40, "idle: {idle}");

    // Every slot is occupied.
    let jobs: Vec<_> = (0..2).map(|_| occupy_slot::job(probe.number)).collect();
    db.client.enqueue_all(jobs).await.unwrap();
    probe.until(|probe| probe.running() == 2).await;
    db.client.enqueue_all((0..100).map(|_| end_at_once::job())).await.unwrap();
    let full = transactions_a_second(&db, 40).await;
    assert!(full < 40, "all slots are taken: {full}");

    // Every lane has jobs and is locked.
    let mut holder = db.options.connect().await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *lock).await.unwrap();
    db.client.enqueue_all((0..100).map(|_| pass_elsewhere::job())).await.unwrap();
    probe.gate.add_permits(2);
    probe.until(|probe| probe.running() == 0).await;
    let locked = transactions_a_second(&db, 60).await;
    assert!(locked < 60, "all lanes are locked: {locked}");
    lock.rollback().await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;

    // Claims of one queue fail; the other queue goes on.
    db.run(REFUSE).await;
    db.client.enqueue_all((0..10).map(|_| end_at_once::job())).await.unwrap();
    let refused = transactions_a_second(&db, 40).await;
    assert!(refused < 40, "claims are refused: {refused}");
    db.run("drop trigger refuse on pgjobq.leases").await;
    running.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_worker_sends_few_statements_whatever_the_shards() {
    let db = TestDb::new(64).await;
    let worker = db.worker().build().await.unwrap().start();
    // The worker polls five times per second, and each of its loops sends one statement for all shards.
    let idle = transactions_a_second(&db, 100).await;
    assert!(idle < 100, "{idle} a second");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_lane_delays_no_other() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    end_at_once::enqueue(&db.client).await.unwrap();
    let worker =
        Worker::builder(&db.client).queue("default", 2).queue("other", 2).build().await.unwrap().start();
    pass_elsewhere::call(&db.client).await.unwrap();
    let begun = Instant::now();
    for _ in 0..20 {
        pass_elsewhere::call(&db.client).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    worker.shutdown().await.unwrap();
}

/// Inserts ready jobs into the queue `default`, one row each: (priority, crashes, kind).
async fn insert_in_line(db: &TestDb, rows: &str) {
    db.run(&format!(
        "select pgjobq.register_worker(0::smallint, 7, 'by hand');
         insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, crashes, retries, max_crashes, kind, args)
         select 0, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, r.priority, r.crashes, 0, 9, r.kind, '{{}}'
           from pgjobq.queues q, {rows} r(priority, crashes, kind) where q.name = 'default'"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_counted_over_all_priorities_of_a_claim() {
    let db = TestDb::new(1).await;
    // No priority alone has more jobs than places, so that the cut counts over all priorities.
    let rows =
        "(select p, 0, kind from generate_series(0, 3) p, unnest('{scarce,scarce,plain}'::text[]) kind)";
    insert_in_line(&db, rows).await;
    let claimed = db
        .text(
            "select string_agg(c.kind, ',' order by c.kind)
               from pgjobq.queues q, pgjobq.claim(0::smallint, q.id, 7, 70, true, '{scarce,plain}', 100, '{0,0,0,0}',
                    null, null, 8388608, '{scarce}', 3) c
              where q.name = 'default'",
        )
        .await;
    assert_eq!(claimed, "plain,plain,scarce,scarce,scarce");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quarantine_claim_keeps_cursors_that_it_did_not_reach() {
    let db = TestDb::new(1).await;
    insert_in_line(&db, "(values (2, 1, 'plain'), (1, 1, 'plain'))").await;
    let claim = |lease: i32| {
        format!(
            "select c.scanned_to::text || cardinality(c.ids) from pgjobq.queues q, pgjobq.claim_quarantined(
                 0::smallint, q.id, 7, {lease}, '{{plain}}', 10, false, '{{70,1,0,90}}') c
              where q.name = 'default'"
        )
    };
    // The scan of the highest priority reached its end; the claim stops in the priority below.
    assert_eq!(db.text(&claim(71)).await, "{70,1,0,0}1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn args_that_are_not_read_hold_up_no_other_job() {
    let db = TestDb::new(1).await;
    // A damaged row, and one that needs too much memory. Both are quarantined, because a claim reads no args of quarantined jobs.
    db.run(
        "create or replace function pgjobq.read_args(p_shard smallint, p_id uuid, p_ticket bigint, out args text, out meta text)
         language plpgsql as $$ declare v_priority int; begin
             select j.args::text, j.priority into args, v_priority from pgjobq.jobs j where j.id = p_id;
             if v_priority = 3 then raise exception 'missing chunk' using errcode = 'XX001'; end if;
             if v_priority = 2 then raise exception 'out of memory' using errcode = '53200'; end if;
         end $$",
    )
    .await;
    let rows = "(select p, 1, 'end_at_once' from unnest('{3,2,2,2,1}'::int[]) p)";
    insert_in_line(&db, rows).await;
    let worker = db.worker().build().await.unwrap().start();
    let dead = "select errors->0->>'message' from pgjobq.finished where outcome = 'dead'";
    db.until(
        "(select array_agg(outcome::text order by outcome::text) from pgjobq.finished) = '{completed,dead}'",
    )
    .await;
    assert!(db.text(dead).await.starts_with("its arguments cannot be read: "), "{}", db.text(dead).await);
    db.until("(select count(*) = 3 from pgjobq.jobs where run_at > now() + interval '30 seconds')").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_claim_of_one_shard_leaves_slots_for_others() {
    let db = TestDb::new(2).await;
    db.run(
        "create function slow_down() returns trigger language plpgsql as $$ begin
             if new.shard = 0 then perform pg_sleep(25); end if;
             return new;
         end $$;
         create trigger slow_down before insert on pgjobq.leases for each row execute function slow_down();
         insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, retries, max_crashes, kind, args)
         select s, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, 1, 0, 3, 'end_at_once', '{}'
           from pgjobq.queues q, generate_series(0, 1) s, generate_series(1, 30) where q.name = 'default'",
    )
    .await;
    let worker = Worker::builder(&db.client).queue("default", 4).claim_timeout(Duration::from_secs(60));
    let worker = worker.build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs where shard = 1)").await;
    assert_eq!(
        db.number("select count(*) from pgjobq.jobs where shard = 0").await,
        30,
        "its claim has not been answered yet"
    );
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_must_run_alone_does_not_starve_behind_others() {
    let db = TestDb::new(1).await;
    // Further jobs become ready while the earlier ones still run.
    let others = "select 1, 1, 'stay_a_while' from generate_series(1, 400)";
    insert_in_line(&db, &format!("({others} union all select 1, 2, 'end_at_once')")).await;
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.finished where kind = 'end_at_once')").await;
    let after = "select count(*) from pgjobq.finished
                  where finished_at > (select finished_at from pgjobq.finished where kind = 'end_at_once')";
    let after = db.number(&format!("({after}) + (select count(*) from pgjobq.jobs)")).await;
    assert!(after > 100, "{after} of the others have ended after it, or still wait");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_quarantine_walk_reads_fewer_rows() {
    let db = TestDb::new(1).await;
    insert_in_line(&db, "(select p, 1, 'plain' from generate_series(0, 3) p, generate_series(1, 1000))")
        .await;
    let walked = |filter: &str| {
        format!(
            "select count(*) from pgjobq.queues q, pgjobq.jobs j, pgjobq.claim_quarantined(
                 0::smallint, q.id, 7, 71, '{{plain}}', 10, true, '{{0,0,0,0}}', false, {filter}) c
              where q.name = 'default' and cardinality(c.ids) is null and j.ticket <= c.scanned_to[j.priority + 1]"
        )
    };
    let filter = |path: &str, columns: bool| {
        format!(
            "jsonb_populate_record(null::pgjobq.job_filter, '{{\"path\": \"{path}\", \"needs_columns\": {columns}}}')"
        )
    };
    let by_attribute = db.number(&walked(&filter("exists($.a)", false))).await;
    let by_column = db.number(&walked(&filter("exists($kind ? (@ == 7))", true))).await;
    assert_eq!(by_attribute, 0, "a walk of all thousand rows begins anew");
    assert!((40..=1000).contains(&by_column), "{by_column}");
}
