//! Counts, pages and previews.

use std::collections::BTreeSet;

use pgjobq::filter::{all, id, ids, kind, queue, state};
use pgjobq::prelude::*;
use pgjobq::{JobState, Priority, enqueue_all};

use super::{HOUR, act_fail, act_greet, tenant, wait_for_tenants};
use crate::harness::TestDb;

on_one_and_eight_shards!(pages_show_every_matching_job_once);
async fn pages_show_every_matching_job_once(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..25).map(|n| act_fail::job(n).attribute("tenant", 1))).await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 25").await;
    worker.shutdown().await.unwrap();
    wait_for_tenants(&db, &[1, 2], 20).await;
    let (mut seen, mut pages, mut page) = (Vec::new(), 1, db.client.jobs(tenant(1)).list(7).await.unwrap());
    loop {
        assert!(page.jobs.len() <= 7);
        seen.extend(page.jobs.iter().map(|job| (job.id, job.state)));
        let Some(place) = page.next else { break };
        // As a link carries it.
        let place = place.to_string().parse().unwrap();
        page = db.client.jobs(tenant(1)).list_after(&place, 7).await.unwrap();
        pages += 1;
    }
    let ready = seen.iter().filter(|(_, state)| *state == JobState::Ready).count();
    let unique: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), unique.len(), ready), (45, 45, 20), "in {pages} pages");
}

on_one_shard!(listed_job_shows_its_state_and_error);
async fn listed_job_shows_its_state_and_error(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let dead = act_fail::job(7).attribute("tenant", 1).enqueue(&db.client).await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 1").await;
    worker.shutdown().await.unwrap();
    let page = db.client.jobs(state(JobState::Dead)).list(10).await.unwrap();
    let [job] = &page.jobs[..] else { panic!("{page:?}") };
    assert_eq!((job.id, job.state, job.attempts, job.failures), (dead.id(), JobState::Dead, 1, 1));
    assert_eq!(
        (&*job.kind, job.queue.as_deref(), job.error.as_deref()),
        ("act_fail", Some("default"), Some("no 7"))
    );
    assert_eq!(job.priority, Priority::Normal);
    assert_eq!(job.attributes, [("tenant".to_owned(), 1.into())].into());
    assert!(page.next.is_none());
    assert!(job.to_string().ends_with("dead `act_fail` in `default` {\"tenant\":1}: no 7"), "{job}");
}

#[job(retries = 3, backoff = "1h")]
async fn act_fail_again(number: u32) -> Result<()> {
    Err(format!("no {number}").into())
}

on_one_shard!(listed_job_shows_its_error_and_why_it_was_cancelled);
async fn listed_job_shows_its_error_and_why_it_was_cancelled(db: TestDb) {
    let waits = act_greet::job("x".into()).delay(HOUR).enqueue(&db.client).await.unwrap();
    let fails = act_fail_again::enqueue(&db.client, 7).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.failures)").await;
    worker.shutdown().await.unwrap();
    for job in [waits.id(), fails.id()] {
        db.client.job(job).cancel().by("ada").because("a wrong\nletter").await.unwrap();
    }
    let listed = db.client.jobs(state(JobState::Cancelled)).list(10).await.unwrap().jobs;
    let mut causes: Vec<_> =
        listed.iter().map(|job| (job.error.as_deref(), job.cancelled_for.as_deref())).collect();
    causes.sort_unstable();
    assert_eq!(causes, [(None, Some("a wrong\nletter")), (Some("no 7"), Some("a wrong\nletter"))]);
    let failed = listed.iter().find(|job| job.id == fails.id()).unwrap().to_string();
    assert!(failed.ends_with(": no 7: cancelled because a wrong"), "{failed}");
}

on_one_and_eight_shards!(ids_select_exactly_those_jobs);
async fn ids_select_exactly_those_jobs(db: TestDb) {
    wait_for_tenants(&db, &[1], 20).await;
    let jobs = db.client.jobs(all()).list(100).await.unwrap().jobs;
    let some: Vec<_> = jobs.iter().map(|job| job.id).take(5).collect();
    assert_eq!(db.client.jobs(id(some[0])).count().await.unwrap().jobs, 1);
    let chosen = db.client.jobs(ids(some.iter().copied()).and(kind("act_greet")));
    assert_eq!(chosen.list(3).await.unwrap().jobs.len(), 3);
    assert_eq!(chosen.cancel().await.unwrap().changed, 5);
    let left: BTreeSet<_> = db
        .client
        .jobs(state(JobState::Ready))
        .list(100)
        .await
        .unwrap()
        .jobs
        .iter()
        .map(|job| job.id)
        .collect();
    assert!(left.len() == 15 && some.iter().all(|id| !left.contains(id)));
    assert_eq!(chosen.requeue().await.unwrap().changed, 5);
}

on_one_and_eight_shards!(count_above_its_limit_is_marked_as_estimated);
async fn count_above_its_limit_is_marked_as_estimated(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 100).await;
    let count = db.client.jobs(tenant(1)).count().await.unwrap();
    assert_eq!((count.jobs, count.exact, count.to_string()), (100, true, "100".to_owned()));
    // The same with a limit of ten rows.
    let counted = "select format('%s %s', jobs, exact) from pgjobq.count_jobs(
        row('{live}', '$.tenant == 1', false, false, false, false, null, null, null, now())::pgjobq.selection, 10)";
    assert_eq!(db.text(&format!("({counted})")).await, "100 f", "the sample is the whole table");
    db.client.jobs(tenant(1)).cancel().await.unwrap();
    let counted = counted.replace("{live}", "{ended}");
    assert_eq!(db.text(&format!("({counted})")).await, "100 f");
}

#[job]
async fn act_hold(ctx: JobContext) -> Result<()> {
    ctx.stop_requested().await;
    Ok(())
}

on_one_shard!(running_job_is_found_behind_many_that_wait);
async fn running_job_is_found_behind_many_that_wait(db: TestDb) {
    db.client.queue("act_waiting").save().await.unwrap();
    // A page and a count read ten thousand jobs at most.
    let waiting = (0..10_100).map(|_| act_hold::job().queue("act_waiting"));
    enqueue_all(&db.client, waiting).await.unwrap();
    act_hold::enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.leases)").await;
    let running = db.client.jobs(state(JobState::Running));
    let page = running.list(10).await.unwrap();
    assert_eq!((page.jobs.len(), page.next.is_none()), (1, true), "{page:?}");
    assert_eq!(page.jobs[0].id, running.newest(10).await.unwrap().jobs[0].id);
    let count = running.count().await.unwrap();
    assert_eq!((count.jobs, count.exact), (1, true));
    let elsewhere = state(JobState::Running).and(queue("act_waiting"));
    assert_eq!(db.client.jobs(elsewhere).count().await.unwrap().jobs, 0);
    assert_eq!(running.cancel().await.unwrap().changed, 1);
    db.until("(select count(*) from pgjobq.finished) = 1").await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(index_by_attribute_finds_its_jobs_at_once);
async fn index_by_attribute_finds_its_jobs_at_once(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 200).await;
    db.client.jobs(all()).cancel().await.unwrap();
    wait_for_tenants(&db, &[1, 2], 200).await;
    wait_for_tenants(&db, &[3], 3).await;
    // At most ten rows of each list and shard are read.
    let counted = |list: &str, tenant: i64| {
        format!(
            "(select format('%s %s', jobs, exact) from pgjobq.count_jobs(row(array['{list}'], '$.tenant == {tenant}', false,
                false, false, false, null, '{{region,tenant}}', '{{1,{tenant}}}', now())::pgjobq.selection, 10))"
        )
    };
    assert_eq!(
        db.text(&counted("live", 3)).await,
        "3 f",
        "a sample, because there are more rows than were read"
    );
    db.client.index_attribute("tenant").await.unwrap();
    assert_eq!(db.text(&counted("live", 3)).await, "3 t");
    assert_eq!(db.text(&counted("ended", 3)).await, "0 t");
    assert_eq!(db.text(&counted("live", 1)).await, "200 f");
    let canceled = db.client.jobs(tenant(1)).cancel().await.unwrap();
    let deleted = db.client.jobs(tenant(2)).delete().await.unwrap();
    assert_eq!((canceled.changed, deleted.changed), (200, 200));
    assert_eq!(db.client.jobs(all()).count().await.unwrap().jobs, 200 + 3 + 400);
    assert_eq!(db.client.jobs(tenant(1)).list(900).await.unwrap().jobs.len(), 400);
}

on_one_shard!(jobs_with_the_attribute_only_do_not_end_a_page);
async fn jobs_with_the_attribute_only_do_not_end_a_page(db: TestDb) {
    db.client.index_attribute("tenant").await.unwrap();
    wait_for_tenants(&db, &[1], 50).await;
    db.client.enqueue_all((0..5).map(|n| act_fail::job(n).attribute("tenant", 1))).await.unwrap();
    let few = db.client.jobs(tenant(1).and(kind("act_fail")));
    assert_eq!(few.list(3).await.unwrap().jobs.len(), 3);
    assert_eq!(few.set_priority(Priority::High).preview().await.unwrap().samples.len(), 5);
    // A batch of one job is one transaction.
    let paced = few.set_priority(Priority::High).rate("1 per hour").start().await.unwrap();
    db.run("select pgjobq.act(null)").await;
    assert_eq!(paced.progress().await.unwrap().changed, 1);
}

on_one_shard!(page_of_no_jobs_has_one);
async fn page_of_no_jobs_has_one(db: TestDb) {
    wait_for_tenants(&db, &[1], 2).await;
    let page = db.client.jobs(all()).list(0).await.unwrap();
    let last = db.client.jobs(all()).list_after(&page.next.unwrap(), 0).await.unwrap();
    assert_eq!((page.jobs.len(), last.jobs.len()), (1, 1));
    assert_ne!(page.jobs, last.jobs);
}

on_one_shard!(preview_shows_the_number_and_ten_jobs);
async fn preview_shows_the_number_and_ten_jobs(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 15).await;
    act_greet::job("later".into())
        .attribute("tenant", 1)
        .delay(super::HOUR)
        .enqueue(&db.client)
        .await
        .unwrap();
    let action = db.client.jobs(tenant(1)).retry_now();
    let preview = action.preview().await.unwrap();
    assert_eq!((preview.count.jobs, preview.samples.len()), (16, 10));
    let text = preview.to_string();
    assert!(text.starts_with("retry_now of 16 jobs: tenant = 1\n  "), "{text}");
    let all = db.client.jobs(tenant(1)).preview().await.unwrap();
    assert!(all.to_string().starts_with("16 jobs: tenant = 1\n  "), "{all}");
    assert_eq!((text.lines().count(), db.number("select count(*) from pgjobq.actions").await), (11, 0));
    assert_eq!(db.client.jobs(tenant(1)).requeue().preview().await.unwrap().count.jobs, 0, "none has ended");
}

on_one_shard!(preview_looks_behind_pages_without_a_job);
async fn preview_looks_behind_pages_without_a_job(db: TestDb) {
    db.run("select pgjobq.enqueue('act_old', '{}') from generate_series(1, 10500)").await;
    let last = act_fail::job(7).enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set attempt = 3, failures = 3 where kind = 'act_fail'").await;
    let late = db.client.jobs("attempts > 2".parse().unwrap());
    let page = late.list(10).await.unwrap();
    assert!(page.jobs.is_empty() && page.next.is_some(), "{page:?}");
    let preview = late.cancel().preview().await.unwrap();
    assert_eq!(preview.samples.iter().map(|job| job.id).collect::<Vec<_>>(), [last.id()]);
    assert!(preview.count.jobs >= 1, "{preview}");
    let none = db.client.jobs("attempts > 7".parse().unwrap()).preview().await.unwrap();
    assert_eq!((none.count.jobs, none.count.exact, none.samples.len()), (0, false, 0));
}

on_one_shard!(named_job_is_found_in_the_list_of_its_outcome);
async fn named_job_is_found_in_the_list_of_its_outcome(db: TestDb) {
    let dead = act_fail::job(7).enqueue(&db.client).await.unwrap();
    let completed = act_greet::job("you".to_owned()).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished) = 2").await;
    worker.shutdown().await.unwrap();
    let requeued = db.client.jobs(ids([dead.id(), completed.id()])).requeue().await.unwrap();
    assert_eq!((requeued.matched, requeued.changed), (1, 1), "{requeued:?}");
}
