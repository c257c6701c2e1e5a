//! A database that changes while a worker runs: the worker repairs what it can, and reports the rest.

use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::Connection;

use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::probe::end_of;
use crate::schema::{Role, printed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recreated_queue_is_served_under_its_new_id() {
    in_time(async {
        let db = TestDb::new(1).await;
        let worker = db.worker().build().await.unwrap().start();
        assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
        db.run_beside_a_worker(
            "truncate pgjobq.queues, pgjobq.lanes, pgjobq.workers, pgjobq.jobs, pgjobq.leases, pgjobq.kinds;
             select pgjobq.create_queue('first'), pgjobq.create_queue('default')",
        )
        .await;
        assert_eq!(
            end_of(&db.client, &double::enqueue(&db.client, 2).await.unwrap()).await,
            Outcome::Completed(4)
        );
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_lanes_and_queues_are_recreated() {
    in_time(async {
        let db = TestDb::new(8).await;
        let worker = db.worker().build().await.unwrap().start();
        db.run("truncate pgjobq.lanes").await;
        let job = double::enqueue(&db.client, 2).await.unwrap();
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(4));
        db.run("truncate pgjobq.queues").await;
        db.until("exists (select from pgjobq.queues where name = 'default')").await;
        let job = double::enqueue(&db.client, 3).await.unwrap();
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(6));
        worker.shutdown().await.unwrap();
    })
    .await;
}

/// A worker that polls only every three minutes.
fn slow_to_look(db: &TestDb) -> pgjobq::WorkerBuilder {
    db.worker().heartbeat(Duration::from_secs(30)).lease(Duration::from_secs(120))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_queue_is_reported_at_once() {
    in_time(async {
        let db = TestDb::new(1).await;
        let worker = slow_to_look(&db).build().await.unwrap().start();
        assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
        let deleted = std::time::Instant::now();
        db.client.queue("default").delete().await.unwrap();
        while worker.health().problems.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(deleted.elapsed() < Duration::from_secs(60), "{:?}", deleted.elapsed());
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_lane_is_recreated_at_once() {
    in_time(async {
        let db = TestDb::new(1).await;
        let worker = slow_to_look(&db).build().await.unwrap().start();
        assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
        let truncated = std::time::Instant::now();
        db.run("truncate pgjobq.lanes").await;
        assert_eq!(double::call(&db.client, 2).await.unwrap(), 4);
        assert!(truncated.elapsed() < Duration::from_secs(60), "{:?}", truncated.elapsed());
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_without_a_worker_are_reported() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.client.queue("gone").save().await.unwrap();
        let worker = db.worker().queue("gone", 1).build().await.unwrap().start();
        db.run("select pgjobq.enqueue('forgotten'); update pgjobq.jobs set created_at = now() - interval '1 hour'").await;
        db.client.queue("gone").delete().await.unwrap();
        let problems = loop {
            let problems = worker.health().problems;
            if problems.len() == 2 {
                break problems;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(problems[0].starts_with("the queue `gone` was deleted"), "{problems:?}");
        assert!(problems[1].starts_with("jobs of the kind `forgotten` wait in the queue `default`"), "{problems:?}");
        db.run("delete from pgjobq.queues where name = 'gone'").await; // A worker would do so at the end.
        db.run("delete from pgjobq.jobs").await;
        while worker.health().problems.len() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(db.number("select count(*) from pgjobq.queues where name = 'gone'").await, 0);
        db.client.queue("gone").save().await.unwrap();
        while !worker.health().problems.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lease_of_two_jobs_with_one_ticket_covers_no_other() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.run(
            "select pgjobq.register_worker(0::smallint, 1, 'one');
             select pgjobq.create_queue('default');
             insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, retries, max_crashes, created_at, ticket)
             select 0, pgjobq.new_id(), q.id, 1, j.kind, '{}', 1, 1, now(), j.ticket
               from pgjobq.queues q, (values ('mine', 3), ('mine', 3), ('other', 4), ('mine', 5)) j(kind, ticket)
              where q.name = 'default';
             select setval('pgjobq.ticket', 10)",
        )
        .await;
        let claim = "(select count(id) from pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 1, 1,
                          true, '{mine}', 10, '{0,0,0,0}', null, null, p_bytes => $bytes))";
        for bytes in ["1000000", "10"] {
            let claimed = claim.replace("$bytes", bytes);
            assert!(db.number(&claimed).await > 0);
            let covered = db.text("(select tickets from pgjobq.leases)::text").await;
            assert!(covered.starts_with("{[3,4)") && !covered.contains("[3,6)"), "{covered}");
            db.run("delete from pgjobq.leases").await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequence_that_was_set_back_is_repaired() {
    in_time(async {
        let db = TestDb::new(8).await;
        let drawn = async || db.number("select last_value from pgjobq.ticket").await;
        for n in 0..50 {
            double::enqueue(&db.client, n).await.unwrap();
        }
        // One lease over all jobs, and a job whose ticket the sequence has not reached.
        db.run(
            "select pgjobq.register_worker(0::smallint, 1, 'old');
             insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, tickets)
             select 0, id, 1, 5000, 1, 1, '{[1,5001)}' from pgjobq.queues where name = 'default'",
        )
        .await;
        let highest = drawn().await;
        db.client.migrate().await.unwrap();
        assert!(drawn().await > 5000, "a lease covers tickets beyond those of jobs");
        db.run("delete from pgjobq.leases").await;
        db.run("update pgjobq.jobs set ticket = 9223372036854775806 where ticket = (select min(ticket) from pgjobq.jobs)").await;

        let as_it_was = drawn().await;
        db.client.migrate().await.unwrap();
        assert_eq!(drawn().await, as_it_was, "nothing is repaired that is well");
        db.run("select setval('pgjobq.ticket', 3)").await;
        let worker = db.worker().build().await.unwrap();
        assert!((highest..i64::MAX / 2).contains(&drawn().await));
        db.run("select setval('pgjobq.ticket', 3)").await;
        db.client.migrate().await.unwrap();
        assert!((highest..i64::MAX / 2).contains(&drawn().await));
        let worker = worker.start();
        db.until("not exists (select from pgjobq.jobs where ticket < 9223372036854775806)").await;
        assert_eq!(
            db.number("select count(*) from pgjobq.finished where attempt = 1 and crashes = 0").await,
            50
        );
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_worker_repairs_a_sequence_that_was_set_back() {
    in_time(async {
        let db = TestDb::new(1).await;
        let worker = db.worker().build().await.unwrap().start();
        db.run(
            "select pgjobq.enqueue('forgotten') from generate_series(1, 50);
             update pgjobq.jobs set created_at = now() - interval '1 hour'",
        )
        .await;
        while worker.health().problems.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await; // It has not noticed yet.
        }
        db.run("select setval('pgjobq.ticket', 3)").await;
        db.until("(select last_value from pgjobq.ticket) > 50").await;
        // As after a failover to a replica that does not know this worker.
        db.run("select setval('pgjobq.ticket', 3); delete from pgjobq.workers").await;
        db.until("(select last_value from pgjobq.ticket) > 50").await;
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queue_that_an_open_transaction_creates_is_not_waited_for() {
    in_time(async {
        let db = TestDb::new(1).await;
        let mut caller = sqlx::PgConnection::connect_with(&db.options).await.unwrap();
        let mut open = caller.begin().await.unwrap();
        sqlx::query("select pgjobq.create_queue('attic')").execute(&mut *open).await.unwrap();
        db.client.migrate().await.unwrap();
        open.rollback().await.unwrap();
        db.run(
            "delete from pgjobq.lanes where queue_id = (select id from pgjobq.queues where name = 'shelf');
             delete from pgjobq.queues where name = 'shelf'",
        )
        .await;
        let mut open = caller.begin().await.unwrap();
        sqlx::query("select pgjobq.create_queue('shelf')").execute(&mut *open).await.unwrap();
        let began = std::time::Instant::now();
        let error = db.worker().queue("shelf", 1).build().await.unwrap_err().to_string();
        assert!(
            error.contains(
                "the queue 'shelf' is being created or changed by a transaction that is still open"
            ),
            "{error}"
        );
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        open.commit().await.unwrap();
        let worker = db.worker().queue("shelf", 1).build().await.unwrap().start();
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_security_is_reported_and_hides_nothing() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.run(&printed("pgjobq", true)).await;
        let role = Role::new(&db, "login").await;
        db.run(&format!("grant pgjobq_worker to {}", role.name)).await;
        let client = Client::new(role.pool(2).await);
        let worker = Worker::builder(&client).queue("default", 5).heartbeat(Duration::from_millis(200));
        let worker = worker.poll_interval(Duration::from_millis(200)).build().await.unwrap().start();
        db.run("alter table pgjobq.jobs enable row level security").await;
        let job = double::enqueue(&db.client, 2).await.unwrap();
        let said = "row-level security applies to a table of pgjobq's";
        while !worker.health().problems.iter().any(|problem| problem.contains(said)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        db.run("alter table pgjobq.jobs disable row level security").await;
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(4));
        worker.shutdown().await.unwrap();
        client.pool().close().await;
        role.drop().await;
    })
    .await;
}
