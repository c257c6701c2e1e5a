//! Each planted fault is found and has a repair, and a safe repair is carried out.

use std::process::Command;

use pgjobq::sqlx::{self, ConnectOptions as _, Connection as _};
use serde_json::Value;

use crate::deaf::Deaf;
use crate::multiplexer::{Lends, Multiplexer};
use crate::stage::{Ran, Stage, cli_double, command, pgjobq};

/// The server of these tests is fast because it may lose data, which the doctor finds.
const OF_THE_SERVER: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];

/// Examines the database, and returns the findings without those about the server, and the exit code.
pub(crate) fn examined(stage: &Stage, arguments: &[&str]) -> (Vec<Value>, i32) {
    let ran = stage.pgjobq(&[&["doctor", "--json"], arguments].concat());
    (findings(&ran, "findings"), ran.code)
}

pub(crate) fn findings(ran: &Ran, which: &str) -> Vec<Value> {
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr));
    let mut found = json[which].as_array().unwrap().clone();
    found.retain(|finding| !OF_THE_SERVER.contains(&finding["subject"].as_str().unwrap()));
    found
}

/// Returns the one finding that is there, after the check of this name.
#[track_caller]
pub(crate) fn only(found: &[Value], check: &str) -> Value {
    assert!(found.len() == 1 && found[0]["check"] == check, "{check}: {found:#?}");
    found[0].clone()
}

/// Plants a fault that has a safe repair: it is found, repaired, and then gone.
async fn check_repaired(stage: &Stage, plant: &str, check: &str, said: &str, limits: &[&str]) {
    stage.run_sql(plant).await;
    let (found, code) = examined(stage, limits);
    let finding = only(&found, check);
    assert!(finding["sentence"].as_str().unwrap().contains(said), "{finding:#}");
    assert_eq!(finding["repair"]["is_safe"], true, "{finding:#}");
    assert!(code == 7 || finding["severity"] == "warning", "{finding:#}");
    let fixed = stage.pgjobq(&[&["doctor", "--fix", "--json"], limits].concat());
    assert_eq!(findings(&fixed, "repaired"), found, "{}", fixed.stderr);
    assert_eq!(examined(stage, limits).0, [Value::Null; 0], "after {plant}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_database_has_no_findings() {
    let stage = Stage::new().await;
    cli_double::enqueue(&stage.client, 1).await.unwrap();
    let worker = stage.worker().await;
    assert_eq!(examined(&stage, &["--strict"]).0, [Value::Null; 0]);
    worker.shutdown().await.unwrap();
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_schema_are_found_and_repaired() {
    let stage = Stage::empty().await;
    let (found, code) = examined(&stage, &[]);
    assert_eq!((only(&found, "schema")["subject"].as_str().unwrap(), code), ("migrations", 7));
    assert!(stage.pgjobq(&["doctor"]).stdout.contains("    pgjobq doctor --fix\n"));
    let fixed = stage.pgjobq(&["doctor", "--fix", "--json"]);
    assert_eq!(findings(&fixed, "repaired").len(), 1, "{}", fixed.stderr);
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    let changed = "create or replace function pgjobq.channel() returns text language plpgsql stable as $$ begin return 'mine'; end $$";
    check_repaired(&stage, changed, "schema", "`channel` was changed by hand", &[]).await;
    check_repaired(&stage, "drop function pgjobq.unaccepted", "schema", "`unaccepted` is missing", &[]).await;
    stage.run_sql("drop index pgjobq.jobs_in_line").await;
    let missing = only(&examined(&stage, &[]).0, "schema");
    assert!(missing["sentence"].as_str().unwrap().starts_with("the index `jobs_in_line` is missing"));
    stage.run_sql(missing["repair"]["sql"].as_str().unwrap()).await;
    let invalid =
        "update pg_index set indisvalid = false where indexrelid = 'pgjobq.jobs_coming_due'::regclass";
    stage.run_sql(invalid).await;
    let invalid = only(&examined(&stage, &[]).0, "schema");
    assert_eq!(invalid["repair"]["sql"], "reindex index concurrently pgjobq.jobs_coming_due");
    stage.run_sql(invalid["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_tables_are_found_and_repaired() {
    let stage = Stage::new().await;
    let dropped = "do $$ declare v_day date := (select max(day) from pgjobq.finished_days); begin
        execute 'drop table pgjobq.finished_' || to_char(v_day, 'YYYYMMDD');
        delete from pgjobq.finished_days where day = v_day; end $$";
    check_repaired(&stage, dropped, "partitions", "lacks partitions for 1 days", &[]).await;
    let off = "alter table pgjobq.jobs set (autovacuum_enabled = off)";
    check_repaired(&stage, off, "tables", "autovacuum is turned off for the table pgjobq.jobs", &[]).await;
    let dead = "alter table pgjobq.progress set (autovacuum_enabled = off);
        insert into pgjobq.progress (shard, job, ticket, percent, message, said_at)
            select 0, gen_random_uuid(), n, 1, '', now() from generate_series(1, 2000) n;
        delete from pgjobq.progress;
        alter table pgjobq.progress reset (autovacuum_enabled), set (autovacuum_vacuum_threshold = 1000000);
        select pg_stat_force_next_flush()";
    check_repaired(&stage, dead, "tables", "2000 dead rows beside 0 live ones", &["--dead-rows", "2000"])
        .await;
    stage.run_sql("alter table pgjobq.kinds enable row level security").await;
    let hidden = only(&examined(&stage, &[]).0, "tables");
    assert_eq!(hidden["repair"]["sql"], "alter table pgjobq.kinds disable row level security");
    stage.run_sql(hidden["repair"]["sql"].as_str().unwrap()).await;
    // The last row keeps the pages of those before it.
    stage
        .run_sql(
            "insert into pgjobq.progress (shard, job, ticket, percent, message, said_at)
                 select 0, gen_random_uuid(), n, 1, repeat('x', 1000), now() from generate_series(1, 5000) n;
             delete from pgjobq.progress where ticket < 5000",
        )
        .await;
    stage.run_sql("vacuum (analyze) pgjobq.progress").await;
    let (found, _) = examined(&stage, &["--empty-bytes", "4000000"]);
    let empty = only(&found, "tables");
    assert!(
        empty["sentence"].as_str().unwrap().ends_with("for 1 live rows: it is mostly empty space"),
        "{empty:#}"
    );
    stage.run_sql(empty["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &["--empty-bytes", "4000000"]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_indexes_are_found_and_repaired() {
    let stage = Stage::new().await;
    // Vacuum gives the pages of the table back, and those of its index stay.
    stage
        .run_sql(
            "alter table pgjobq.progress set (autovacuum_enabled = off);
             insert into pgjobq.progress (shard, job, ticket, percent, message, said_at)
                 select 0, gen_random_uuid(), n, 1, '', now() from generate_series(1, 100000) n;
             delete from pgjobq.progress;
             select pg_stat_force_next_flush()",
        )
        .await;
    stage.run_sql("vacuum (analyze) pgjobq.progress").await;
    stage.run_sql("alter table pgjobq.progress reset (autovacuum_enabled)").await;
    let (found, _) = examined(&stage, &["--empty-bytes", "1000000"]);
    let empty = only(&found, "tables");
    assert!(empty["sentence"].as_str().unwrap().starts_with("the index progress_"), "{empty:#}");
    assert_eq!((&empty["repair"]["is_safe"], &empty["severity"]), (&false.into(), &"warning".into()));
    stage.run_sql(empty["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &["--empty-bytes", "1000000"]).0, [Value::Null; 0]);

    stage
        .run_sql(
            "create index jobs_in_line_ccnew on pgjobq.jobs (created_at);
             update pg_index set indisvalid = false where indexrelid = 'pgjobq.jobs_in_line_ccnew'::regclass",
        )
        .await;
    let left = only(&examined(&stage, &[]).0, "tables");
    assert_eq!(left["repair"]["sql"], "drop index concurrently pgjobq.jobs_in_line_ccnew");
    let mut building = sqlx::PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table pgjobq.jobs in share update exclusive mode")
        .execute(&mut building)
        .await
        .unwrap();
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0], "a build that goes on is no fault");
    building.close().await.unwrap();
    stage.until("not exists (select from pg_locks where mode = 'ShareUpdateExclusiveLock' and relation = 'pgjobq.jobs'::regclass)").await;
    stage.run_sql(left["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_transaction_is_found_and_ended_by_its_repair() {
    let stage = Stage::new().await;
    let mut held = sqlx::PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from pgjobq.jobs")
        .execute(&mut held)
        .await
        .unwrap();
    let found = only(&examined(&stage, &["--transaction-age", "0s"]).0, "transactions");
    assert_eq!(found["repair"]["is_safe"], false);
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0], "it is not an hour old");
    let fixed = stage.pgjobq(&["doctor", "--fix", "--json", "--transaction-age", "0s"]);
    assert_eq!(fixed.code, 7, "a session is never ended unasked");
    stage.run_sql(found["repair"]["sql"].as_str().unwrap()).await;
    stage.until("not exists (select from pg_stat_activity where datname = current_database() and state = 'idle in transaction')").await;
    assert_eq!(examined(&stage, &["--transaction-age", "0s"]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_role_and_database_are_found() {
    let stage = Stage::new().await;
    let database = stage.text("current_database()").await;
    stage.run_sql(&format!("alter database {database} set default_transaction_read_only = on")).await;
    let found = only(&examined(&stage, &[]).0, "settings");
    let repair = format!("alter database {database} reset default_transaction_read_only");
    assert_eq!(found["repair"]["sql"], repair.as_str());
    stage.run_sql(&format!("begin read write; {repair}; commit")).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    let role = format!("pgjobq_cli_{}", pgjobq::JobId::new().as_uuid().simple());
    stage.run_sql(&format!("create role {role} superuser login")).await;
    for place in [format!("role {role}"), format!("role {role} in database {database}")] {
        stage.run_sql(&format!("alter {place} set default_transaction_read_only = on")).await;
        let ran = pgjobq(&["--url", &stage.url_of(&role), "doctor", "--json"]);
        let repair = only(&findings(&ran, "findings"), "settings")["repair"]["sql"].clone();
        assert_eq!(
            (repair, ran.code),
            (format!("alter {place} reset default_transaction_read_only").into(), 7)
        );
        stage.run_sql(&format!("alter {place} reset default_transaction_read_only")).await;
        let ran = pgjobq(&["--url", &stage.url_of(&role), "doctor", "--json"]);
        assert_eq!(findings(&ran, "findings"), [Value::Null; 0]);
    }
    stage.drop_role(&role).await;
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_worker_and_unserved_kind_are_found() {
    let stage = Stage::new().await;
    let worker = stage.worker().await;
    stage.client.kind("cli_dubble").enqueue("{}").await.unwrap();
    let unserved = only(&examined(&stage, &[]).0, "workers");
    assert_eq!(
        (&unserved["subject"], &unserved["severity"]),
        (&"kind cli_dubble in queue default".into(), &"warning".into())
    );
    let strict = stage.pgjobq(&["doctor", "--strict"]);
    assert_eq!(strict.code, 7);
    assert!(
        strict.stdout.contains("warning: workers: no live worker takes jobs of the kind cli_dubble"),
        "{}",
        strict.stdout
    );
    assert_eq!(unserved["repair"], Value::Null, "a deploy may still run these jobs");
    stage.client.jobs("kind = 'cli_dubble'".parse().unwrap()).cancel().await.unwrap();
    worker.shutdown().await.unwrap();
    stage
        .run_sql(
            "select pgjobq.register_worker(0::smallint, 7, 'lost', p_queues => '{default}', p_slots => '{3}');
             update pgjobq.workers set seen_at = now() - interval '1 hour', lease = '30 s' where id = 7",
        )
        .await;
    let silent = only(&examined(&stage, &[]).0, "workers");
    assert_eq!(silent["subject"], "worker lost");
    stage.run_sql(silent["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

/// The library that shifts the clock of a process, if this machine can build it.
fn shift() -> Option<std::path::PathBuf> {
    let library = std::env::temp_dir().join(format!("pgjobq-shift-{}.so", std::process::id()));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clock/shift.c");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).status();
    (cfg!(target_os = "linux") && built.is_ok_and(|status| status.success())).then_some(library)
}

#[tokio::test(flavor = "multi_thread")]
async fn clock_that_differs_is_found() {
    let Some(library) = shift() else { return eprintln!("skipped: cc cannot build tests/clock/shift.c") };
    let stage = Stage::new().await;
    for (offset, said) in
        [("-3600", "ahead of that of this machine"), ("3600", "behind that of this machine")]
    {
        let mut doctor = command(&["--url", &stage.url(), "doctor", "--json"]);
        let output = doctor.env("LD_PRELOAD", &library).env("CLOCK_OFFSET", offset).output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let ran = Ran { code: 0, stdout, stderr: String::from_utf8(output.stderr).unwrap() };
        let found = only(&findings(&ran, "findings"), "clock");
        assert!(found["sentence"].as_str().unwrap().contains(said), "{found:#}");
    }
    std::fs::remove_file(library).unwrap();
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pooler_in_transaction_mode_is_found() {
    let stage = Stage::new().await;
    let pooler = Multiplexer::to(&stage.options, Lends::Last, 7).await;
    let ran = pgjobq(&["--url", pooler.options.to_url_lossy().as_str(), "doctor", "--json"]);
    assert_eq!((only(&findings(&ran, "findings"), "pooler")["repair"].clone(), ran.code), (Value::Null, 7));
    drop(pooler);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_notifications_are_found() {
    let stage = Stage::new().await;
    let network = Deaf::to(&stage.options).await;
    let ran = pgjobq(&["--url", network.options.to_url_lossy().as_str(), "doctor", "--json"]);
    let found = only(&findings(&ran, "findings"), "notifications");
    assert!(found["sentence"].as_str().unwrap().contains("none arrived within 5s"), "{found:#}");
    drop(network);
    stage.drop().await;
}
