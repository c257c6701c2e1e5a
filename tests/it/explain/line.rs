//! A job that workers may take: in line, behind slots that are taken, or in quarantine.

use pgjobq::Cause;
use pgjobq::prelude::*;

use super::{claim, explained, first_cause, register, said};
use crate::harness::TestDb;

on_one_shard!(job_in_line_says_how_many_are_before_it);
async fn job_in_line_says_how_many_are_before_it(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 3).await;
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    assert_eq!(
        said(&db, job).await.1,
        "It is next in the line of its queue `default`, and 3 slots are free: a worker takes it within moments."
    );
    // Later jobs are behind it, unless their priority is higher.
    explained::enqueue(&db.client, 2).await.unwrap();
    for number in 0..6 {
        explained::job(number).priority(Priority::High).enqueue(&db.client).await.unwrap();
    }
    let line = "It is in the line of its queue `default` behind 6 jobs. None of its jobs has ended in the last minute.";
    assert_eq!(said(&db, job).await, (vec!["in_line".to_owned()], line.to_owned()));
    db.run(
        "insert into pgjobq.rates (shard, queue_id, at, completed, failed)
            select 0, queue_id, clock_timestamp() + interval '1 hour', 5, 1 from pgjobq.lanes",
    )
    .await;
    let (_, sentence) = said(&db, job).await;
    assert!(
        sentence.ends_with("behind 6 jobs. At 0.1 a second, as in the last minute, that takes 60 seconds."),
        "{sentence}"
    );
    // Jobs that run are not before it.
    claim(&db, 1, "explained", 2).await;
    let in_line =
        Cause::InLine { queue: "default".to_owned(), behind: 4, exact: true, per_second: 0.1, free_slots: 1 };
    assert_eq!(first_cause(&db, job).await, in_line);
}

on_one_and_eight_shards!(taken_slots_are_counted_over_all_workers);
async fn taken_slots_are_counted_over_all_workers(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 2).await;
    register(&db, 2, "w2", "default", "explained", 3).await;
    register(&db, 3, "w3", "default", "other", 9).await;
    db.client.enqueue_all((0..400).map(explained::job)).await.unwrap();
    let last = "select id::text from pgjobq.jobs order by ticket desc limit 1";
    let last: JobId = db.text(last).await.parse().unwrap();
    // Each claim takes its jobs from every shard, which has about fifty.
    claim(&db, 1, "explained", 2).await;
    assert_eq!(said(&db, last).await.0, ["in_line"]);
    claim(&db, 2, "explained", 3).await;
    let (codes, sentence) = said(&db, last).await;
    assert_eq!(codes, ["busy", "in_line"]);
    assert!(
        sentence.starts_with("All 5 slots of the 2 workers that can run it are taken, the last one since "),
        "{sentence}"
    );
    let Cause::Busy { workers: 2, slots: 5, since } = first_cause(&db, last).await else {
        panic!("{sentence}")
    };
    let latest = db.number("select extract(epoch from max(claimed_at)) * 1000000 from pgjobq.leases").await;
    assert_eq!(
        since.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros(),
        latest.unsigned_abs().into()
    );
}

on_one_shard!(quarantined_job_says_why_and_behind_how_many);
async fn quarantined_job_says_why_and_behind_how_many(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    let mut jobs = Vec::new();
    for number in 0..3 {
        jobs.push(explained::enqueue(&db.client, number).await.unwrap().id());
    }
    db.run("update pgjobq.jobs set crashes = 1").await;
    explained::enqueue(&db.client, 4).await.unwrap(); // It waits in the other line.
    let why = "It is in quarantine, because it was running when its worker died, once (`max_crashes` is 3).";
    assert_eq!(
        said(&db, jobs[2]).await,
        (
            vec!["quarantined".to_owned()],
            format!("{why} 2 jobs are before it there. A worker runs only a few quarantined jobs at a time.")
        )
    );
    assert!(said(&db, jobs[0]).await.1.starts_with(&format!("{why} It is next there. ")));
    db.run("update pgjobq.jobs set crashes = 2 where crashes = 1").await;
    let (_, sentence) = said(&db, jobs[1]).await;
    let rest = "2 times (`max_crashes` is 3). 1 job is before it there. It starts while no other quarantined job runs in its worker.";
    assert!(sentence.ends_with(rest), "{sentence}");
}

on_one_shard!(due_retry_of_a_crashed_job_is_not_quarantined_yet);
async fn due_retry_of_a_crashed_job_is_not_quarantined_yet(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    db.run("update pgjobq.jobs set crashes = 1, ticket = null, run_at = now() - interval '1 minute'").await;
    db.run(
        "insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, ticket, retries, max_crashes, crashes, created_at)
         select 0, gen_random_uuid(), queue_id, 3, 'explained', '{}', nextval('pgjobq.ticket'), 1, 3, 1, now()
           from pgjobq.jobs, generate_series(1, 10001)",
    )
    .await;
    assert_eq!(said(&db, job).await.0, ["due"]);
}

on_one_shard!(long_line_is_counted_to_ten_thousand_and_then_estimated);
async fn long_line_is_counted_to_ten_thousand_and_then_estimated(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    explained::enqueue(&db.client, 1).await.unwrap();
    db.run(
        "insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, ticket, retries, max_crashes, created_at)
         select 0, gen_random_uuid(), queue_id, 1, 'explained', '{}', nextval('pgjobq.ticket'), 1, 1, now()
           from pgjobq.jobs, generate_series(1, 20000)",
    )
    .await;
    let nth = async |n: u32| {
        let id = format!("select id::text from pgjobq.jobs order by ticket offset {n} limit 1");
        first_cause(&db, db.text(&id).await.parse().unwrap()).await
    };
    let Cause::InLine { behind, exact, .. } = nth(10_000).await else { panic!() };
    assert_eq!((behind, exact), (10_000, true));
    let Cause::InLine { behind, exact, .. } = nth(20_000).await else { panic!() };
    assert!(behind > 10_000 && !exact, "{behind}");
}

on_one_shard!(slots_of_a_large_fleet_are_counted_to_a_thousand);
async fn slots_of_a_large_fleet_are_counted_to_a_thousand(db: TestDb) {
    for worker in 1..=4 {
        register(&db, worker, "w", "default", "explained", 400).await;
    }
    db.client.enqueue_all((0..1300).map(explained::job)).await.unwrap();
    let last =
        db.text("select id::text from pgjobq.jobs order by ticket desc limit 1").await.parse().unwrap();
    for worker in 1..=3 {
        claim(&db, worker, "explained", 400).await;
    }
    let (codes, sentence) = said(&db, last).await;
    assert_eq!(codes, ["busy", "in_line"]);
    assert!(
        sentence.starts_with("All 1200 slots of 3 of the 4 workers that can run it are taken"),
        "{sentence}"
    );
    // A worker that waits for jobs is looked at first.
    db.run("update pgjobq.workers set idle = array[(select id from pgjobq.queues where name = 'default')] where id = 4").await;
    let (codes, _) = said(&db, last).await;
    assert_eq!(codes, ["in_line"]);
    let Cause::InLine { free_slots: 400, behind: 99, .. } = first_cause(&db, last).await else { panic!() };
}
