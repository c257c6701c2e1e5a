//! A measurement leaves nothing behind, however it ends.

use pgjobq::JobId;
use pgjobq::sqlx::{self, Connection as _, PgConnection};

use crate::stage::{Ran, Stage, pgjobq};

const IS_REMOVED: &str = "to_regnamespace('pgjobq_bench') is null";
/// What a measurement in the application's own schema would change.
const OWN: &str = "concat_ws(' ', (select last_value from pgjobq.ticket),
    (select string_agg(name, ',') from pgjobq.queues), (select count(*) from pgjobq.kinds),
    (select count(*) from pgjobq.workers), (select count(*) from pgjobq.rates),
    (select count(*) from pgjobq.fleet))";

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_printed_and_nothing_is_left() {
    let stage = Stage::new().await;
    let before = stage.text(OWN).await;
    let figures = stage.json_of(&["bench", "--jobs", "300", "--slots", "20"]);
    assert_eq!((&figures["jobs"], &figures["slots"]), (&300.into(), &20.into()));
    assert_eq!(figures["server"].as_str().unwrap(), stage.text("current_setting('server_version')").await);
    let number = |of: &[&str]| of.iter().fold(&figures, |at, name| &at[name]).as_f64().unwrap();
    assert!(number(&["enqueued_per_second"]) > 1.0 && number(&["drained_per_second"]) > 1.0, "{figures:#}");
    let (p50, p99) = (number(&["start", "p50_seconds"]), number(&["start", "p99_seconds"]));
    assert!(p50 > 0.0 && p50 <= p99 && number(&["start", "samples"]) >= 1.0, "{figures:#}");
    // A row and its entries in indexes are some hundred bytes, whatever else the server does.
    assert!(number(&["wal_bytes_per_job", "enqueue"]) > 100.0, "{figures:#}");
    assert!(number(&["wal_bytes_per_job", "drain"]) > 10.0, "{figures:#}");
    assert_eq!(stage.text(IS_REMOVED).await, "true");
    assert_eq!(stage.text(OWN).await, before);
    let text = stage.text_of(&["bench", "--jobs", "50"]);
    assert!(text.starts_with("50 jobs on PostgreSQL "), "{text}");
    for line in ["enqueued ", "drained ", "started ", "WAL "] {
        assert!(text.contains(&format!("\n{line}")), "{text}");
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_measurement_removes_its_schema() {
    let stage = Stage::new().await;
    for (signal, jobs, part) in [
        ("-INT", "10000000", "exists (select from pgjobq_bench.jobs)"),
        ("-TERM", "5000", "exists (select from pgjobq_bench.workers)"),
    ] {
        let child = stage.start(&["bench", "--jobs", jobs]);
        stage.until("to_regclass('pgjobq_bench.jobs') is not null").await;
        stage.until(part).await;
        let ran = Ran::after_signal(child, signal);
        assert_eq!((ran.code, ran.stdout.as_str()), (8, ""), "{signal}: {}", ran.stderr);
        assert!(
            ran.stderr.ends_with("error: interrupted: the schema `pgjobq_bench` is removed\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(stage.text(IS_REMOVED).await, "true", "{signal}");
    }
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leftover_of_a_killed_measurement_is_removed() {
    let stage = Stage::empty().await;
    let mut child = stage.start(&["bench", "--jobs", "10000000"]);
    stage.until("to_regclass('pgjobq_bench.jobs') is not null").await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stage.text(IS_REMOVED).await, "false");
    stage
        .until(
            "not exists (select from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database()))",
        )
        .await;
    assert_eq!(stage.json_of(&["bench", "--jobs", "20"])["jobs"], 20);
    assert_eq!(stage.text(IS_REMOVED).await, "true");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_of_somebody_else_is_left_alone() {
    let stage = Stage::empty().await;
    stage.run_sql("create schema pgjobq_bench; create table pgjobq_bench.mine ()").await;
    let ran = stage.pgjobq(&["bench"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("a schema `pgjobq_bench` that `pgjobq bench` has not made"),
        "{}",
        ran.stderr
    );
    assert_eq!(stage.text("to_regclass('pgjobq_bench.mine') is not null").await, "true");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_measurement_at_a_time_is_refused() {
    let stage = Stage::empty().await;
    let mut other = PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("select pg_advisory_lock(hashtext('pgjobq bench'))").execute(&mut other).await.unwrap();
    let ran = stage.pgjobq(&["bench"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("another `pgjobq bench` runs in this database"), "{}", ran.stderr);
    other.close().await.unwrap();
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn role_needs_only_the_right_to_create_schemas() {
    let stage = Stage::empty().await;
    let role = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
    stage
        .run_sql(&format!(
            "create role {role} login; revoke execute on function pg_current_wal_insert_lsn() from public"
        ))
        .await;
    let url = stage.url_of(&role);
    let ran = pgjobq(&["--url", &url, "bench", "--jobs", "20"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.contains("the schema `pgjobq_bench` cannot be made: permission denied for database"),
        "{}",
        ran.stderr
    );
    let database = stage.text("current_database()").await;
    stage.run_sql(&format!("grant create on database {database} to {role}")).await;
    let ran = pgjobq(&["--url", &url, "bench", "--jobs", "20", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let figures: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(figures["wal_bytes_per_job"], serde_json::Value::Null, "it may not see the WAL");
    stage.drop_role(&role).await;
    stage.drop().await;
}
