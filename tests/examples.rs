//! Tests of what a newcomer meets first. Each example runs in a process of its own, as by hand. The tests compare its
//! output, and limit the length of its source.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use sqlx::ConnectOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

#[macro_use]
#[allow(dead_code, unused_macros)]
#[path = "it/harness.rs"]
mod harness;

use harness::TestDb;

/// The command that runs an example in this database.
fn example(name: &str, arguments: &[&str], db: &TestDb) -> Command {
    let mut example = Command::new(env!("CARGO"));
    example.args(["run", "--quiet", "--offline", "--example", name, "--"]).args(arguments);
    // A build script of `ring` runs again if this variable is another one, and then all that needs sqlx is compiled again.
    example.env_remove("CARGO_MANIFEST_DIR");
    example.env("DATABASE_URL", db.options.to_url_lossy().as_str()).kill_on_drop(true);
    example
}

/// The time limit of one example. Most of it is for the build, if the example is not built yet.
const WITHIN: Duration = Duration::from_secs(300);

/// Runs an example in this database, without a terminal, and returns what it prints.
async fn run(name: &str, arguments: &[&str], db: &TestDb) -> String {
    let output = timeout(WITHIN, example(name, arguments, db).output()).await.expect("the example ends");
    let output = output.unwrap();
    let (printed, errors) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{printed}{errors}");
    assert!(!(printed.clone() + &errors).chars().any(|c| c.is_control() && c != '\n'), "{printed:?}");
    printed
}

#[track_caller]
fn assert_prints(printed: &str, lines: &[&str]) {
    for line in lines {
        assert!(printed.contains(line), "no {line:?} in:\n{printed}");
    }
}

#[tokio::test]
async fn quickstart_computes_digests_on_every_run() {
    let db = TestDb::empty().await;
    for _ in 0..2 {
        let printed = run("quickstart", &[concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples")], &db).await;
        // The digests are those of `sha256sum`.
        assert_prints(
            &printed,
            &[
                "       14  d9014c4624844aa5  hello.txt\n",
                "        0  e3b0c44298fc1c14  below/empty.txt\n",
                "       14  in 2 files: 4 jobs in ",
                "third_time_lucky  Completed(\"attempt 3 did it\")\n",
                "hopeless          Dead: there is no account 7 (attempt 1)\n",
            ],
        );
    }
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0, "the worker has signed off");
}

#[tokio::test]
async fn quickstart_without_argument_reads_the_project() {
    let db = TestDb::empty().await;
    let printed = run("quickstart", &[], &db).await;
    assert_prints(&printed, &["Cargo.lock\n", " files: "]);
}

#[tokio::test]
async fn job_commits_or_vanishes_with_its_order() {
    let db = TestDb::empty().await;
    for _ in 0..2 {
        let printed = run("transactional_enqueue", &[], &db).await;
        assert_prints(
            &printed,
            &[
                "before the commit:   None\n",
                "after the commit:    Completed(\"Thank you for buying a kettle.\")\n",
                "after a rollback:    None\n",
                "enqueued from SQL:   Completed(\"Thank you for buying two cups.\")\n",
            ],
        );
    }
}

#[tokio::test]
async fn axum_app_commits_jobs_and_stops_with_its_worker() {
    let db = TestDb::empty().await;
    let mut app = example("axum", &["127.0.0.1:0"], &db);
    let mut app = app.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = BufReader::new(app.stdout.take().unwrap()).lines();
    let first = timeout(WITHIN, printed.next_line()).await.expect("the server starts").unwrap().unwrap();
    let address = first.strip_prefix("listening on http://").unwrap();

    let answer = request(address, "POST /accounts/ada").await;
    assert_prints(&answer, &["HTTP/1.1 202 Accepted\r\n", "see how the job stands at its location\n"]);
    let job = answer.split("location: ").nth(1).unwrap().lines().next().unwrap();
    let completed = async {
        loop {
            let answer = request(address, &format!("GET {job}")).await;
            assert_prints(&answer, &["HTTP/1.1 200 OK\r\n"]);
            if answer.ends_with("\r\n\r\ncompleted after 1 attempts\n") {
                return;
            }
        }
    };
    timeout(WITHIN, completed).await.expect("the job completes");
    assert_eq!(db.number("select count(*) from example_accounts where welcomed").await, 1);
    let unknown = format!("GET /jobs/{}", uuid::Uuid::new_v4());
    assert_prints(&request(address, &unknown).await, &["HTTP/1.1 404 Not Found\r\n", "no such job\n"]);
    // This fails only at the commit, after the enqueue.
    db.run("alter table example_accounts add unique (name) deferrable initially deferred").await;
    assert_prints(&request(address, "POST /accounts/ada").await, &["HTTP/1.1 500 Internal Server Error\r\n"]);
    assert_eq!(
        db.number("select count(*) from pgjobq.job_states").await,
        1,
        "the job vanished with the account"
    );

    request(address, "POST /accounts/grace").await; // Its job may run during the shutdown.
    let process = app.id().unwrap().to_string(); // Cargo has given its own to the example.
    let killed = Command::new("kill").args(["-TERM", &process]).status().await.unwrap();
    assert!(killed.success());
    let rest = timeout(WITHIN, printed.next_line()).await.expect("the server stops").unwrap().unwrap();
    assert_eq!(rest, "the server and its worker have stopped");
    assert!(timeout(WITHIN, app.wait()).await.expect("the process ends").unwrap().success());
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0, "the worker has signed off");
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0, "and has left nothing half done");
}

#[tokio::test]
async fn newsletter_mails_its_subscribers_and_stops() {
    let db = TestDb::empty().await;
    let mut app = example("newsletter", &["127.0.0.1:0"], &db);
    let mut app = app.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut printed = BufReader::new(app.stdout.take().unwrap()).lines();
    let mut line = async || timeout(WITHIN, printed.next_line()).await.expect("it prints").unwrap().unwrap();
    let first = line().await;
    let address = first.strip_prefix("listening on http://").unwrap();
    let answer = request(address, "POST /subscribers/ada@example.org").await;
    assert_prints(&answer, &["HTTP/1.1 202 Accepted\r\n"]);
    assert_eq!(line().await, "to ada@example.org: Please confirm your subscription");
    let answer = request(address, "POST /subscribers/ada@example.org").await;
    assert_prints(&answer, &["HTTP/1.1 409 Conflict\r\n"]);
    let process = app.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
    assert_eq!(line().await, "the server and its worker have stopped");
    assert!(timeout(WITHIN, app.wait()).await.expect("the process ends").unwrap().success());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1, "the reminder");
}

/// Sends a request and returns the answer.
async fn request(address: &str, request: &str) -> String {
    let mut server = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    server.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(WITHIN, server.read_to_string(&mut answer)).await.expect("the server answers").unwrap();
    answer
}

/// Examples that need no argument, and lines that each of them prints.
const SHORT: &[(&str, &[&str])] = &[
    (
        "evolving_jobs",
        &[
            "thumbnail, version 1: 1 readable\n",
            "thumbnail, version 2: 1 readable, 1 NOT readable\n",
            "unknown variant `Tiny`",
            "thumbnail, version 3: 1 of a newer version, which newer workers take\n",
            "may go live: false\ncorrected: Changed\n",
            "Completed(\"image 1, Medium\")\nCompleted(\"image 2, Small\")\nCompleted(\"image 4, Small\")\n",
            "Its arguments are of version 3, and no live worker of its queue `default` reads that version of `thumbnail`: 1 worker reads 1, 2.",
        ],
    ),
    (
        "retries",
        &[
            "fetch:  Completed(\"https://example.org on attempt 3\")\n",
            "poll:   Completed(0) failures\n",
            "charge: dead after 1 attempt: `42` is no IBAN\n",
            "upload: attempt 1: disk full\nupload: attempt 2: disk full\n",
        ],
    ),
    (
        "cancel",
        &[
            "waiting: Cancelled\n",
            "running: StopRequested\n",
            "import: stops before page ",
            "running: Cancelled\n",
            "waiting: cancelled by ada: ordered twice\n",
            "by SQL:  Cancelled\n",
        ],
    ),
    ("progress", &[" of 50\n", "Completed(50)\n", "after the end: None\n"]),
    (
        "requeue_dead",
        &[
            "alert: newsletter ",
            " is dead\n",
            "newsletter {\"user\": \"ada\"}: attempt 1: the mail server is down\n",
            "1 back in line\n",
            "sent to ada\n",
            "Completed(())\n",
        ],
    ),
    (
        "incident_replay",
        &[
            "requeue of 40 jobs: kind = 'send_receipt' and state = 'dead'\n",
            ": the mail server is down\n",
            "(requeue) is done: 40 of 40 jobs changed\n",
            "(set_priority) is done: 10 of 10 jobs changed\n",
            "all receipts are sent\n",
        ],
    ),
    (
        "queues",
        &[
            "3 reports are ready\n",
            "notice: the boss is waiting\n",
            "report: by the boss\n",
            "report: daily\n",
            "report: weekly\n",
        ],
    ),
    (
        "regional_worker",
        &[
            "Singapore accepts: not (region = 'eu' or region like 'us-%')\n",
            "customer 1 of eu was synchronized in Frankfurt\n",
            "customer 3 of us-west was synchronized in Oregon\n",
            "customer 4 of jp was synchronized in Singapore\n",
        ],
    ),
    (
        "tenant_importer",
        &[
            "187 files wait; those of dora wait behind those of acme, bolt and cafe\n",
            "acme: 150 files, never more than two at once: true\n",
            "bolt: 30 files, never more than two at once: true\n",
            "dora: 1 files, never more than two at once: true\n",
            "the last to end: acme\n",
        ],
    ),
    (
        "rate_limited_api",
        &[
            "refused: the weight of the `look_up` job is 11, and at most 10 may start in one window of the rate in its code",
            "50 calls for 99 cities took ",
            " cities in a second, as the API saw it\n",
        ],
    ),
    (
        "search_indexer",
        &[
            "document 777 is dead: a document without a title (attempt 1)\n",
            "999 documents indexed, 999 titles in the engine\n",
            "in less than 100 requests: true\n",
        ],
    ),
    ("unit_testing", &["to ada@example.org: 55 bytes\n", "returned 55\n"]),
    (
        "from_sql",
        &[
            "new: true, Completed(\"picture 7, 320 pixels wide\")\n",
            "by a trigger: Completed(\"picture 1, 640 pixels wide\")\n",
            "rejected: there is no queue 'pictuers'\n",
        ],
    ),
    ("observer", &["attempt 1 of charge failed\n", "charge is dead after attempt 2\n", "2 jobs completed\n"]),
    ("readiness", &["HTTP/1.1 200 OK\n0 of 8 slots; []\n"]),
    (
        "graceful_shutdown",
        &[
            "long: asked to stop (Shutdown)\n",
            "short: Completed(())\n",
            "long:  ready\n",
            "long:  Completed(\"attempt 2, 0 failures\")\n",
        ],
    ),
    (
        "delays",
        &[
            "tea is scheduled\n",
            "call:  Completed(\"call\")\n",
            "tea:   Completed(\"tea\"), not early: true\n",
            "train: Expired\n",
        ],
    ),
    (
        "schedules",
        &[
            "tenant 7: 3 runs are planned\n",
            "never: `0 0 30 2 *`, at character 5: this can never fire",
            "heartbeat: a tick\n",
            "report: tenant 42\n",
            "report/42: ended\n",
            "heartbeat: now\n",
            "0 7 * * MON of `report`: 2\n",
            "* * * * * * of `heartbeat`: 0\n",
        ],
    ),
    (
        "media_pipeline",
        &[
            "    s1[\"probe\"]\n    s2[\"wide\"]\n",
            "    s1 --> s2\n    s1 --> s3\n",
            "    s4 -.-> s5\n",
            "    s5[\"clean_up<br/>completed\"]:::good\n",
            " lines are published\n",
        ],
    ),
    ("word_count", &[" words in ", " files\n", "the workflow completed\n", " steps\n"]),
    (
        "saga",
        &[
            "paid 700 for the flight to Oslo and the hotel for 3 nights\n",
            "Oslo: the workflow completed, Some(700)\n",
            "took back the hotel for 3 nights: the card has a limit of 500\n\
             took back the flight to Lima: the card has a limit of 500\n",
            "Lima: the workflow failed, None\n",
        ],
    ),
    (
        "back_pressure",
        &[
            "400 uploads were enqueued, at most 20 at a time\n",
            "503: uploads has 20 jobs, come back later\n",
            "the last sample: Completed(11)\n",
            "samples were dropped: true\n",
        ],
    ),
    (
        "bulk",
        &[
            "Enqueued { new: 2500, duplicates: 0, dropped: 0 }\n",
            "Completed(\"2026 of customer 7\")\n",
            "new: true, then false\n",
        ],
    ),
];

#[tokio::test]
async fn short_examples_print_what_they_show() {
    // Most of them wait for most of their time.
    let shown = SHORT.iter().map(async |(name, lines)| {
        let db = TestDb::empty().await;
        assert_prints(&run(name, &[], &db).await, lines);
    });
    futures_util::stream::iter(shown).buffer_unordered(4).collect::<()>().await;
}

#[test]
fn every_example_is_run_and_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let list = fs::read_to_string(folder.join("README.md")).unwrap();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.is_dir() {
            assert_eq!(name, "newsletter", "no test runs {name}");
            assert!(list.contains(&format!("({name}/main.rs)")), "examples/README.md does not list {name}");
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let run = SHORT.iter().any(|(short, _)| *short == name)
                || ["quickstart", "transactional_enqueue", "axum", "metrics_endpoint"].contains(&name);
            assert!(run, "no test runs {name}");
            assert!(list.contains(&format!("({name}.rs)")), "examples/README.md does not list {name}");
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 90, "{name} has {lines} lines");
        }
    }
}
