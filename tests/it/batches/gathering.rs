//! A call begins when it is complete, or when its first job has waited for long enough. It takes one slot.

use std::time::{Duration, Instant};

use pgjobq::prelude::*;

use super::{ALL_ENDED, Item, calls, enqueue, four, hold, items, many, note, start};
use crate::harness::TestDb;
use crate::probe::Probe;

on_one_and_eight_shards!(complete_calls_begin_at_once_and_run_each_job_once);
async fn complete_calls_begin_at_once_and_run_each_job_once(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, four::job, &probe, 0..40).await;
    let began = Instant::now();
    let worker = start(&db, 3).await;
    db.until(ALL_ENDED).await;
    assert!(began.elapsed() < Duration::from_secs(40), "ten calls that wait would take this long");
    worker.shutdown().await.unwrap();
    let calls = calls(&probe);
    assert!(calls.iter().all(|call| call.len() == 4), "{calls:?}");
    let mut numbers: Vec<u32> = calls.concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    assert!(probe.runs().iter().all(|(_, attempt)| *attempt == 1));
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 40);
}

on_one_shard!(incomplete_call_begins_when_its_first_job_has_waited);
async fn incomplete_call_begins_when_its_first_job_has_waited(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 3).await;
    let began = Instant::now();
    enqueue(&db, four::job, &probe, 0..3).await;
    db.until(ALL_ENDED).await;
    assert!(began.elapsed() >= Duration::from_secs(5), "the fourth job may still come");
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe), [[0, 1, 2]], "in the order in which they came");
}

on_one_shard!(jobs_that_come_one_by_one_share_a_call);
async fn jobs_that_come_one_by_one_share_a_call(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    for number in 0..8 {
        enqueue(&db, four::job, &probe, number..number + 1).await;
    }
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe).iter().map(Vec::len).sum::<usize>(), 8);
    assert!(calls(&probe).len() < 8, "{:?}", calls(&probe));
}

on_one_shard!(call_occupies_one_slot);
async fn call_occupies_one_slot(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, hold::job, &probe, 0..12).await;
    let worker = start(&db, 2).await;
    probe.until(|probe| probe.running() == 2).await;
    assert_eq!(calls(&probe).concat().len(), 6);
    probe.gate.add_permits(4);
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!((probe.most(), calls(&probe).len()), (2, 4));
}

/// Notes the number of jobs of each lease in the table `public.seen`.
const SEE_LEASES: &str = "create table public.seen (jobs bigint not null);
    create function public.see() returns trigger language plpgsql as $$ begin
        insert into public.seen select sum(upper(range) - lower(range)) from unnest(new.tickets) range;
        return new;
    end $$;
    create trigger see after insert on pgjobq.leases for each row execute function public.see()";

on_one_shard!(claims_fill_calls_beyond_the_free_slots);
async fn claims_fill_calls_beyond_the_free_slots(db: TestDb) {
    db.run(SEE_LEASES).await;
    let probe = Probe::new();
    enqueue(&db, many::job, &probe, 0..3000).await;
    let worker = start(&db, 2).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let claims = db.number("select count(*) from public.seen").await;
    assert!(claims < 300, "{claims} claims");
    let calls = calls(&probe);
    assert!((30..300).contains(&calls.len()), "{} calls", calls.len());
    assert!(calls.iter().all(|call| call.len() <= 100));
}

/// Has arguments of half a megabyte.
#[job(kind = "batches_large", batch = 1000, within = "5s", retries = 0)]
async fn large(items: Batch<(Item, String)>) {
    let first = items.iter().next().expect("a batch is never empty").0;
    Probe::of(first.probe).reached.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
}

on_one_shard!(call_is_complete_with_eight_megabytes);
async fn call_is_complete_with_eight_megabytes(db: TestDb) {
    let probe = Probe::new();
    let text = "x".repeat(500 << 10);
    let jobs = items(&probe, 0..40).into_iter().map(|item| large::job((item, text.clone())));
    db.client.enqueue_all(jobs).await.unwrap();
    let worker = start(&db, 1).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert!(probe.reached() >= 3, "20 MB in {} calls", probe.reached());
}

/// Takes what belongs to a customer.
#[job(kind = "batches_of_key", batch = 10, within = "200ms", key = item.number % 3, batch_by = key, retries = 0)]
async fn of_key(item: Batch<Item>) {
    note(&item);
}

on_one_and_eight_shards!(call_by_key_has_jobs_of_one_key);
async fn call_by_key_has_jobs_of_one_key(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, of_key::job, &probe, 0..90).await;
    let other = of_key::job(Item { probe: probe.number, number: 91 }).key("another");
    other.enqueue(&db.client).await.unwrap();
    let worker = start(&db, 2).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let calls = calls(&probe);
    assert!(calls.iter().all(|call| call.iter().all(|number| number % 3 == call[0] % 3)), "{calls:?}");
    assert_eq!(calls.concat().len(), 91);
    assert!(calls.contains(&vec![91]), "the key of a call counts");
    assert!(calls.len() < 60, "{calls:?}");
}

on_one_shard!(job_that_must_not_run_twice_waits_for_no_other);
async fn job_that_must_not_run_twice_waits_for_no_other(db: TestDb) {
    let probe = Probe::new();
    let once = |item| four::job(item).max_crashes(0);
    enqueue(&db, once, &probe, 0..3).await;
    let worker = start(&db, 5).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let mut calls = calls(&probe);
    calls.sort_unstable();
    assert_eq!(calls, [[0], [1], [2]]);
}

on_one_shard!(two_workers_share_no_job);
async fn two_workers_share_no_job(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, many::job, &probe, 0..2000).await;
    let other = Client::new(db.pool.clone());
    let other = Worker::builder(&other).queue("default", 3).poll_interval(Duration::from_millis(200));
    let (one, other) = (start(&db, 3).await, other.build().await.unwrap().start());
    db.until(ALL_ENDED).await;
    one.shutdown().await.unwrap();
    other.shutdown().await.unwrap();
    let mut numbers = calls(&probe).concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
}

on_one_shard!(worker_with_an_observer_sees_each_item);
async fn worker_with_an_observer_sees_each_item(db: TestDb) {
    use pgjobq::observe::Event;
    let (client, seen) = crate::observed::observed(&db);
    let probe = Probe::new();
    let worker = Worker::builder(&client).queue("default", 2).build().await.unwrap().start();
    enqueue(&db, four::job, &probe, 0..4).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!(seen.count(|event| matches!(event, Event::Started(_))), 4);
    assert_eq!(seen.ended().len(), 4);
}
