//! The databases of tests: each has its own, and its end depends on how the test ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgjobq::sqlx::{self, ConnectOptions, PgPool, postgres::PgConnectOptions};
use pgjobq::testing::__private::{SetUp, Test, run};
use pgjobq::testing::{TestQueue, assert_not_enqueued};

use crate::jobs::{Ended, note};

#[pgjobq::test]
async fn databases_of_two_tests_differ(pg: TestQueue) -> Ended {
    let other = in_a_thread(|| {
        run(test("other"), async |pg: TestQueue| {
            note::enqueue(pg.client(), "a".to_owned()).await.unwrap();
            *OTHER.lock().unwrap() = pg.url().to_owned();
        })
    });
    assert!(other.is_ok());
    assert_ne!(pg.url(), *OTHER.lock().unwrap());
    assert!(!pg.url().contains("statement-cache"), "psql knows no such parameter: {}", pg.url());
    assert_not_enqueued!(pg, note);
    Ok(())
}

static OTHER: Mutex<String> = Mutex::new(String::new());

async fn numbers(pool: PgPool) -> std::result::Result<(), sqlx::Error> {
    SET_UPS.fetch_add(1, Ordering::Relaxed);
    sqlx::query("create table numbers as select generate_series(1, 3) as number")
        .execute(&pool)
        .await
        .map(drop)
}

static SET_UPS: AtomicUsize = AtomicUsize::new(0);

/// Takes all rows of the table that the set-up has made.
async fn take_numbers(pg: &TestQueue) -> Vec<i32> {
    sqlx::query_scalar("delete from numbers returning number").fetch_all(pg.pool()).await.unwrap()
}

#[pgjobq::test(setup = numbers)]
async fn set_up_prepares_each_database(pg: TestQueue) {
    assert_eq!(take_numbers(&pg).await, [1, 2, 3]);
    assert_eq!(SET_UPS.load(Ordering::Relaxed), 1);
}

#[pgjobq::test(setup = numbers)]
async fn set_up_runs_once_for_all_tests(pg: TestQueue) {
    assert_eq!(take_numbers(&pg).await, [1, 2, 3]);
    assert_eq!(SET_UPS.load(Ordering::Relaxed), 1);
}

/// The same set-up, written otherwise.
mod set_up_elsewhere {
    use super::*;

    #[pgjobq::test(setup = super::numbers)]
    async fn runs_once_however_it_is_written(pg: TestQueue) {
        assert_eq!(take_numbers(&pg).await, [1, 2, 3]);
        assert_eq!(SET_UPS.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn tests_one_after_the_other_share_a_set_up() {
    let ended = this_program(&["--test-threads=1", "databases::set_up_"]).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("test result: ok. 3 passed"), "{said}");
}

#[pgjobq::test]
#[should_panic(expected = "as it should")]
async fn test_that_should_panic_passes(pg: TestQueue) {
    let _ = pg;
    panic!("as it should");
}

#[pgjobq::test]
async fn database_of_a_failed_test_stays_until_it_fails_again(pg: TestQueue) {
    let panics = |said: &'static str| {
        move |seen: Arc<Mutex<String>>| {
            run(test("fails"), async move |pg: TestQueue| -> () {
                note::enqueue(pg.client(), said.to_owned()).await.unwrap();
                *seen.lock().unwrap() = pg.url().to_owned();
                panic!("{said}");
            });
        }
    };
    let (first, second) = (Arc::default(), Arc::default());
    let fail = panics("first");
    let seen = Arc::clone(&first);
    assert!(in_a_thread(move || fail(seen)).is_err());
    let url: String = first.lock().unwrap().clone();
    assert_eq!(notes(&url).await.unwrap(), ["first"]);
    let fail = panics("second");
    let seen = Arc::clone(&second);
    assert!(in_a_thread(move || fail(seen)).is_err());
    let (first, second) = (first.lock().unwrap().clone(), second.lock().unwrap().clone());
    assert!(notes(&first).await.is_none(), "it was replaced");
    assert_eq!(notes(&second).await.unwrap(), ["second"]);
    drop_by_hand(&pg, &second).await;
}

#[pgjobq::test]
async fn test_that_returns_an_error_has_failed(pg: TestQueue) {
    let seen: Arc<Mutex<String>> = Arc::default();
    let url = Arc::clone(&seen);
    let returned = in_a_thread(move || {
        run(test("returns an error"), async move |pg: TestQueue| -> std::result::Result<(), &'static str> {
            *url.lock().unwrap() = pg.url().to_owned();
            Err("no")
        })
    });
    assert_eq!(returned.unwrap(), Err("no"));
    let url = seen.lock().unwrap().clone();
    assert_eq!(notes(&url).await.unwrap(), [""; 0], "it is there, and empty");
    drop_by_hand(&pg, &url).await;
}

#[pgjobq::test]
async fn failing_set_up_is_reported(pg: TestQueue) {
    let _ = pg;
    let set_up = SetUp { name: "broken", run: |_| Box::pin(async { Err("no table".to_owned()) }) };
    let test = Test { set_up: Some(set_up), ..test("set-up") };
    let panic = in_a_thread(|| run(test, async |_: TestQueue| ())).unwrap_err();
    assert_eq!(*panic.downcast::<String>().unwrap(), "the set-up `broken` failed: no table");
}

/// For `kept_database_outlives_the_program`.
#[pgjobq::test]
#[ignore = "it fails"]
async fn fails_on_purpose(pg: TestQueue) {
    note::enqueue(pg.client(), "kept".to_owned()).await.unwrap();
    panic!("as it should");
}

#[tokio::test]
async fn kept_database_outlives_the_program() {
    let folder = std::env::temp_dir().join(format!("pgjobq-kept-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let alone = |test| {
        let mut program = this_program(&["--include-ignored", "--exact", test]);
        program.env_remove("DATABASE_URL").env("XDG_CACHE_HOME", &folder).output().unwrap()
    };
    let failed = String::from_utf8(alone("databases::fails_on_purpose").stdout).unwrap();
    let (_, kept) = failed.split_once("is kept: psql '").expect(&failed);
    let (url, rest) = kept.split_once('\'').unwrap();
    assert!(
        rest.starts_with(" (while its server runs: until the next program that uses it ends)"),
        "{failed}"
    );
    assert_eq!(notes(url).await.unwrap(), ["kept"]);
    assert!(alone("databases::databases_of_two_tests_differ").status.success());
    assert!(notes(url).await.is_none(), "the next program has stopped the server");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn unreachable_server_fails_all_tests_at_once() {
    let mut program = this_program(&["--test-threads=1", "databases::set_up_"]);
    let started = Instant::now();
    let failed = program.env("DATABASE_URL", "postgres://kit:s3cret@127.0.0.1:1/app").output().unwrap();
    let said = String::from_utf8(failed.stdout).unwrap();
    assert_eq!(
        said.matches("the server of DATABASE_URL, 127.0.0.1:1, takes no connection: ").count(),
        3,
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "no pool waits in any of them: {:?}",
        started.elapsed()
    );
}

#[test]
fn malformed_address_of_a_server_names_its_variable() {
    let mut program = this_program(&["databases::set_up_prepares"]);
    let failed = program.env("DATABASE_URL", "kit:s3cret@localhost/app").output().unwrap();
    let said = String::from_utf8(failed.stdout).unwrap();
    let expected =
        "DATABASE_URL is not like postgres://user:password@host/name: it does not begin with postgres://";
    assert!(said.contains(expected) && !said.contains("s3cret"), "{said}");
}

#[test]
fn test_that_leaks_a_connection_ends() {
    let ended = in_a_thread(|| {
        run(test("leaks"), async |pg: TestQueue| {
            let connection = pg.pool().acquire().await.unwrap();
            tokio::spawn(async move {
                let _connection = connection;
                std::future::pending::<()>().await;
            });
        });
    });
    assert!(ended.is_ok());
}

#[test]
fn leak_of_a_set_up_is_reported() {
    let leak = |pool: PgPool| -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>>>> {
        Box::pin(async move {
            std::mem::forget(pool.acquire().await.unwrap());
            Ok(())
        })
    };
    let test = Test { set_up: Some(SetUp { name: "leaks", run: leak }), ..test("set-up leaks") };
    let panic = in_a_thread(|| run(test, async |_: TestQueue| ())).unwrap_err();
    let expected =
        "the set-up `leaks` failed: it has returned, and 5s later a connection of its pool is still in use";
    assert_eq!(*panic.downcast::<String>().unwrap(), expected);
}

fn test(name: &'static str) -> Test {
    Test { name, worker_threads: 0, should_panic: false, set_up: None }
}

/// Some tests of this program, in a process of their own.
fn this_program(arguments: &[&str]) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(arguments);
    program
}

/// Runs a test within a test: on a thread of its own, because a runtime cannot block within another one.
fn in_a_thread<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> std::thread::Result<T> {
    std::thread::spawn(move || catch_unwind(AssertUnwindSafe(test))).join().unwrap()
}

/// Returns the notes that are enqueued in this database; `None` if it does not exist.
async fn notes(url: &str) -> Option<Vec<String>> {
    let mut connection = url.parse::<PgConnectOptions>().unwrap().connect().await.ok()?;
    let notes = "select args ->> 'what' from pgjobq.jobs where kind = 'note'";
    Some(sqlx::query_scalar(notes).fetch_all(&mut connection).await.unwrap())
}

async fn drop_by_hand(pg: &TestQueue, url: &str) {
    let options: PgConnectOptions = url.parse().unwrap();
    let drop = format!("drop database {} with (force)", options.get_database().unwrap());
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(pg.pool()).await.unwrap();
}
