//! The databases of tests: each has its own, and its end depends on how the test ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

fn test(name: &'static str) -> Test {
    Test { name, worker_threads: 0, should_panic: false, set_up: None }
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
