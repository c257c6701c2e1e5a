//! The dashboard answers whom it should, and ends when it is asked to.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, Connection as _, PgConnection};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::served::{Answer, Served};
use crate::stage::{HOUR, PATIENCE, Stage, cli_double, command};

const PASSWORD: &str = "correct horse battery";

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

async fn delayed_job(stage: &Stage) -> JobHandle<u64> {
    cli_double::job(1).delay(HOUR).enqueue(&stage.client).await.unwrap()
}

async fn state_of(stage: &Stage, job: &JobHandle<u64>) -> JobState {
    stage.client.job(job.id()).status().await.unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_of_this_machine_needs_no_user() {
    let stage = Stage::new().await;
    let job = delayed_job(&stage).await;
    let served = Served::start(&stage.url(), &["--title", "My shop"], None);
    let first = served.get("/", &[]).await;
    assert_eq!((first.status, first.header("location")), (307, "./overview"));
    let page = served.get("/overview", &[]).await;
    assert!(page.status == 200 && page.text.contains("My shop"), "{}", page.text);
    assert!(page.text.contains("assets/") && page.header("content-security-policy").contains("'none'"));
    let done = served.post("/act-on-job", &[], &format!("id={}&action=cancel", job.id())).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(state_of(&stage, &job).await, JobState::Cancelled);
    assert_eq!(stage.text("select asked_by from pgjobq.audit").await, "everyone");
    drop(served);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_of_this_machine_are_refused() {
    let stage = Stage::new().await;
    let job = delayed_job(&stage).await;
    let served = Served::start(&stage.url(), &[], None);
    let port = served.at.split(':').nth(1).unwrap();
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("evil.example:{port}"), 421),
        ("localhost.evil.example".to_owned(), 421),
    ] {
        let answer = served.get("/jobs", &[("Host", &host)]).await;
        assert_eq!(answer.status, status, "{host}");
        assert!(status == 200 || !answer.text.contains("cli_double"), "{host}: {}", answer.text);
    }
    // The page of another site whose name leads here is of the same origin, for the browser.
    let done = served
        .post("/act-on-job", &[("Host", "evil.example")], &format!("id={}&action=cancel", job.id()))
        .await;
    assert_eq!(done.status, 421);
    assert_eq!(state_of(&stage, &job).await, JobState::Scheduled);
    drop(served);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_addresses_need_a_decision() {
    let stage = Stage::new().await;
    let ran = stage.pgjobq(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("only with a user, because whoever reaches it may act on jobs"),
        "{}",
        ran.stderr
    );
    let everyone = ["--listen", "0.0.0.0:0", "--open-to-everyone", "--host", "jobs.example.com"];
    let served = Served::start(&stage.url(), &everyone, None);
    assert_eq!(served.get("/overview", &[("Host", "jobs.example.com")]).await.status, 200);
    assert_eq!(served.get("/overview", &[("Host", "evil.example")]).await.status, 403);
    let ran = served.after_signal("-INT");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (0, "nothing encrypts these connections: put a proxy with TLS before them\n")
    );
    for (arguments, said) in [
        (&["--listen", "8080"][..], "write an address and a port, as 127.0.0.1:8080"),
        (&["--user", "ada"], "--user needs a password: set PGJOBQ_PASSWORD"),
        (&["--password-file", "/nowhere"], "--user <NAME>"),
        (&["--user", "ada", "--password-file", "/nowhere"], "the password file /nowhere could not be read"),
        (&["--user", "ada", "--open-to-everyone"], "cannot be used with"),
    ] {
        let ran = stage.pgjobq(&[&["serve"], arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.stderr);
    }
    let mut forgotten = command(&["--url", &stage.url(), "serve"]);
    let ran = forgotten.env("PGJOBQ_PASSWORD", PASSWORD).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "a password without a user opens nothing");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = stage.pgjobq(&["serve", "--listen", &busy.local_addr().unwrap().to_string()]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("write another address with --listen"), "{}", ran.stderr);
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn user_logs_in_with_name_and_password() {
    let stage = Stage::new().await;
    let job = delayed_job(&stage).await;
    let file = std::env::temp_dir().join(format!("pgjobq-password-{}", std::process::id()));
    std::fs::write(&file, format!("{PASSWORD}\nnot this line\n")).unwrap();
    let by_file = ["--user", "ada", "--password-file", file.to_str().unwrap()];
    for served in [
        Served::start(&stage.url(), &["--user", "ada"], Some(PASSWORD)),
        Served::start(&stage.url(), &by_file, None),
    ] {
        let asked = served.get("/overview", &[]).await;
        assert_eq!(
            (asked.status, asked.header("www-authenticate")),
            (401, "Basic realm=\"pgjobq\", charset=\"UTF-8\"")
        );
        for (user, password) in [("ada", "correct horse"), ("bob", PASSWORD), ("ada", ""), ("", PASSWORD)] {
            let refused = served.get("/jobs", &[("Authorization", &basic(user, password))]).await;
            assert_eq!(refused.status, 401, "{user}");
            assert!(!refused.text.contains("cli_double"), "{}", refused.text);
        }
        let right = basic("ada", PASSWORD);
        let page = served.get("/jobs", &[("Authorization", &right), ("Host", "jobs.example.com")]).await;
        assert!(page.status == 200 && page.text.contains("cli_double"), "{}", page.text);
        // No form is accepted without the password, whatever cookie it has.
        let form = format!("id={}&action=cancel", job.id());
        assert_eq!(served.post("/act-on-job", &[], &form).await.status, 401);
        assert_eq!(served.post("/act-on-job", &[("Authorization", &right)], &form).await.status, 303);
        drop(served);
    }
    assert_eq!(state_of(&stage, &job).await, JobState::Cancelled);
    assert_eq!(stage.text("select string_agg(distinct asked_by, ',') from pgjobq.audit").await, "ada");
    std::fs::remove_file(file).unwrap();
    stage.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_role_serves_a_read_only_dashboard() {
    let stage = Stage::new().await;
    let job = delayed_job(&stage).await;
    stage.run_sql(&stage.text_of(&["grants", "--role", "observer"])).await;
    let role = format!("pgjobq_cli_{}", JobId::new().as_uuid().simple());
    stage.run_sql(&format!("create role {role} login; grant pgjobq_observer to {role}")).await;
    let served = Served::start(&stage.url_of(&role), &["--read-only"], None);
    for path in ["/overview", "/jobs", "/queues", "/workers", "/audit"] {
        let page = served.get(path, &[]).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
    }
    let refused = served.post("/act-on-job", &[], &format!("id={}&action=cancel", job.id())).await;
    assert_eq!(refused.status, 405, "{}", refused.text);
    assert_eq!(state_of(&stage, &job).await, JobState::Scheduled);
    drop(served);
    stage.drop_role(&role).await;
    stage.drop().await;
}

/// Waits until a text has come on a connection.
async fn read_until(connection: &mut TcpStream, text: &str) {
    let mut read = String::new();
    while !read.contains(text) {
        let mut bytes = [0; 4096];
        let count = tokio::time::timeout(PATIENCE, connection.read(&mut bytes)).await.unwrap().unwrap();
        assert!(count > 0, "it ended after {read:?}");
        read += std::str::from_utf8(&bytes[..count]).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signal_lets_requests_end_and_streams_stop() {
    let stage = Stage::new().await;
    let served = Served::start(&stage.url(), &[], None);
    let mut stream = served.send("GET /events", &[], "").await;
    read_until(&mut stream, "text/event-stream").await;
    // A page that waits for the database.
    let mut lock = PgConnection::connect(&stage.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table pgjobq.audit in access exclusive mode")
        .execute(&mut lock)
        .await
        .unwrap();
    let page = served.send("GET /audit", &[], "").await;
    stage
        .until(
            "exists (select from pg_stat_activity where datname = current_database()
        and application_name = 'pgjobq' and wait_event_type = 'Lock')",
        )
        .await;
    let sent = Command::new("kill").args(["-TERM", &served.id().to_string()]).status().unwrap();
    assert!(sent.success());
    // It listens no longer, and has ended the stream.
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    let refuses = async { while TcpStream::connect(&served.at).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refuses).await.unwrap();
    lock.close().await.unwrap();
    assert_eq!(Answer::read(page).await.status, 200);
    let ran = served.ended();
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    stage.drop().await;
}
