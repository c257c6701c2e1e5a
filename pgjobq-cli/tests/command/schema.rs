//! Migrations, scripts and roles.

use pgjobq::prelude::*;
use pgjobq::sqlx;

use crate::stage::{HOUR, Stage, cli_double, pgjobq};

#[tokio::test(flavor = "multi_thread")]
async fn migrate_creates_checks_and_prints() {
    let stage = Stage::empty().await;
    let ran = stage.pgjobq(&["migrate", "--check"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, "the schema `pgjobq` is not up to date\n"));
    let script = stage.text_of(&["migrate", "--print"]);
    assert!(script.starts_with("begin;\n") && script.ends_with("commit;\n"), "{script}");
    assert_eq!(stage.text("to_regnamespace('pgjobq') is null").await, "true", "printing changes nothing");
    assert_eq!(stage.text_of(&["migrate"]), "the schema `pgjobq` was migrated\n");
    let recorded =
        "(select count(*) from pgjobq.kinds) || ' ' || (select string_agg(name, ',') from pgjobq.queues)";
    assert_eq!(stage.text(recorded).await, "0 default", "a job of the command is nothing to an application");
    assert_eq!(stage.text_of(&["migrate"]), "the schema `pgjobq` was up to date\n");
    assert_eq!(stage.text_of(&["migrate", "--check"]), "the schema `pgjobq` is up to date\n");
    let json = stage.json_of(&["migrate", "--check"]);
    assert_eq!(
        (&json["schema"], &json["up_to_date"], &json["migrated"]),
        (&"pgjobq".into(), &true.into(), &false.into())
    );
    assert_eq!(stage.text_of(&["migrate", "--print"]), "-- the schema `pgjobq` is up to date\n");
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_migration_equals_a_migration() {
    let stage = Stage::empty().await;
    stage.run_sql(&stage.text_of(&["migrate", "--print", "--schema", "by_hand"])).await;
    assert_eq!(stage.pgjobq(&["migrate", "--check", "--schema", "by_hand"]).code, 0);
    assert_eq!(stage.text_of(&["migrate", "--schema", "by_hand"]), "the schema `by_hand` was up to date\n");
    let listed = stage.json_of(&["jobs", "--schema", "by_hand"]);
    assert_eq!(listed["jobs"], serde_json::json!([]));
    stage.drop().await;
}

#[test]
fn scripts_need_no_database() {
    let ran = pgjobq(&["sql", "--schema", "background"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, pgjobq::schema_sql("background").unwrap());
    let ran = pgjobq(&["grants"]);
    assert_eq!(ran.code, 2);
    for role in ["producer", "worker", "observer", "administrator", "admin", "pgjobq_administrator"] {
        let ran = pgjobq(&["grants", "--role", role]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("grant usage on schema pgjobq to pgjobq_"), "{}", ran.stdout);
    }
    let ran = pgjobq(&["grants", "--role", "admin", "--schema", "pg_catalog"]);
    assert_eq!(ran.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn printed_grants_let_each_role_do_its_part() {
    let stage = Stage::new().await;
    let job = cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap().id().to_string();
    // The exit codes of looking, of enqueueing, of cancelling, and of pausing.
    for (role, member_of, codes) in [
        ("producer", "pgjobq_producer", [0, 0, 0, 1]),
        ("observer", "pgjobq_observer", [0, 1, 1, 1]),
        ("administrator", "pgjobq_administrator", [0, 0, 0, 0]),
    ] {
        stage.run_sql(&stage.text_of(&["grants", "--role", role])).await;
        let name = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
        stage.run_sql(&format!("create role {name} login; grant {member_of} to {name}")).await;
        let url = stage.url_of(&name);
        let run = |arguments: &[&str]| pgjobq(&[&["--url", &url], arguments].concat());
        for look in [&["stats"][..], &["jobs"], &["job", &job], &["explain", &job], &["dead"], &["workflows"]]
        {
            let ran = run(look);
            assert_eq!(ran.code, codes[0], "{role} {look:?}: {}", ran.stderr);
        }
        let acts = [
            &["enqueue", "cli_double", r#"{"number": 1}"#, "--delay", "1h"][..],
            &["cancel", "all", "--yes"],
            &["pause", "kind", "k"],
        ];
        for (act, code) in acts.iter().zip(&codes[1..]) {
            let ran = run(act);
            // Only an administrator acts on many jobs.
            let expected = if role == "producer" && act[0] == "cancel" { 1 } else { *code };
            assert_eq!(ran.code, expected, "{role} {act:?}: {}", ran.stderr);
        }
        stage.drop_role(&name).await;
    }
    let cancelled = "select count(*) from pgjobq.finished where outcome = 'cancelled'";
    let cancelled: i64 = sqlx::query_scalar(cancelled).fetch_one(stage.client.pool()).await.unwrap();
    assert!(cancelled >= 2, "{cancelled}");
    stage.drop().await;
}
