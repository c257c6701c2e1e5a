//! What a person reads who made a mistake, and the exit codes.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::stage::{Stage, pgjobq};

#[test]
fn misspelt_command_suggests_the_right_one() {
    let ran = pgjobq(&["jbos"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("unrecognized subcommand 'jbos'") && ran.stderr.contains("'jobs'"),
        "{}",
        ran.stderr
    );
    let ran = pgjobq(&["stats", "--jsn"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("'--json'"), "{}", ran.stderr);
}

#[test]
fn missing_and_wrong_urls_show_the_expected_form() {
    let ran = pgjobq(&["stats"]);
    assert_eq!(ran.code, 2);
    assert_eq!(
        ran.stderr,
        "error: no database is named: set DATABASE_URL, or write --url postgres://user:password@host/name\n"
    );
    let ran = pgjobq(&["--url", "mysql://ada:secret@host/app", "stats"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    let said =
        "error: the URL is not like postgres://user:password@host/name: it does not begin with postgres://\n";
    assert_eq!(ran.stderr, said);
    let ran = pgjobq(&["--url", "postgres://ada:secret@host:port/app", "stats"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("invalid port") && !ran.stderr.contains("secret"), "{}", ran.stderr);
}

#[test]
fn unreachable_database_is_reported_at_once() {
    let began = Instant::now();
    let ran = pgjobq(&["--url", "postgres://127.0.0.1:1/app", "--connect-timeout", "60s", "stats"]);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(ran.code, 6);
    let said = "error: the database at 127.0.0.1:1 could not be reached: Connection refused";
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_database_and_role_are_named() {
    let stage = Stage::new().await;
    let ran = pgjobq(&["--url", &stage.url_of("nobody_at_all"), "stats"]);
    assert_eq!(ran.code, 6);
    let said = "refused the connection: role \"nobody_at_all\" does not exist\n";
    assert!(ran.stderr.ends_with(said), "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_older_and_newer_schemas_say_what_to_do() {
    let stage = Stage::empty().await;
    let behind = "error: the schema `pgjobq` is missing, or older than this program: run `pgjobq migrate`, or name another one \
                  with --schema\n";
    for arguments in [&["stats"][..], &["jobs"], &["pause"], &["actions"], &["workflows"], &["dead"]] {
        let ran = stage.pgjobq(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (5, behind), "{arguments:?}");
    }
    stage.client.migrate().await.unwrap();
    stage.run_sql("update pgjobq.settings set program = 0, oldest_program = 0, digest = 0").await;
    let ran = stage.pgjobq(&["stats"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (5, behind));
    stage.run_sql("update pgjobq.settings set program = 9001000, oldest_program = 9000000").await;
    for command in ["stats", "migrate"] {
        let ran = stage.pgjobq(&[command]);
        assert_eq!(ran.code, 5);
        assert!(
            ran.stderr.contains("was installed by pgjobq 9.1.0") && ran.stderr.contains("newer pgjobq-cli"),
            "{}",
            ran.stderr
        );
    }
    let ran = stage.pgjobq(&["stats", "--schema", "a.b"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("a schema's name is"), "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_filter_is_marked_at_its_column() {
    let stage = Stage::new().await;
    for command in ["jobs", "retry", "cancel", "requeue"] {
        let ran = stage.pgjobq(&[command, "state = 'dead' and kind ~ 'mail'"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{command}");
        let lines: Vec<_> = ran.stderr.lines().collect();
        assert!(lines[0].starts_with("error: the filter is wrong at column "), "{}", ran.stderr);
        let column: usize =
            lines[0].split("column ").nth(1).unwrap().split(':').next().unwrap().parse().unwrap();
        assert_eq!(lines[1], "  state = 'dead' and kind ~ 'mail'");
        assert_eq!(lines[2].find('^'), Some(column + 1));
        assert_eq!(&lines[1][column + 1..column + 2], "~");
    }
    let ran = stage.pgjobq(&["jobs", "stat = 'dead' and state = 'daed'"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`state` is compared with"), "{}", ran.stderr);
    let ran = stage.pgjobq(&["jobs", "--after", "nowhere"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`nowhere` is no place among jobs"), "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_json_if_asked_for() {
    let stage = Stage::empty().await;
    let ran = stage.pgjobq(&["stats", "--json"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""));
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["error"], "schema");
    assert!(error["message"].as_str().unwrap().starts_with("the schema `pgjobq` is missing"));
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_role_hears_which_grants_it_lacks() {
    let stage = Stage::new().await;
    let role = format!("pgjobq_cli_{}", pgjobq::JobId::new().as_uuid().simple());
    stage.run_sql(&format!("create role {role} login")).await;
    let ran = pgjobq(&["--url", &stage.url_of(&role), "stats"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("permission denied for schema pgjobq"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`pgjobq grants --role …` prints what each role needs"), "{}", ran.stderr);
    stage.drop_role(&role).await;
    stage.drop().await;
}
