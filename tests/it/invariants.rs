//! The invariants, each under its number in the design.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use pgjobq::FailureReason;
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, AssertSqlSafe, Row};
use pgjobq_core::worker_api::{
    Bounds, Claim, ClaimId, Decision, Ended, Hold, Lane, LeaseId, LeaseKey, LeaseUse, QuarantineClaim, Shard,
    Store, Ticket, WorkerId,
};
use std::time::Duration;
use tokio::sync::Semaphore;

use crate::harness::TestDb;

#[job(retries = 2, backoff = "5ms")]
async fn end_somehow(ctx: JobContext, way: u32) -> Result<u32> {
    match way % 5 {
        0 => Err(JobError::fatal("for good")),
        1 => Err("again and again".into()),
        2 if ctx.failures() == 0 => Err("once".into()),
        _ => Ok(way),
    }
}

#[job]
async fn stay() {}

/// Returns every row that a write about a job could change, each with the transaction that wrote it.
async fn all_rows(db: &TestDb) -> Vec<String> {
    let rows = "select 'jobs ' || xmin::text || j::text from pgjobq.jobs j
        union all select 'leases ' || xmin::text || l::text from pgjobq.leases l
        union all select 'failures ' || xmin::text || f::text from pgjobq.failures f
        union all select 'finished ' || xmin::text || f::text from pgjobq.finished f order by 1";
    sqlx::query_scalar(rows).fetch_all(&db.pool).await.unwrap()
}

fn every_decision() -> Vec<Decision> {
    let output = || serde_json::value::to_raw_value(&1).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let message = || "late".to_owned();
    vec![
        Decision::Complete { keep: Some(day), output: Some(output()) },
        Decision::Complete { keep: None, output: None },
        Decision::Retry { delay: Duration::ZERO, reason: FailureReason::Error, message: message() },
        Decision::Bury { reason: FailureReason::Fatal, message: message() },
        Decision::Snooze { delay: Duration::ZERO },
        Decision::Cancel { reason: None },
        Decision::Release,
        Decision::Return,
    ]
}

on_one_and_eight_shards!(invariant_02_stale_write_changes_nothing_and_wakes_nobody);
async fn invariant_02_stale_write_changes_nothing_and_wakes_nobody(db: TestDb) {
    let job = stay::enqueue(&db.client).await.unwrap();
    let store = Store::connect(&db.client, 3).await.unwrap();
    let shard = (job.id().as_uuid().as_u128() & 0x3ff) as i16 % store.shards().len() as i16;
    let lane = Lane { shard: Shard(shard), queue: db.client.save_queue("default").await.unwrap() };
    let kinds = ["stay".to_owned()];
    let claim = |worker, lease| Claim {
        id: ClaimId { lane, worker: WorkerId(worker), lease: LeaseId(lease) },
        wait: true,
        kinds: &kinds,
        want: 1,
        scan_hint: [Ticket(0); 4],
        found: None,
        bounds: Bounds::default(),
    };
    for worker in [1, 2] {
        store.register(WorkerId(worker), "test", std::time::Duration::from_secs(30), &[], &[]).await.unwrap();
    }
    let first = store.claim(claim(1, 11)).await.unwrap().jobs.pop().unwrap();
    let lease = |job: &pgjobq_core::worker_api::ClaimedJob, id| LeaseUse {
        key: LeaseKey { lane, priority: job.priority, max_ticket: job.ticket, id: LeaseId(id) },
        close: true,
    };
    let finish = async |worker, lease: LeaseUse, ticket, decision| {
        let hold = Hold { lease: lease.key, worker: WorkerId(worker), job: job.id(), ticket, address: None };
        store.finish(hold.worker, "test", &[lease], &[Ended { hold, decision }]).await.unwrap().stale
    };
    let listener = &mut sqlx::postgres::PgListener::connect_with(&db.pool).await.unwrap();
    let channel: String = sqlx::query_scalar("select pgjobq.channel()").fetch_one(&db.pool).await.unwrap();
    listener.listen(&channel).await.unwrap();
    db.run("insert into pgjobq.waiters select s, 1, now() + interval '1 hour' from generate_series(0, 7) s")
        .await;

    // The first worker is silent for longer than its lease, and is reaped.
    store.leave(WorkerId(1)).await.unwrap();
    assert_eq!(store.reap(&[Shard(shard)], &[]).await.unwrap().unwrap().requeued, 1);
    store.register(WorkerId(1), "test", std::time::Duration::from_secs(30), &[], &[]).await.unwrap();
    let waiting = all_rows(&db).await;
    for decision in every_decision() {
        assert_eq!(finish(1, lease(&first, 11), first.ticket, decision).await, [job.id()]);
    }
    assert_eq!(all_rows(&db).await, waiting, "while the job waits");

    // A second worker runs the job.
    let quarantined = QuarantineClaim {
        id: ClaimId { lane, worker: WorkerId(2), lease: LeaseId(12) },
        kinds: &kinds,
        want: 1,
        alone: true,
        lone_first: false,
        from: [Ticket(0); 4],
    };
    let second = store.claim_quarantined(quarantined).await.unwrap().jobs.pop().unwrap();
    let running = all_rows(&db).await;
    for decision in every_decision() {
        assert_eq!(finish(1, lease(&first, 11), first.ticket, decision).await, [job.id()]);
    }
    for decision in every_decision() {
        // A result with the new lease is stale as well if it names another worker or an old ticket.
        assert_eq!(finish(1, lease(&second, 12), second.ticket, decision).await, [job.id()]);
    }
    for decision in every_decision() {
        let open = LeaseUse { close: false, ..lease(&second, 12) };
        assert_eq!(finish(2, open, first.ticket, decision).await, [job.id()]);
    }
    assert_eq!(all_rows(&db).await, running, "while the job runs elsewhere");

    // The second worker completes it. A replay of that result changes nothing, either.
    let done = || every_decision().swap_remove(0);
    assert!(finish(2, lease(&second, 12), second.ticket, done()).await.is_empty());
    let ended = all_rows(&db).await;
    assert_eq!(finish(2, lease(&second, 12), second.ticket, done()).await, [job.id()]);
    assert_eq!(all_rows(&db).await, ended, "when the job has ended");

    // The first notification since then is this one.
    db.run("select pg_notify(pgjobq.channel(), 'end of the test')").await;
    assert_eq!(listener.recv().await.unwrap().payload(), "end of the test");
    store.close().await;
}

on_one_and_eight_shards!(invariant_09_no_job_is_missing_at_any_moment);
async fn invariant_09_no_job_is_missing_at_any_moment(db: TestDb) {
    let (attempted, acknowledged) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let producing = Arc::new(AtomicBool::new(true));
    // One batch per snapshot, so that the numbers match on a machine of any speed.
    let snapshots = Arc::new(Semaphore::new(0));
    let produced = tokio::spawn({
        let (client, attempted, acknowledged) =
            (db.client.clone(), Arc::clone(&attempted), Arc::clone(&acknowledged));
        let (producing, snapshots) = (Arc::clone(&producing), Arc::clone(&snapshots));
        async move {
            for batch in 0..30_u32 {
                snapshots.acquire().await.unwrap().forget();
                attempted.fetch_add(20, Ordering::SeqCst);
                client.enqueue_all((0..20).map(|way| end_somehow::job(batch + way))).await.unwrap();
                acknowledged.fetch_add(20, Ordering::SeqCst);
            }
            producing.store(false, Ordering::SeqCst);
        }
    });
    let workers = [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
    let there = "select (select count(*) from pgjobq.jobs) + (select count(*) from pgjobq.finished)";
    while producing.load(Ordering::SeqCst) || db.number("select count(*) from pgjobq.jobs").await > 0 {
        let at_least = acknowledged.load(Ordering::SeqCst);
        let there = db.number(there).await;
        let at_most = attempted.load(Ordering::SeqCst);
        assert!((at_least..=at_most).contains(&there), "{there} jobs, of {at_least} to {at_most}");
        snapshots.add_permits(1);
    }
    produced.await.unwrap();
    assert_eq!(db.number(there).await, 600);
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'dead'").await, 240);
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 360);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

/// Returns the number of pages that a claim of a hundred jobs touches.
async fn pages_of_a_claim(db: &TestDb, lease: i64, scan_hint: i64) -> i64 {
    let claim = format!(
        "explain (analyze, buffers, format json)
         select * from pgjobq.claim(0::smallint, 1, 1, {lease}, true, array['stay'], 100, '{{{scan_hint},{scan_hint},{scan_hint},{scan_hint}}}', null, null)"
    );
    let mut connection = db.pool.acquire().await.unwrap();
    let mut pages = i64::MAX;
    // The first claims also read the catalogs.
    for _ in 0..3 {
        sqlx::raw_sql("begin").execute(&mut *connection).await.unwrap();
        let row = sqlx::query(AssertSqlSafe(claim.clone())).fetch_one(&mut *connection).await.unwrap();
        sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
        let plan: serde_json::Value = row.get(0);
        // PostgreSQL 18 prints some of these numbers with decimals.
        let count = |name: &str| plan[0]["Plan"][name].as_f64().unwrap() as i64;
        assert_eq!(count("Actual Rows"), 101, "a hundred jobs and the summary");
        pages = pages.min(count("Shared Hit Blocks") + count("Shared Read Blocks"));
    }
    pages
}

#[tokio::test]
async fn invariant_11_claim_costs_the_same_however_many_jobs_wait() {
    let db = TestDb::new(1).await;
    let fill = |count: u32| {
        format!(
            "insert into pgjobq.jobs (id, created_at, ticket, queue_id, shard, priority, retries, max_crashes, kind, args)
             select gen_random_uuid(), now(), nextval('pgjobq.ticket'), 1, 0, 1, 20, 3, 'stay', '{{}}'
               from generate_series(1, {count})"
        )
    };
    db.run("select pgjobq.register_worker(0::smallint, 1, 'test')").await;
    db.run(&fill(100)).await;
    let short = pages_of_a_claim(&db, 1, 0).await;
    for (state, statement) in [
        ("analyzed when short", "analyze pgjobq.jobs"),
        ("grown", &fill(200_000)),
        ("analyzed", "analyze pgjobq.jobs"),
    ] {
        db.run(statement).await;
        let long = pages_of_a_claim(&db, 2, 0).await;
        assert!(long <= short + 110, "{state}: {long} pages, and {short} when the queue was short");
    }
    // All jobs end while a snapshot is open, so that no dead row can be removed.
    let mut open = db.pool.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select count(*) from pgjobq.jobs").fetch_one(&mut *open).await.unwrap();
    let scan_hint = db.number("select max(ticket) from pgjobq.jobs").await;
    db.run("delete from pgjobq.jobs").await;
    db.run(&fill(100)).await;
    let behind = pages_of_a_claim(&db, 3, scan_hint).await;
    assert!(
        behind <= short + 110,
        "{behind} pages behind 200,000 dead rows, and {short} when the queue was short"
    );
    open.rollback().await.unwrap();
}
