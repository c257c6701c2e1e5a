//! Observers that panic, block or enqueue hurt nobody but themselves.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use pgjobq::observe::{Event, Outcome};
use pgjobq::prelude::*;

use super::{Seen, observed_by, worker};
use crate::harness::TestDb;

#[job(retain = "0s")]
async fn observed_badly() -> Result<()> {
    Ok(())
}

#[job]
async fn enqueued_by_observer(_of: String) -> Result<()> {
    Ok(())
}

on_one_shard!(observer_that_panics_gets_every_event_and_delays_nobody);
async fn observer_that_panics_gets_every_event_and_delays_nobody(db: TestDb) {
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&panics);
    let builder = Client::builder(db.pool.clone()).observer(move |_: &Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("an observer that panics, as it should");
    });
    let (client, seen) = observed_by(builder);
    run_jobs(&db, &client, 20).await;
    client.close().await;
    assert_eq!(seen.ended().len(), 20);
    assert_eq!(panics.load(Ordering::SeqCst), seen.all().len());
}

// The observer blocks until the jobs have ended and the worker has shut down, however long that takes.
on_one_shard!(observer_that_blocks_delays_neither_jobs_nor_other_observers);
async fn observer_that_blocks_delays_neither_jobs_nor_other_observers(db: TestDb) {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let late = Seen::default();
    let noted = late.clone();
    let builder = Client::builder(db.pool.clone()).observer(move |event: &Event| {
        let _ = blocked.lock().unwrap().recv();
        noted.note(event);
    });
    let (client, seen) = observed_by(builder);
    run_jobs(&db, &client, 20).await;
    seen.until(|event| matches!(event, Event::Ended(_))).await;
    assert_eq!(late.all().len(), 0, "it blocks still");
    drop(release);
    client.close().await;
    assert_eq!((late.ended().len(), seen.ended().len()), (20, 20), "nothing was lost");
}

// It takes one event, and then blocks until far more have come than may wait.
on_one_shard!(observer_that_blocks_learns_how_many_events_it_missed);
async fn observer_that_blocks_learns_how_many_events_it_missed(db: TestDb) {
    const JOBS: usize = 70_000;
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let (received, missed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (receive, miss) = (Arc::clone(&received), Arc::clone(&missed));
    let builder = Client::builder(db.pool.clone()).observer(move |event: &Event| {
        let _ = blocked.lock().unwrap().recv();
        match event {
            Event::Enqueued(_) => _ = receive.fetch_add(1, Ordering::SeqCst),
            Event::Dropped(dropped) => _ = miss.fetch_add(dropped.count as usize, Ordering::SeqCst),
            _ => {}
        }
    });
    let client = builder.build().unwrap();
    // Each statement is one more event.
    client.enqueue_all((0..JOBS).map(|_| observed_badly::job())).await.unwrap();
    drop(release);
    client.close().await;
    let (received, missed) = (received.load(Ordering::SeqCst), missed.load(Ordering::SeqCst));
    assert!(received < JOBS && received + missed >= JOBS, "{received} received, {missed} missed");
    assert!(received + missed <= JOBS + JOBS / 100, "{received} received, {missed} missed");
}

on_one_shard!(client_closes_beside_an_observer_that_blocks);
async fn client_closes_beside_an_observer_that_blocks(db: TestDb) {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let builder = Client::builder(db.pool.clone()).observer(move |_: &Event| {
        let _ = blocked.lock().unwrap().recv();
    });
    let client = builder.build().unwrap();
    observed_badly::enqueue(&client).await.unwrap();
    tokio::time::timeout(crate::harness::PATIENCE, client.close())
        .await
        .expect("it does not wait without end");
    drop(release);
}

// The thread of an observer has no runtime: it uses the program's, and a client that it does not observe.
on_one_shard!(observer_enqueues_jobs_itself);
async fn observer_enqueues_jobs_itself(db: TestDb) {
    let (unobserved, runtime) = (db.client.clone(), tokio::runtime::Handle::current());
    let builder = Client::builder(db.pool.clone()).observer(move |event: &Event| {
        if let Event::Ended(ended) = event
            && ended.job.kind == "observed_badly"
            && ended.outcome == Outcome::Completed
        {
            let enqueued = enqueued_by_observer::enqueue(&unobserved, ended.job.id.to_string());
            runtime.block_on(enqueued).unwrap();
        }
    });
    let (client, seen) = observed_by(builder);
    client.enqueue_all((0..5).map(|_| observed_badly::job())).await.unwrap();
    let worker = worker(&client).build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished where kind = 'enqueued_by_observer') = 5").await;
    worker.shutdown().await.unwrap();
    client.close().await;
    assert_eq!(seen.ended().len(), 10);
}

on_one_shard!(dropped_client_delivers_the_rest_and_ends_its_threads);
async fn dropped_client_delivers_the_rest_and_ends_its_threads(db: TestDb) {
    struct Ends(Seen, #[allow(dead_code)] mpsc::Sender<()>); // The sender is dropped with the observer.
    impl pgjobq::observe::Observer for Ends {
        fn on_event(&self, event: &Event) {
            self.0.note(event);
        }
    }
    let (seen, (end, ended)) = (Seen::default(), mpsc::channel());
    let client = Client::builder(db.pool.clone()).observer(Ends(seen.clone(), end)).build().unwrap();
    observed_badly::enqueue(&client).await.unwrap();
    drop(client);
    let ended =
        tokio::task::spawn_blocking(move || ended.recv_timeout(crate::harness::PATIENCE)).await.unwrap();
    assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected), "the thread has dropped its observer");
    assert_eq!(seen.count(|event| matches!(event, Event::Enqueued(_))), 1);
}

async fn run_jobs(db: &TestDb, client: &Client, jobs: usize) {
    client.enqueue_all((0..jobs).map(|_| observed_badly::job())).await.unwrap();
    let worker = worker(client).build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    let shut_down = tokio::time::timeout(crate::harness::PATIENCE, worker.shutdown()).await;
    shut_down.expect("a shutdown does not wait for observers without end").unwrap();
}
