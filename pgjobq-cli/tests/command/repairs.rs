//! What `doctor --fix` does, and what it leaves to a person.

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, AssertSqlSafe, Connection as _};
use serde_json::{Value, json};

use crate::doctor::{examined, findings, only};
use crate::stage::{HOUR, Ran, Stage, cli_double, command, pgjobq};

/// Creates a role with a name of its own.
async fn role(stage: &Stage, grants: &str) -> String {
    let name = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
    stage.run_sql(&format!("create role {name} login; {}", grants.replace("{role}", &name))).await;
    name
}

/// The name, the settings, the rights and the owner of each function.
const FUNCTIONS: &str = "select string_agg(format('%s %s %s %s', proname, proconfig, prosecdef, proowner::regrole), E'\n' \
                         order by proname) from pg_proc where pronamespace = 'pgjobq'::regnamespace";

#[tokio::test(flavor = "multi_thread")]
async fn repaired_functions_have_their_settings_grants_and_owner() {
    let stage = Stage::empty().await;
    let database = stage.text("current_database()").await;
    let owner = role(&stage, &format!("grant create on database {database} to {{role}}")).await;
    let owned = stage.url_of(&owner);
    assert_eq!(pgjobq(&["--url", &owned, "migrate"]).code, 0);
    stage.run_sql(&stage.text_of(&["grants", "--role", "observer"])).await;
    let member = role(&stage, "grant pgjobq_observer to {role}").await;
    let before = stage.text(FUNCTIONS).await;
    assert!(
        before.contains("\nunaccepted {\"search_path=pg_catalog, pg_temp\",enable_seqscan=off,"),
        "{before}"
    );
    for (url, who) in [(&owned, "the owner"), (&stage.url(), "a superuser")] {
        stage
            .run_sql(
                "create or replace function pgjobq.channel() returns text language plpgsql stable
                     as $$ begin return 'mine'; end $$;
                 alter function pgjobq.make_partitions security invoker;
                 alter function pgjobq.list_jobs reset all;
                 drop function pgjobq.unaccepted;
                 drop view pgjobq.job_states",
            )
            .await;
        let fixed = pgjobq(&["--url", url, "doctor", "--fix", "--json"]);
        let repaired = findings(&fixed, "repaired");
        let said: Vec<_> = repaired.iter().map(|finding| finding["sentence"].as_str().unwrap()).collect();
        assert_eq!(said.len(), 5, "{who}: {said:?} {}", fixed.stderr);
        for part in [
            "`channel` was changed by hand",
            "`make_partitions` was changed by hand",
            "`list_jobs` lacks settings, without which it may read whole tables or wait for long: enable_bitmapscan=off",
            "`unaccepted` is missing",
            "the view `job_states` is missing",
        ] {
            assert!(said.iter().any(|sentence| sentence.contains(part)), "{who}: {part}: {said:?}");
        }
        assert_eq!(examined(&stage, &[]).0, [Value::Null; 0], "{who}");
        assert_eq!(stage.text(FUNCTIONS).await, before, "{who}");
        for look in ["stats", "jobs", "doctor"] {
            let ran = pgjobq(&["--url", &stage.url_of(&member), look]);
            assert!(matches!(ran.code, 0 | 7), "{who}: a member of a role: {look}: {}", ran.stderr);
        }
        let sees = format!("has_table_privilege('{member}', 'pgjobq.job_states', 'select')");
        assert_eq!(stage.text(&sees).await, "true", "{who}");
    }
    stage.drop_role(&member).await;
    stage.drop_role(&owner).await;
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_an_operator_added_are_no_fault() {
    let stage = Stage::new().await;
    stage.run_sql("alter function pgjobq.claim set work_mem = '64MB'").await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_a_newer_program_are_left_alone() {
    let stage = Stage::new().await;
    stage
        .run_sql(
            "update pgjobq.settings set program = 9001000, digest = 7;
             create or replace function pgjobq.channel() returns text language plpgsql stable
                 as $$ begin return 'newer'; end $$",
        )
        .await;
    assert_eq!(examined(&stage, &["--fix"]).0, [Value::Null; 0]);
    assert_eq!(stage.text("pgjobq.channel()").await, "newer");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_index_is_shown_with_its_statement_and_hides_nothing() {
    let stage = Stage::new().await;
    stage
        .run_sql("drop index pgjobq.jobs_in_line; alter table pgjobq.jobs set (autovacuum_enabled = off)")
        .await;
    let ran = stage.pgjobq(&["doctor", "--fix"]);
    assert!(
        ran.stdout.contains("repaired: autovacuum is turned off for the table pgjobq.jobs"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("doctor --fix"), "{}", ran.stdout);
    let said =
        "error: schema: the index `jobs_in_line` is missing: statements that need it read the whole table\n";
    let (_, repair) = ran.stdout.split_once(said).unwrap_or_else(|| panic!("{}", ran.stdout));
    let repair: Vec<_> = repair.lines().take_while(|line| line.starts_with("    ")).collect();
    stage.run_sql(&repair.join("\n")).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_partition_is_made_in_its_own_transaction() {
    let stage = Stage::new().await;
    let lost = "do $$ declare v_day date; begin
        for v_day in select day from pgjobq.finished_days order by day desc limit 3 loop
            execute 'drop table pgjobq.finished_' || to_char(v_day, 'YYYYMMDD');
            delete from pgjobq.finished_days where day = v_day;
        end loop; end $$";
    stage.run_sql(lost).await;
    let missing = only(&examined(&stage, &[]).0, "partitions");
    assert!(missing["sentence"].as_str().unwrap().contains("for 3 days"), "{missing:#}");
    let fixed = stage.pgjobq(&["doctor", "--fix", "--json"]);
    assert_eq!(findings(&fixed, "repaired"), [missing], "{}", fixed.stderr);
    let made = "select count(distinct xmin::text)
                  from (select xmin from pgjobq.finished_days order by day desc limit 3) made";
    assert_eq!(stage.text(made).await, "3");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_beside_a_large_rest_are_left_to_a_person() {
    let stage = Stage::new().await;
    stage
        .run_sql(
            "insert into pgjobq.finished (shard, id, outcome, queue_id, priority, kind, args, attempt, failures, crashes,
                 retries, max_crashes, created_at, drop_on)
             select 0, gen_random_uuid(), 'completed', q.id, 1, 'old', to_jsonb(repeat('x', 1700)), 1, 0, 0, 0, 0, now(),
                    current_date + 9000 from pgjobq.queues q, generate_series(1, 5500) where q.name = 'default';
             do $$ declare v_day date := (select max(day) from pgjobq.finished_days); begin
                 execute 'drop table pgjobq.finished_' || to_char(v_day, 'YYYYMMDD');
                 delete from pgjobq.finished_days where day = v_day; end $$",
        )
        .await;
    let (found, code) = examined(&stage, &["--fix"]);
    let missing = only(&found, "partitions");
    assert_eq!((&missing["repair"]["is_safe"], code), (&json!(false), 7));
    assert!(
        missing["sentence"].as_str().unwrap().contains("above 8 MB, so that workers make no partition"),
        "{missing:#}"
    );
    stage.run_sql(missing["repair"]["sql"].as_str().unwrap()).await;
    assert_eq!(examined(&stage, &[]).0, [Value::Null; 0]);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_no_worker_takes_are_never_cancelled() {
    let stage = Stage::new().await;
    let repaired = |found: &Value| found["repair"].clone();
    let job = cli_double::job(1).attribute("tenant", 2).enqueue(&stage.client).await.unwrap();
    stage.run_sql("update pgjobq.jobs set meta = jsonb_build_object('version', 2)").await;
    let unread = only(&examined(&stage, &["--fix"]).0, "workers");
    let said = unread["sentence"].as_str().unwrap();
    assert!(said.contains("takes jobs of the kind cli_double with arguments of version 2"), "{said}");
    assert!(said.ends_with(&format!("`pgjobq.explain('{}')` says more", job.id())), "{said}");
    assert_eq!(repaired(&unread), Value::Null);
    stage.run_sql("update pgjobq.jobs set meta = null").await;
    let worker = Worker::builder(&stage.client).queue("default", 1).accept("tenant = 1".parse().unwrap());
    let worker = worker.build().await.unwrap().start();
    stage.until("exists (select from pgjobq.workers)").await;
    let passed_over = only(&examined(&stage, &["--fix"]).0, "workers");
    let said = passed_over["sentence"].as_str().unwrap();
    assert!(said.contains("the filters of the workers pass over 1 of its first jobs"), "{said}");
    assert_eq!(repaired(&passed_over), Value::Null);
    worker.shutdown().await.unwrap();
    assert_eq!(stage.text("select count(*) from pgjobq.jobs").await, "1");
    stage.drop().await;
}

/// Examines a server that no other test uses.
fn examine(url: &str, arguments: &[&str]) -> Vec<Value> {
    let ran = pgjobq(&[&["--url", url, "doctor", "--json"], arguments].concat());
    findings(&ran, "findings")
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_whole_server_are_found() {
    let server = Server::start(ServerOptions::fast().set("wal_level", "logical")).await.unwrap();
    let url = server.url("postgres");
    assert_eq!(pgjobq(&["--url", &url, "migrate"]).code, 0);
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let mut run = async |sql: &str| {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    };
    run("select pg_create_physical_replication_slot('standby', true)").await;
    run("select pg_create_logical_replication_slot('reader', 'pgoutput')").await;
    assert_eq!(examine(&url, &[]), [Value::Null; 0], "a slot that was idle for a moment is no fault");
    for _ in 0..3 {
        run("create table later (id int); drop table later").await;
    }
    let keeping = examine(&url, &["--slot-wal", "1"]);
    let subjects: Vec<_> = keeping.iter().map(|finding| finding["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects.len(), 2, "{keeping:#?}");
    assert!(subjects.contains(&"replication slot standby") && subjects.contains(&"replication slot reader"));
    let holding = only(&examine(&url, &["--slot-transactions", "3"]), "transactions");
    assert_eq!(holding["subject"], "replication slot reader");
    for finding in &keeping {
        run(finding["repair"]["sql"].as_str().unwrap()).await;
    }
    assert_eq!(examine(&url, &["--slot-wal", "1", "--slot-transactions", "1"]), [Value::Null; 0]);
    run("alter role all set default_transaction_read_only = on").await;
    let read_only = only(&examine(&url, &[]), "settings");
    let repair = "alter role all reset default_transaction_read_only";
    assert_eq!(read_only["repair"]["sql"], repair);
    run(&format!("begin read write; {repair}; commit")).await;
    assert_eq!(examine(&url, &[]), [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_of_the_connection_has_no_statement() {
    let stage = Stage::new().await;
    let mut doctor = command(&["--url", &stage.url(), "doctor", "--json"]);
    let output = doctor.env("PGOPTIONS", "-c default_transaction_read_only=on").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: 7, stdout: text(output.stdout), stderr: text(output.stderr) };
    let found = only(&findings(&ran, "findings"), "settings");
    let said = found["sentence"].as_str().unwrap();
    assert!(
        said.contains("is on for this connection, because its URL, its program or PGOPTIONS sets it"),
        "{said}"
    );
    assert_eq!(found["repair"], Value::Null);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_repair_is_reported_with_its_error() {
    let stage = Stage::new().await;
    stage.run_sql(&stage.text_of(&["grants", "--role", "observer"])).await;
    let observer = role(&stage, "grant pgjobq_observer to {role}").await;
    stage.run_sql("alter table pgjobq.jobs set (autovacuum_enabled = off)").await;
    cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap();
    let url = stage.url_of(&observer);
    let ran = pgjobq(&["--url", &url, "doctor", "--fix", "--json"]);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["repaired"], ran.code), (&json!([]), 7));
    assert_eq!(json["failed"][0]["finding"]["check"], "tables");
    assert_eq!(json["failed"][0]["error"], "must be owner of table jobs");
    let ran = pgjobq(&["--url", &url, "doctor", "--fix"]);
    let said = "not repaired: autovacuum is turned off for the table pgjobq.jobs: its dead rows stay: must be owner of table jobs\n";
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
    stage.drop_role(&observer).await;
    stage.drop().await;
}
