//! Callers' transactions and ours never wait for each other, even if a caller's stays open for long.

use std::time::Duration;

use pgjobq::FailureReason;
use pgjobq::prelude::*;
use pgjobq_core::worker_api::{
    Bounds, Claim, ClaimId, Decision, Ended, Hold, Lane, LeaseId, LeaseKey, LeaseUse, QuarantineClaim, Store,
    Ticket, WorkerId, serde_json,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::gate::{Gate, result};
use crate::harness::TestDb;
use crate::lifecycle::{double, fail_twice};

/// A time far longer than a statement takes, and shorter than its `lock_timeout`.
const AT_ONCE: Duration = Duration::from_secs(9);

/// Does in one transaction all that a caller may: enqueues one job, many, delayed ones, some under a savepoint; cancels one.
async fn enqueue_all_sorts(connection: &mut PgConnection) -> Vec<JobId> {
    let one = double::enqueue(&mut *connection, 1).await.unwrap();
    let later = double::job(2).delay(Duration::from_millis(1)).enqueue(&mut *connection).await.unwrap();
    let many: Vec<_> = (0..40).map(double::job).collect();
    let mut ids: Vec<_> = many.iter().map(NewJob::job_id).chain([one.id(), later.id()]).collect();
    pgjobq::enqueue_all(&mut *connection, many).await.unwrap();
    let mut part = connection.begin().await.unwrap();
    ids.push(double::enqueue(&mut *part, 3).await.unwrap().id());
    part.commit().await.unwrap();
    let cancel = sqlx::query("select pgjobq.cancel($1)").bind(later.id().as_uuid());
    cancel.execute(&mut *connection).await.unwrap();
    ids
}

on_one_and_eight_shards!(invariant_13_workers_work_while_a_callers_transaction_is_open);
async fn invariant_13_workers_work_while_a_callers_transaction_is_open(db: TestDb) {
    let mut caller = PgConnection::connect_with(&db.options).await.unwrap();
    let mut tx = caller.begin().await.unwrap();
    let theirs = enqueue_all_sorts(&mut tx).await;

    // The worker claims and finishes jobs, promotes retries, and reaps the jobs of a dead worker.
    let orphan = Gate::new();
    orphan.open();
    let lost = orphan.job().enqueue(&db.client).await.unwrap();
    leave_a_lease(&db, "stand").await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 21).await.unwrap(), 42);
    assert_eq!(fail_twice::call(&db.client).await.unwrap(), 3);
    assert_eq!(result(&db, &lost).await, 2);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 3, "none of theirs has run");

    tx.commit().await.unwrap();
    for job in theirs {
        let _ = double::handle(job).wait(&db.client).await.unwrap();
    }
    worker.shutdown().await.unwrap();
}

/// The worker of these tests.
const US: WorkerId = WorkerId(1);

/// Claims all jobs of a kind, and leaves their lease behind.
async fn leave_a_lease(db: &TestDb, kind: &'static str) {
    let store = Store::connect(&db.client, 1).await.unwrap();
    store.register(US, "gone", AT_ONCE, &[], &[]).await.unwrap();
    let queue = store.check_queues(&["default"]).await.unwrap()[0].id.unwrap();
    for (lease, shard) in (1..).map(LeaseId).zip(store.shards()) {
        let claim = Claim {
            id: ClaimId { lane: Lane { shard, queue }, worker: US, lease },
            wait: true,
            kinds: &[kind.to_owned()],
            want: 9,
            scan_hint: [Ticket(0); 4],
            found: None,
            bounds: Bounds::default(),
        };
        store.claim(claim).await.unwrap();
    }
    store.leave(US).await.unwrap();
    store.close().await;
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 1);
}

on_one_and_eight_shards!(invariant_13_our_statements_never_wait_for_callers_transactions);
async fn invariant_13_our_statements_never_wait_for_callers_transactions(db: TestDb) {
    let store = Store::connect(&db.client, 2).await.unwrap();
    let queue = store.check_queues(&["default"]).await.unwrap()[0].id.unwrap();
    let gate = Gate::new();
    for _ in 0..80 {
        gate.job().enqueue(&db.client).await.unwrap();
    }
    let mut callers = Vec::new();
    for level in ["read committed", "repeatable read", "serializable"] {
        let begin = AssertSqlSafe(format!("begin isolation level {level}"));
        let mut caller = db.pool.begin_with(begin).await.unwrap();
        enqueue_all_sorts(&mut caller).await;
        callers.push(caller);
    }

    at_once("register", store.register(US, "ours", AT_ONCE, &[], &[])).await;
    for shard in store.shards() {
        let lane = Lane { shard, queue };
        let kinds = ["stand", "double"].map(str::to_owned);
        let claim = |lease, want| Claim {
            id: ClaimId { lane, worker: US, lease: LeaseId(lease) },
            wait: true,
            kinds: &kinds,
            want,
            scan_hint: [Ticket(0); 4],
            found: None,
            bounds: Bounds::default(),
        };
        let claimed = at_once("claim", store.claim(claim(10, 4))).await;
        let max_ticket = claimed.jobs.iter().map(|job| job.ticket).max();
        if let Some(max_ticket) = max_ticket {
            let key = LeaseKey { lane, priority: 1, max_ticket, id: LeaseId(10) };
            let leases = [LeaseUse { key, close: true }];
            let ends = |(n, job): (usize, &pgjobq_core::worker_api::ClaimedJob)| Ended {
                hold: Hold { lease: key, worker: US, job: job.id, ticket: job.ticket, address: job.address },
                decision: decision(n),
            };
            let ended: Vec<_> = claimed.jobs.iter().enumerate().map(ends).collect();
            let finished = at_once("finish", store.finish(US, "ours", &leases, &ended)).await;
            assert!(finished.stale.is_empty());
            let open = db
                .number(&format!("select count(*) from pgjobq.leases where id = 10 and shard = {}", shard.0))
                .await;
            assert_eq!(open, 0, "the lease is closed");
        }
        at_once("promote", store.promote(shard, 0, 100)).await;
        let given_back = at_once("claim", store.claim(claim(11, 1))).await;
        if let [job] = &*given_back.jobs {
            let key = LeaseKey { lane, priority: 1, max_ticket: job.ticket, id: LeaseId(11) };
            assert_eq!(at_once("return_lease", store.return_lease(US, key)).await.jobs, 1);
        }
        at_once("claim", store.claim(claim(12, 2))).await;
        let quarantined = QuarantineClaim {
            id: ClaimId { lane, worker: US, lease: LeaseId(13) },
            kinds: &["stand".to_owned()],
            want: 9,
            alone: true,
            lone_first: false,
            from: [Ticket(0); 4],
        };
        at_once("claim_quarantined", store.claim_quarantined(quarantined)).await;
        at_once("return_claim", store.return_claim(ClaimId { lane, worker: US, lease: LeaseId(13) })).await;
    }
    at_once("heartbeat", store.heartbeat(US)).await;
    at_once("set_idle", store.set_idle(US, &[queue])).await;
    at_once("leave", store.leave(US)).await;
    while at_once("reap", store.reap(&store.shards(), &[])).await.is_some() {}
    for worker in at_once("list_workers", store.list_workers()).await {
        at_once("give_up_workers", store.give_up_workers(worker.shard, &[(worker.id, worker.beats)])).await;
    }
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0);
    for shard in store.shards() {
        at_once("act_on_cancels", store.act_on_cancels(shard, None, 100)).await;
        at_once("tidy_failures", store.tidy_failures(shard, Uuid::nil(), 100)).await;
        at_once("expire", store.expire(shard, (0, Uuid::nil()), 100)).await;
    }
    at_once("note_rates", store.note_rates(&[(queue, 1, 1)])).await;
    at_once("drop_partition", store.drop_partition()).await;
    at_once("tidy_hints", store.tidy_hints(100)).await;
    at_once("tidy_rest", store.tidy_rest(9)).await;
    at_once("deleted_queues", store.deleted_queues()).await;
    at_once("stray_queues", store.stray_queues()).await;
    at_once("stats", db.client.queue("default").stats()).await;
    assert!(!at_once("dead", db.client.dead_jobs().list(9)).await.is_empty());
    assert!(at_once("requeue", db.client.dead_jobs().requeue()).await > 0);
    assert!(at_once("purge", db.client.queue("default").purge()).await > 0);
    assert!(at_once("purge", db.client.cancelled_jobs().purge()).await > 0);
    assert!(at_once("delete", db.client.queue("default").delete()).await);
    db.client.queue("default").save().await.unwrap();
    tokio::time::timeout(AT_ONCE, db.client.queue("new").save()).await.expect("save").unwrap();
    tokio::time::timeout(AT_ONCE, db.client.migrate()).await.expect("migrate").unwrap();
    tokio::time::timeout(AT_ONCE, double::enqueue(&db.client, 1)).await.expect("enqueue").unwrap();
}

fn decision(n: usize) -> Decision {
    let (delay, keep, message) = (Duration::ZERO, AT_ONCE, String::new());
    match n {
        0 => Decision::Complete {
            keep: Some(keep),
            output: Some(serde_json::value::RawValue::from_string("1".into()).unwrap()),
        },
        1 => Decision::Retry { delay, reason: FailureReason::Error, message },
        2 => Decision::Bury { reason: FailureReason::Fatal, message },
        _ => Decision::Release,
    }
}

async fn at_once<T>(
    what: &str,
    call: impl Future<Output = std::result::Result<T, pgjobq::DatabaseError>>,
) -> T {
    let answered = tokio::time::timeout(AT_ONCE, call).await;
    answered.unwrap_or_else(|_| panic!("{what} waits")).unwrap_or_else(|error| panic!("{what}: {error:?}"))
}

on_one_and_eight_shards!(invariant_13_no_callers_transaction_waits_for_one_of_ours);
async fn invariant_13_no_callers_transaction_waits_for_one_of_ours(db: TestDb) {
    // Every writing statement of ours, each on jobs made for it, in a transaction that stays open.
    let ours = [
        "select pgjobq.register_worker(s, 2, 'other') from pg_temp.shards s",
        "select pgjobq.heartbeat(s, 1) from pg_temp.shards s",
        "select pgjobq.set_idle(s, 1, array[1, 2]) from pg_temp.shards s",
        "select pgjobq.claim(s, q.id, 1, 8, true, array['stand'], 3, array[0, 0, 0, 0], null, null)
           from pg_temp.shards s, pgjobq.queues q",
        "select pgjobq.finish(l.shard, 1, 'ours', array[l.queue_id], array[l.priority], array[l.max_ticket], array[l.id],
                              array[true], array_agg(1), array_agg(j.id order by j.id), array_agg(j.ticket order by j.id),
                              array_agg('bury'::text), array_agg(null::bigint), array_agg(1000000::bigint),
                              array_agg(null::text), array_agg('fatal'::text), array_agg('so'::text))
           from pgjobq.leases l join pgjobq.jobs j on j.shard = l.shard and l.tickets @> j.ticket
          group by l.shard, l.queue_id, l.priority, l.max_ticket",
        "select pgjobq.return_lease(shard, worker, queue_id, priority, max_ticket, id) from pgjobq.leases",
        "select pgjobq.return_claim(shard, queue_id, worker, id) from pgjobq.leases",
        "select pgjobq.leave(s, 1) from pg_temp.shards s",
        "select pgjobq.give_up_workers(s, array[1], array[0]) from pg_temp.shards s",
        "select pgjobq.give_up_workers(s, array[1], array[0]), pgjobq.reap(s, '{}') from pg_temp.shards s",
        "select pgjobq.promote(s, 10) from pg_temp.shards s",
        "select pgjobq.create_queue('default'), pgjobq.create_queue('another')",
        r#"select pgjobq.record_kinds('[{"kind": "double", "queue": "default", "priority": 2, "retries": 1, "max_crashes": 1, "redact": []}]')"#,
        "select pgjobq.make_partitions(60)",
        "select pgjobq.act_on_cancels(s, null, '00000000-0000-0000-0000-000000000000', 10) from pg_temp.shards s",
        "select pgjobq.expire(s, '-infinity', '00000000-0000-0000-0000-000000000000', 10) from pg_temp.shards s",
        "select pgjobq.purge_queue(s, q.id, 1::smallint, 0, 10, null) from pg_temp.shards s, pgjobq.queues q",
        "select pgjobq.requeue_jobs(shard, array[id], null, null, null, null, null) from pgjobq.finished",
        "select pgjobq.purge_ended(shard, array[id]) from pgjobq.finished",
        "select pgjobq.say_progress(l.shard, 1, l.queue_id, l.priority, l.max_ticket, l.id, j.id, j.ticket, 1::smallint, 'so'),
                pgjobq.complete_in(l.shard, 1, l.queue_id, l.priority, l.max_ticket, l.id, j.id, j.ticket, 1000000, '1')
           from pgjobq.leases l join pgjobq.jobs j on j.shard = l.shard and l.tickets @> j.ticket",
        "select pgjobq.note_rates(s, array[1], array[1], array[1]) from pg_temp.shards s",
        "select pgjobq.delete_queue('default')",
        "select pgjobq.save_queue('default', 1000000, null, null, null)",
    ];
    let gate = Gate::new();
    for _ in 0..40 {
        gate.job().enqueue(&db.client).await.unwrap();
        gate.job().delay(Duration::from_millis(1)).enqueue(&db.client).await.unwrap();
    }
    gate.job().expires_in(Duration::from_millis(1)).enqueue(&db.client).await.unwrap();
    let cancelled = gate.job().enqueue(&db.client).await.unwrap();
    cancelled.cancel(&db.client).await.unwrap();
    let asked = "select pgjobq.ask_to_cancel(shard, array[id], null, null) from pgjobq.jobs order by ticket desc limit 3";
    db.run(asked).await;
    let mut us = PgConnection::connect_with(&db.options).await.unwrap();
    let stage = "create temp table shards as select s::smallint from pgjobq.settings, generate_series(0, shards - 1) s;
        select pgjobq.register_worker(s, 1, 'ours') from pg_temp.shards s;
        select pgjobq.claim(s, q.id, 1, 7, true, array['stand'], 3, array[0, 0, 0, 0], null, null)
          from pg_temp.shards s, pgjobq.queues q";
    sqlx::raw_sql(stage).execute(&mut us).await.unwrap();
    let mut caller = PgConnection::connect_with(&db.options).await.unwrap();
    sqlx::raw_sql("set lock_timeout = '30s'").execute(&mut caller).await.unwrap();
    for statement in ours {
        let mut open = us.begin().await.unwrap();
        sqlx::query(statement)
            .execute(&mut *open)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
        let mut tx = caller.begin().await.unwrap();
        enqueue_all_sorts(&mut tx).await; // It would fail if it had to wait.
        tx.commit().await.unwrap();
        open.rollback().await.unwrap();
    }
}
