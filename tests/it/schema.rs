//! The schema: created by several programs at once, under any name, by hand, and for roles with few privileges.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::sqlx::{self, PgPool};
use pgjobq::{CancelOutcome, RequeueOutcome};

use crate::error_text::{check_says, whole};
use crate::harness::TestDb;
use crate::probe::end_of;

#[job]
async fn greet(name: String) -> Result<String> {
    Ok(format!("hello {name}"))
}

/// Reports its progress, and completes in its own transaction.
#[job]
async fn count(ctx: JobContext, tx: &mut Tx) -> Result<i64> {
    ctx.progress(50, "counting");
    Ok(sqlx::query_scalar("select count(*) from pgjobq.finished").fetch_one(&mut **tx).await?)
}

/// Checks the start of an error's text. The rest comes from PostgreSQL and differs between its versions.
#[track_caller]
fn check_first_line(error: &dyn Error, expected: &str) {
    assert_eq!(whole(error).lines().next().unwrap(), expected);
}

/// The error of a program that did not migrate.
const NOT_MIGRATED: &str = "the schema `pgjobq` lacks what this version of pgjobq needs: run `client.migrate().await?` once at start-up";

#[tokio::test]
async fn eight_programs_migrate_at_once() {
    let db = TestDb::empty().await;
    let mut migrations = Vec::new();
    for _ in 0..8 {
        let options = db.options.clone();
        migrations.push(tokio::spawn(async move {
            // With a pool of one connection, a migration that needed two would time out.
            let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
            Client::new(pool).migrate().await
        }));
    }
    for migrated in migrations {
        migrated.await.unwrap().unwrap();
    }
    assert_eq!(db.number("select count(*) - max(version) from pgjobq.migrations").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.settings").await, 1);
    assert_eq!(db.number("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())").await, 0);
    db.client.migrate().await.unwrap();
}

#[tokio::test]
async fn two_schemas_live_side_by_side() {
    let db = TestDb::empty().await;
    let client = |schema: &str| Client::builder(db.pool.clone()).schema(schema).build().unwrap();
    let (first, second) = (client("jobs_a"), client("jobs_b"));
    first.migrate().await.unwrap();
    second.migrate().await.unwrap();
    assert_eq!(db.number("select count(*) from pg_namespace where nspname = 'pgjobq'").await, 0);
    let job = greet::enqueue(&first, "Ada".to_owned()).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let within = greet::enqueue(second.within(&mut tx), "Grace".to_owned()).await.unwrap();
    tx.commit().await.unwrap();
    let only_second = Worker::builder(&second).queue("default", 5).build().await.unwrap().start();
    assert_eq!(end_of(&second, &within).await, Outcome::Completed("hello Grace".to_owned()));
    assert_eq!(
        db.number("select count(*) from jobs_a.jobs").await,
        1,
        "another schema's worker leaves it alone"
    );
    let only_first = Worker::builder(&first).queue("default", 5).build().await.unwrap().start();
    assert_eq!(end_of(&first, &job).await, Outcome::Completed("hello Ada".to_owned()));
    only_first.shutdown().await.unwrap();
    only_second.shutdown().await.unwrap();
    // A bare connection means the schema `pgjobq`.
    let error = greet::enqueue(&db.pool, "nobody".to_owned()).await.unwrap_err();
    check_first_line(&error, NOT_MIGRATED);
}

#[tokio::test]
async fn names_that_no_schema_of_ours_can_have() {
    let db = TestDb::empty().await;
    for name in ["", "pg_jobs", "a.b", "a\"b", "a'b", "a%b", "a$b", "a b", "a\0b", &"a".repeat(64)] {
        check_says(
            Client::builder(db.pool.clone()).schema(name).build(),
            &format!(
                "a schema's name is 1 to 63 bytes of letters, digits, `_` and `-`, and does not start with `pg_`, but this one is {name:?}"
            ),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_may_have_any_name_once_it_is_quoted() {
    let db = TestDb::empty().await;
    for name in ["order", "User", "2nd-Étage", &"a".repeat(63)] {
        let client = Client::builder(db.pool.clone()).schema(name).build().unwrap();
        client.migrate().await.unwrap();
        client.migrate().await.unwrap();
        db.run(&printed(name, true)).await;
        let worker = Worker::builder(&client).queue("default", 5).poll_interval(Duration::from_secs(60));
        let worker = worker.build().await.unwrap().start();
        assert_eq!(greet::call(&client, "Ada".to_owned()).await.unwrap(), "hello Ada");
        let later = greet::job("Grace".to_owned()).delay(Duration::from_secs(3600));
        let later = later.enqueue(&client).await.unwrap();
        assert_eq!(later.cancel(&client).await.unwrap(), CancelOutcome::Cancelled);
        assert_eq!(client.cancelled_jobs().list(9).await.unwrap().len(), 1);
        assert!(client.queue("default").stats().await.unwrap().is_some());
        worker.shutdown().await.unwrap();
        client.close().await;
    }
    assert_eq!(db.number("select count(*) from pg_namespace where nspname in ('order', 'User')").await, 2);
}

#[tokio::test]
async fn unmigrated_database_is_reported() {
    let db = TestDb::empty().await;
    check_first_line(&greet::enqueue(&db.client, String::new()).await.unwrap_err(), NOT_MIGRATED);
    check_first_line(&greet::handle(JobId::new()).status(&db.client).await.unwrap_err(), NOT_MIGRATED);
    let error = greet::handle(JobId::new()).wait(&db.client).await.unwrap_err();
    assert!(whole(&error).contains(NOT_MIGRATED), "{}", whole(&error));
    let error = db.worker().build().await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("the worker cannot start: {NOT_MIGRATED}: ")), "{error}");
}

#[tokio::test]
async fn newer_schema_is_rejected_and_left_alone() {
    let db = TestDb::new(1).await;
    db.run("update pgjobq.settings set program = 9001000, oldest_program = 9000000, digest = 0").await;
    let said = format!(
        "the schema `pgjobq` was installed by pgjobq 9.1.0 and admits pgjobq 9.0.0 and newer; this program has {}: deploy a \
         newer build",
        env!("CARGO_PKG_VERSION")
    );
    let fresh = Client::new(db.pool.clone());
    check_says(fresh.migrate().await, &said);
    let error = Worker::builder(&fresh).queue("default", 1).build().await.unwrap_err();
    assert_eq!(error.to_string(), format!("the worker cannot start: {said}"));
    // Every kind of enqueue on a running client fails as well.
    check_says(greet::enqueue(&db.client, "N".to_owned()).await, &said);
    check_says(greet::enqueue(&db.pool, "N".to_owned()).await, &said);
    let all = db.client.enqueue_all(vec![greet::job("N".to_owned())]).await.unwrap_err();
    assert!(whole(&all).contains(&said), "{}", whole(&all));
    // All callers whose jobs share one statement receive the error.
    let jobs = (0..5).map(|_| greet::enqueue(&db.client, "N".to_owned()));
    for error in futures_util::future::join_all(jobs).await {
        check_says(error, &said);
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    // SQL calls the installed functions, which always match the schema.
    db.run("select pgjobq.enqueue('greet', '{\"name\": \"SQL\"}'); delete from pgjobq.jobs").await;
    // A newer schema that admits this program is accepted.
    db.run("update pgjobq.settings set oldest_program = 1000").await;
    fresh.migrate().await.unwrap();
    let worker = Worker::builder(&fresh).queue("default", 1).build().await.unwrap().start();
    assert_eq!(greet::call(&fresh, "N".to_owned()).await.unwrap(), "hello N");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn unreachable_database_is_reported() {
    let error = Client::connect("postgres:///app?host=/nowhere/at/all").await.unwrap_err();
    assert_eq!(
        whole(&error),
        "the database at /nowhere/at/all could not be reached: No such file or directory (os error 2)"
    );
    let refused = Client::connect("postgres://127.0.0.1:1/app").await.unwrap_err();
    check_first_line(
        &refused,
        "the database at 127.0.0.1:1 could not be reached: Connection refused (os error 111)",
    );
    let lazy = PgPoolOptions::new().acquire_timeout(Duration::from_millis(50));
    let pool = lazy.connect_lazy("postgres://127.0.0.1:1/app").unwrap();
    let error = Worker::builder(&Client::new(pool)).queue("default", 1).build().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the worker cannot start: the database at 127.0.0.1:1 could not be reached: Connection refused (os error 111)"
    );
}

#[tokio::test]
async fn too_few_connections_are_reported() {
    let db = TestDb::new(1).await;
    let role = Role::new(&db, "login connection limit 3").await;
    db.run(&printed("pgjobq", true)).await;
    db.run(&format!("grant pgjobq_worker to {}", role.name)).await;
    let client = Client::new(role.pool(1).await);
    let error = Worker::builder(&client).queue("default", 1).build().await.unwrap_err();
    let said = "the worker cannot start: the database does not give the 5 connections that this worker needs: raise \
                `max_connections`, or the connection limit of the role or the database, or give it fewer with `.connections(…)`";
    assert!(error.to_string().starts_with(said), "{error}");
    client.pool().close().await;
    role.drop().await;
}

/// Returns the output of `schema_sql`; with `grants_only`, for a schema that exists, only its grants.
pub(crate) fn printed(schema: &str, grants_only: bool) -> String {
    let all = pgjobq::schema_sql(schema).unwrap();
    let grants = all.find("-- The grants").unwrap();
    if grants_only { all[grants..].to_owned() } else { all }
}

/// A role for one test, and its connection options to the test's database.
pub(crate) struct Role<'d> {
    pub(crate) name: String,
    options: sqlx::postgres::PgConnectOptions,
    db: &'d TestDb,
}

impl<'d> Role<'d> {
    pub(crate) async fn new(db: &'d TestDb, rights: &str) -> Self {
        let name = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
        db.run(&format!("create role {name} {rights}")).await;
        Self { options: db.options.clone().username(&name), name, db }
    }

    pub(crate) async fn pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new().max_connections(connections).connect_with(self.options.clone()).await.unwrap()
    }

    pub(crate) async fn drop(self) {
        self.db.drop_role(&self.name).await;
    }
}

#[tokio::test]
async fn printed_grants_suffice_for_producer_and_worker() {
    let db = TestDb::empty().await;
    // Also works if no role has any privilege by default.
    db.run("alter default privileges revoke execute on functions from public; revoke all on schema public from public")
        .await;
    db.run(&printed("pgjobq", false)).await;
    let (producer, worker) = (Role::new(&db, "login").await, Role::new(&db, "login").await);
    db.run(&format!("grant pgjobq_producer to {}; grant pgjobq_worker to {}", producer.name, worker.name))
        .await;
    let (produces, works) = (Client::new(producer.pool(2).await), Client::new(worker.pool(2).await));
    let running = Worker::builder(&works).queue("default", 5).build().await.unwrap().start();
    let job = greet::enqueue(&produces, "Ada".to_owned()).await.unwrap();
    let later = greet::job("Grace".to_owned())
        .delay(Duration::from_millis(20))
        .enqueue(produces.pool())
        .await
        .unwrap();
    assert_eq!(end_of(&produces, &job).await, Outcome::Completed("hello Ada".to_owned()));
    assert_eq!(end_of(&produces, &later).await, Outcome::Completed("hello Grace".to_owned()));
    assert!(job.status(&produces).await.unwrap().is_some());
    let from_sql =
        sqlx::query("select pgjobq.enqueue('greet', '{\"name\": \"SQL\"}')").execute(produces.pool()).await;
    from_sql.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 3").await;
    // A producer may also cancel jobs and read their status.
    let never = greet::job("Nobody".to_owned()).delay(Duration::from_secs(3600));
    let never = never.enqueue(&produces).await.unwrap();
    assert_eq!(never.cancel(&produces).await.unwrap(), CancelOutcome::Cancelled);
    assert_eq!(produces.cancelled_jobs().list(9).await.unwrap().len(), 1);
    assert!(produces.queue("default").stats().await.unwrap().is_some());
    assert_eq!(job.progress(&produces).await.unwrap(), None);
    // A worker's role may also requeue and purge jobs.
    assert_eq!(count::call(&works).await.unwrap(), 4);
    assert_eq!(never.requeue(&works).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(end_of(&works, &never).await, Outcome::Completed("hello Nobody".to_owned()));
    let later = greet::job("Nobody".to_owned()).delay(Duration::from_secs(3600));
    later.enqueue(&works).await.unwrap();
    assert_eq!(works.queue("default").purge().await.unwrap(), 1);
    assert_eq!(works.cancelled_jobs().purge().await.unwrap(), 1);
    sqlx::raw_sql("select pgjobq.drop_partition()").execute(works.pool()).await.unwrap();
    check_operators(&works, &produces).await;
    // A worker reaps another's jobs, and creates partitions of a table that it does not own.
    db.run("delete from pgjobq.workers").await;
    assert_eq!(greet::call(&works, "again".to_owned()).await.unwrap(), "hello again");
    running.shutdown().await.unwrap();
    // A producer's role cannot run a worker.
    let error = Worker::builder(&produces).queue("default", 5).build().await.unwrap_err();
    assert!(error.to_string().contains("the database role may not do this"), "{error}");
    for pool in [produces.pool(), works.pool()] {
        pool.close().await;
    }
    producer.drop().await;
    worker.drop().await;
}

/// A worker's role may pause and change settings. A producer's may only look.
async fn check_operators(works: &Client, produces: &Client) {
    works.key("tenant:42").pause().await.unwrap();
    works.queue("default").change().limit(5).await.unwrap();
    assert_eq!(produces.pauses().await.unwrap().len(), 1);
    let settings = produces.queue("default").settings().await.unwrap().unwrap();
    assert_eq!(settings.limit.current(), Some(&5));
    let paused = produces.key("tenant:43").pause().await.unwrap_err().to_string();
    let changed = produces.queue("default").change().reset_limit().await.unwrap_err().to_string();
    for error in [paused, changed] {
        assert!(error.contains("the database role may not do this"), "{error}");
    }
    assert!(works.key("tenant:42").resume().await.unwrap());
}

#[tokio::test]
async fn permission_error_says_what_to_grant() {
    let db = TestDb::new(1).await;
    let stranger = Role::new(&db, "login").await;
    let client = Client::new(stranger.pool(1).await);
    let said = "the database role may not do this (permission denied for schema pgjobq): grant it what `pgjobq::schema_sql` \
                prints for its part";
    check_first_line(&greet::enqueue(&client, String::new()).await.unwrap_err(), said);
    check_first_line(&greet::handle(JobId::new()).status(&client).await.unwrap_err(), said);
    let error = Worker::builder(&client).queue("default", 1).build().await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("the worker cannot start: {said}")), "{error}");
    client.pool().close().await;
    stranger.drop().await;
}

#[tokio::test]
async fn printed_schema_runs_through_psql() {
    let db = TestDb::empty().await;
    let found = Command::new("psql").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        return; // Without psql, the other tests suffice.
    }
    let file = std::env::temp_dir().join(format!("pgjobq-schema-{}.sql", std::process::id()));
    std::fs::write(&file, printed("jobs_by_hand", false)).unwrap();
    let ran = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file"])
        .arg(&file)
        .arg(db.url())
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let client = Client::builder(db.pool.clone()).schema("jobs_by_hand").build().unwrap();
    // The schema created by hand equals the program's own, so that a migration changes nothing.
    client.migrate().await.unwrap();
    let worker = Worker::builder(&client).queue("default", 1).build().await.unwrap().start();
    assert_eq!(greet::call(&client, "psql".to_owned()).await.unwrap(), "hello psql");
    worker.shutdown().await.unwrap();
}
