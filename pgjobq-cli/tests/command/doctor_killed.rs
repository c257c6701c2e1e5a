//! A death in the middle of a repair loses nothing: what is repaired stays so, and another run repairs the rest.

use pgjobq::prelude::*;
use pgjobq::sqlx::{self, AssertSqlSafe, Connection as _, PgConnection};
use serde_json::Value;

use crate::doctor::{examined, findings, only};
use crate::stage::{HOUR, Ran, Stage, cli_double};

/// True while a session of the command waits for a lock.
pub(crate) const WAITS: &str = "exists (select from pg_stat_activity where datname = current_database()
    and application_name = 'pgjobq' and wait_event_type = 'Lock')";
/// The session whose repair waits: a commit that notifies may wait as well.
const WAITING_REPAIR: &str =
    "from pg_stat_activity where datname = current_database() and application_name = 'pgjobq'
    and wait_event_type = 'Lock' and query ilike '%autovacuum_enabled%'";
/// True when no session of the command is left.
pub(crate) const GONE: &str = "not exists (select from pg_stat_activity
    where datname = current_database() and application_name = 'pgjobq')";

/// Two tables with a fault that has a safe repair, in the order of their repairs, and jobs.
struct Faulty {
    stage: Stage,
    first: String,
    second: String,
    /// Keeps the second table from its repair.
    lock: PgConnection,
}

impl Faulty {
    async fn new() -> Self {
        let stage = Stage::new().await;
        for n in 0..3 {
            cli_double::job(n).delay(HOUR).enqueue(&stage.client).await.unwrap();
        }
        for table in ["jobs", "failures"] {
            stage.run_sql(&format!("alter table pgjobq.{table} set (autovacuum_enabled = off)")).await;
        }
        let found = examined(&stage, &[]).0;
        let [first, second] = [0, 1].map(|n| found[n]["subject"].as_str().unwrap().to_owned());
        assert_eq!(found.len(), 2, "{found:#?}");
        let mut lock = PgConnection::connect(&stage.url()).await.unwrap();
        let sql = AssertSqlSafe(format!("begin; lock table pgjobq.{second} in share update exclusive mode"));
        sqlx::raw_sql(sql).execute(&mut lock).await.unwrap();
        Self { stage, first, second, lock }
    }

    /// Waits until the first repair is done and the second one waits.
    async fn between_repairs(&self) {
        self.stage.until(&format!("exists (select {WAITING_REPAIR})")).await;
        let is_repaired = format!(
            "select reloptions is null or 'autovacuum_enabled=off' <> all (reloptions)
            from pg_class where oid = 'pgjobq.{}'::regclass",
            self.first
        );
        assert_eq!(self.stage.text(&is_repaired).await, "true");
    }

    /// Cuts the connection of the repair that waits.
    async fn cut(&self) {
        let cut = format!("select pg_terminate_backend(pid) {WAITING_REPAIR}");
        assert_eq!(self.stage.text(&cut).await, "true");
    }

    /// Lets go of the lock: the fault is still there, another run repairs it, and no job is lost.
    async fn repair_the_rest(self) {
        let Self { stage, second, lock, .. } = self;
        lock.close().await.unwrap();
        stage.until(GONE).await;
        let left = examined(&stage, &[]).0;
        assert_eq!(only(&left, "tables")["subject"], second.as_str());
        let again = stage.pgjobq(&["doctor", "--fix", "--json"]);
        assert_eq!(findings(&again, "repaired"), left, "{}", again.stderr);
        assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
        assert_eq!(stage.text("select count(*) from pgjobq.jobs").await, "3");
        let worker = stage.worker().await;
        let job = cli_double::enqueue(&stage.client, 21).await.unwrap();
        assert_eq!(stage.end_of(&job).await, Outcome::Completed(42));
        worker.shutdown().await.unwrap();
        stage.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_doctor_leaves_repairs_to_the_next_run() {
    let faulty = Faulty::new().await;
    let mut doctor = faulty.stage.start(&["doctor", "--fix"]);
    faulty.between_repairs().await;
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    // The server does not know yet, and would go on with the statement.
    faulty.cut().await;
    faulty.repair_the_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connection_fails_one_repair_alone() {
    let faulty = Faulty::new().await;
    let doctor = faulty.stage.start(&["doctor", "--fix"]);
    faulty.between_repairs().await;
    faulty.cut().await;
    let ran = Ran::of(doctor.wait_with_output().unwrap());
    assert_eq!(ran.code, 7, "{}", ran.stdout);
    let (first, second) = (&faulty.first, &faulty.second);
    assert!(
        ran.stdout.contains(&format!("repaired: autovacuum is turned off for the table pgjobq.{first}")),
        "{}",
        ran.stdout
    );
    let left = format!("not repaired: autovacuum is turned off for the table pgjobq.{second}");
    assert!(ran.stdout.contains(&left), "{}", ran.stdout);
    faulty.repair_the_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_migration_leaves_all_or_nothing() {
    let stage = Stage::empty().await;
    let mut lock = PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("begin; create schema pgjobq").execute(&mut lock).await.unwrap();
    let mut doctor = stage.start(&["doctor", "--fix"]);
    stage.until(WAITS).await;
    doctor.kill().unwrap();
    doctor.wait().unwrap();
    lock.close().await.unwrap(); // The server goes on with the migration until it misses the client.
    stage.until(GONE).await;
    assert_eq!(stage.text("to_regnamespace('pgjobq') is null").await, "true");
    let again = stage.pgjobq(&["doctor", "--fix", "--json"]);
    assert_eq!(only(&findings(&again, "repaired"), "schema")["subject"], "migrations", "{}", again.stderr);
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}
