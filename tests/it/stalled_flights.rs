//! A flight is one statement with the jobs of several enqueues. If its runtime, its client or its connection stalls or ends,
//! no call hangs, and other enqueues are delayed only for a moment.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use crate::coalesced::{HELD, Held, one_in_flight};
use crate::error_text::check_says;
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::proxy::Proxy;

on_one_shard!(no_call_hangs_when_the_runtime_of_a_flight_ends);
async fn no_call_hangs_when_the_runtime_of_a_flight_ends(db: TestDb) {
    let mut held = Held::commits(&db).await;
    let first = one_in_flight(&db, &db.client).await;
    // The first waiting caller has its own runtime, so the next flight runs there.
    let elsewhere =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let client = db.client.clone();
    elsewhere.spawn(async move {
        let mut one = std::pin::pin!(double::enqueue(&client, 1));
        assert!(tokio::time::timeout(Duration::ZERO, &mut one).await.is_err());
        waits.send(()).unwrap();
        one.await
    });
    waiting.await.unwrap();
    let mut with_it: Vec<_> = (0..3).map(|n| Box::pin(double::enqueue(&db.client, n))).collect();
    join_all(with_it.iter_mut().map(|one| tokio::time::timeout(Duration::ZERO, one))).await;
    held.let_one_through().await;
    first.await.unwrap().unwrap();
    db.until(&format!("({HELD}) = 1")).await;

    let after_it = join_all((0..3).map(|n| double::enqueue(&db.client, n)));
    let ending = async {
        tokio::task::spawn_blocking(move || drop(elsewhere)).await.unwrap();
        held.let_go().await;
    };
    let started = Instant::now();
    let (with_it, after_it, ()) = tokio::join!(join_all(with_it), after_it, ending);
    assert!(with_it.into_iter().chain(after_it).all(|one| one.unwrap().is_new()));
    assert!(started.elapsed() < Duration::from_secs(9), "no enqueue was late: {:?}", started.elapsed());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flight_on_an_undriven_runtime_delays_others_for_a_moment() {
    let db = TestDb::new(1).await;
    // The flight would go on if its runtime were driven again, which never happens here.
    let held = Held::commits(&db).await;
    let asleep = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = db.client.clone();
    let (fall_asleep, falls_asleep) = tokio::sync::oneshot::channel();
    let asleep = tokio::task::spawn_blocking(move || {
        asleep.block_on(async {
            tokio::select! {
                one = double::enqueue(&client, 1) => panic!("the commit is not blocked: {one:?}"),
                awake = falls_asleep => awake.unwrap(),
            }
        });
        asleep
    });
    db.until(&format!("({HELD}) = 1")).await;
    fall_asleep.send(()).unwrap();
    let asleep = asleep.await.unwrap();
    held.let_go().await;
    in_a_moment(async {
        assert!(double::enqueue(&db.client, 2).await.unwrap().is_new());
        assert!(double::enqueue(&db.client, 3).await.unwrap().is_new());
    })
    .await;
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3);
    tokio::task::spawn_blocking(move || drop(asleep)).await.unwrap();
}

/// Fails after a time far shorter than an enqueue waits for a silent flight, and far longer than it takes on a slow machine.
async fn in_a_moment<T>(doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(9), doing).await.expect("no enqueue is delayed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_held_unpolled_delay_no_other_enqueue() {
    let db = TestDb::new(1).await;
    // An enqueue in flight makes all others wait. They are not polled again until the end.
    let held = Held::commits(&db).await;
    let first = one_in_flight(&db, &db.client).await;
    let mut unpolled: Vec<_> = (0..20).map(|n| Box::pin(double::enqueue(&db.client, n))).collect();
    join_all(unpolled.iter_mut().map(|one| tokio::time::timeout(Duration::ZERO, one))).await;
    held.let_go().await;
    in_a_moment(async {
        for n in 0..10 {
            assert!(double::enqueue(&db.client, n).await.unwrap().is_new());
        }
    })
    .await;
    first.await.unwrap().unwrap();
    let answers = in_a_moment(join_all(unpolled)).await;
    assert!(answers.into_iter().all(|one| one.unwrap().is_new()));
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 31);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_stream_delays_no_other_enqueue() {
    let db = TestDb::new(1).await;
    let mut stream =
        futures_util::stream::iter(0..12).map(|n| double::enqueue(&db.client, n)).buffer_unordered(4);
    let elsewhere = tokio::spawn({
        let client = db.client.clone();
        async move {
            for n in 0..20 {
                in_a_moment(double::enqueue(&client, n)).await.unwrap();
            }
        }
    });
    while let Some(handle) = stream.next().await {
        assert!(handle.unwrap().is_new());
        // The stream is not polled during this enqueue.
        in_a_moment(double::enqueue(&db.client, 1)).await.unwrap();
    }
    elsewhere.await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 44);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_current_thread_runtime_delays_no_other_enqueue() {
    let db = TestDb::new(1).await;
    let held = Held::commits(&db).await;
    let first = one_in_flight(&db, &db.client).await;
    // This caller is the first to wait, so the next flight runs on its runtime. Then its thread is blocked.
    let (waits, waiting) = tokio::sync::oneshot::channel();
    let (unblock, blocked) = std::sync::mpsc::channel::<()>();
    let client = db.client.clone();
    let theirs = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut one = std::pin::pin!(double::enqueue(&client, 1));
            assert!(tokio::time::timeout(Duration::ZERO, &mut one).await.is_err());
            waits.send(()).unwrap();
            blocked.recv().unwrap();
            one.await
        })
    });
    waiting.await.unwrap();
    held.let_go().await;
    first.await.unwrap().unwrap();
    in_a_moment(async {
        for n in 0..5 {
            assert!(double::enqueue(&db.client, n).await.unwrap().is_new());
        }
    })
    .await;
    unblock.send(()).unwrap();
    let own = tokio::task::spawn_blocking(move || theirs.join().unwrap()).await.unwrap();
    assert!(own.unwrap().is_new());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 7);
}

on_one_shard!(no_call_hangs_when_the_client_is_closed);
async fn no_call_hangs_when_the_client_is_closed(db: TestDb) {
    let held = Held::commits(&db).await;
    let client = Client::new(db.pool.clone());
    let in_flight = one_in_flight(&db, &client).await;
    let mut waiting: Vec<_> = (0..3).map(|n| Box::pin(double::enqueue(&client, n))).collect();
    join_all(waiting.iter_mut().map(|one| tokio::time::timeout(Duration::ZERO, one))).await;
    let (others, ()) = tokio::join!(join_all(waiting), async {
        let closing = client.close();
        let letting_go = async {
            tokio::task::yield_now().await; // The client has begun to close by now.
            held.let_go().await;
        };
        tokio::join!(closing, letting_go);
    });
    assert!(in_flight.await.unwrap().unwrap().is_new(), "the enqueue in flight receives its answer");
    for one in others {
        check_says(one, "the client was closed: enqueue before `client.close()`, or with another client");
    }
    check_says(
        double::enqueue(&client, 1).await,
        "the client was closed: enqueue before `client.close()`, or with another client",
    );
    check_says(
        client.enqueue_all((0..2).map(double::job)).await,
        "0 jobs were enqueued, and then jobs 1 to 2 (`double`) could not be: the client was closed: enqueue before `client.close()`, or with another client",
    );
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1);
}

on_one_shard!(close_waits_briefly_for_enqueues_in_flight);
async fn close_waits_briefly_for_enqueues_in_flight(db: TestDb) {
    let held = Held::commits(&db).await;
    let client = Client::new(db.pool.clone());
    let in_flight = one_in_flight(&db, &client).await;
    tokio::time::timeout(Duration::from_secs(20), client.close()).await.expect("the client closes");
    check_says(
        in_flight.await.unwrap(),
        "the client was closed: enqueue before `client.close()`, or with another client",
    );
    held.let_go().await;
    db.until("exists (select from pgjobq.jobs)").await; // The caller received an error, but the job was stored, which is allowed.
}

on_one_shard!(silent_connection_delays_callers_briefly);
async fn silent_connection_delays_callers_briefly(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let held = Held::commits(&db).await;
    let in_flight = one_in_flight(&db, &client).await;
    proxy.silence();
    held.let_go().await;
    proxy.mend(); // For new connections only; the silent one stays silent.
    let others = join_all((0..10).map(|n| double::enqueue(&client, n)));
    for one in tokio::time::timeout(Duration::from_secs(30), others).await.expect("all enqueues are answered")
    {
        assert!(one.unwrap().is_new());
    }
    assert!(in_flight.await.unwrap().unwrap().is_new());
    let after = Instant::now();
    double::enqueue(&client, 1).await.unwrap();
    assert!(after.elapsed() < Duration::from_secs(9), "{:?}", after.elapsed());
}
