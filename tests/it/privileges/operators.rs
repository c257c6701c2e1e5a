//! What observers and administrators can do, and what they cannot.

use std::time::Duration;

use pgjobq::filter::{all, kind, state};
use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, RequeueOutcome, SchemaRole, grants_sql};
use sqlx::AssertSqlSafe;

use crate::harness::TestDb;
use crate::lifecycle::{double, give_up};
use crate::probe::end_of;
use crate::schema::Role;

const HOUR: Duration = Duration::from_secs(3600);

#[job]
async fn operated_step(of: i64) -> Result<i64> {
    if of < 0 { Err(JobError::fatal("it is negative")) } else { Ok(of) }
}

/// A role that is a member of one of ours, and a client of it. PUBLIC may do nothing.
async fn member(db: &TestDb, of: SchemaRole) -> (Role<'_>, Client) {
    db.run("alter default privileges revoke execute on functions from public").await;
    db.client.migrate().await.unwrap();
    db.run(&grants_sql("pgjobq", of).unwrap()).await;
    let role = Role::new(db, "login").await;
    db.run(&format!("grant {of} to {}", role.name)).await;
    let client = Client::new(role.pool(3).await);
    (role, client)
}

/// Runs each statement, and expects that the role may not.
async fn check_refused(client: &Client, statements: &[&str]) {
    for statement in statements {
        let refused = sqlx::raw_sql(AssertSqlSafe((*statement).to_owned())).execute(client.pool()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("permission denied for "), "{statement}: {refused}");
    }
}

/// One job of each fate: dead, scheduled, completed; a workflow that failed; a pause.
async fn fill(db: &TestDb) -> (JobHandle<()>, JobHandle<i64>, WorkflowHandle) {
    let worker = db.worker().build().await.unwrap().start();
    double::call(&db.client, 1).await.unwrap();
    let dead = give_up::enqueue(&db.client).await.unwrap();
    assert!(matches!(end_of(&db.client, &dead).await, Outcome::Dead(_)));
    let mut flow = Workflow::new("operated");
    flow.add(operated_step::step(-1));
    let run = flow.enqueue(&db.client).await.unwrap();
    assert_eq!(run.wait(&db.client).await.unwrap(), WorkflowOutcome::Failed);
    worker.shutdown().await.unwrap();
    let later = double::job(2).delay(HOUR).enqueue(&db.client).await.unwrap();
    db.client.kind("nobody").pause().await.unwrap();
    (dead, later, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observer_reads_everything_and_changes_nothing() {
    let db = TestDb::empty().await;
    let (role, client) = member(&db, SchemaRole::Observer).await;
    let (dead, later, run) = fill(&db).await;
    client.check_schema().await.unwrap();
    let queues = client.queues().await.unwrap();
    assert_eq!(queues.iter().find(|queue| queue.queue == "default").unwrap().dead, 2);
    client.doctor().await.unwrap();
    assert!(client.queue("default").stats().await.unwrap().is_some());
    assert!(client.queue("default").settings().await.unwrap().is_some());
    client.queue("default").limits().await.unwrap();
    assert!(client.fleet_state(Duration::ZERO).await.unwrap().unwrap().is_new);
    assert_eq!(client.jobs(all()).count().await.unwrap().jobs, 4);
    assert_eq!(client.jobs(state(JobState::Dead)).preview().await.unwrap().samples.len(), 2);
    assert_eq!(client.dead_jobs().list(9).await.unwrap().len(), 2);
    let details = client.job(dead.id()).details().await.unwrap().unwrap();
    assert_eq!(details.errors.last().unwrap().message, "there is no such account");
    assert_eq!(client.job(later.id()).details().await.unwrap().unwrap().args, r#"{"number": 2}"#);
    assert_eq!(client.explain(later.id()).await.unwrap().reasons[0].code, "scheduled");
    assert_eq!(client.workflows(None, 9).await.unwrap()[0].id, run.id());
    assert!(run.graph(&client).await.unwrap().is_some());
    assert_eq!(client.pauses().await.unwrap().len(), 1);
    assert!(client.actions(9).await.unwrap().is_empty());
    for view in ["queue_overview", "workers_overview", "job_states", "limits_overview", "queue_settings"] {
        let read = format!("select count(*) from pgjobq.{view}");
        sqlx::query(AssertSqlSafe(read)).fetch_one(client.pool()).await.unwrap();
    }
    check_refused(
        &client,
        &[
            &format!("select pgjobq.cancel('{}')", later.id()),
            "select pgjobq.pause('kind', 'double')",
            "select pgjobq.resume('kind', 'nobody')",
            "select pgjobq.enqueue('double')",
            "select pgjobq.change_setting('default', 'limit', '7')",
            "select pgjobq.create_queue('mine')",
            "delete from pgjobq.jobs",
            "update pgjobq.jobs set priority = 0",
            "insert into pgjobq.jobs (shard) values (0)",
            "select nextval('pgjobq.ticket')",
            "delete from pgjobq.finished",
            "delete from pgjobq.fleet",
            "create table pgjobq.mine ()",
        ],
    )
    .await;
    assert!(client.job(dead.id()).requeue().await.is_err());
    assert!(client.jobs(all()).cancel().start().await.is_err());
    client.pool().close().await;
    role.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrator_acts_and_runs_no_job() {
    let db = TestDb::empty().await;
    let (role, client) = member(&db, SchemaRole::Administrator).await;
    let (dead, later, run) = fill(&db).await;
    assert_eq!(client.job(later.id()).cancel().by("ada").await.unwrap(), CancelOutcome::Cancelled);
    assert_eq!(client.job(dead.id()).requeue().await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(client.cancelled_jobs().requeue().await.unwrap(), 1);
    assert_eq!(client.jobs(kind("double")).set_priority(Priority::High).by("ada").await.unwrap().changed, 1);
    let cancelled = client.jobs(kind("double")).cancel().by("ada").because("so").await.unwrap();
    assert_eq!((cancelled.changed, cancelled.role.as_str()), (1, role.name.as_str()));
    assert_eq!(client.cancelled_jobs().purge().await.unwrap(), 1);
    assert_eq!(run.retry_failed(&client).await.unwrap(), 1);
    assert!(run.cancel(&client).await.unwrap());
    client.queue("attic").save().await.unwrap();
    let enqueued = client.kind("double").enqueue(r#"{"number": 3}"#).queue("attic").await.unwrap();
    assert!(enqueued.job.is_some());
    assert_eq!(client.queue("attic").purge().await.unwrap(), 1);
    client.queue("attic").pause().by("ada").await.unwrap();
    assert!(client.queue("attic").resume().await.unwrap());
    client.queue("attic").change().limit(3).by("ada").await.unwrap();
    assert!(client.queue("attic").delete().await.unwrap());
    check_refused(
        &client,
        &[
            "insert into pgjobq.leases (shard) values (0)",
            "insert into pgjobq.workers (shard, id) values (0, 7)",
            "delete from pgjobq.workers",
            "insert into pgjobq.pauses (scope, name, paused_by, role) values ('key', 'k', 'me', 'you')",
            "insert into pgjobq.cancels (shard, job, created_at, asked_by, role) \
             values (0, gen_random_uuid(), now(), 'me', 'you')",
            "update pgjobq.actions set role = 'you'",
            "update pgjobq.queues set overrides = '{}'",
            "update pgjobq.settings set shards = 7",
            "select pgjobq.register_worker(0::smallint, 7, 'mine')",
        ],
    )
    .await;
    let error = Worker::builder(&client).queue("default", 1).build().await.unwrap_err();
    assert!(error.to_string().contains("the database role may not do this"), "{error}");
    client.pool().close().await;
    role.drop().await;
}
