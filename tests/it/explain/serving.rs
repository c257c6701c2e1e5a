//! A job that no worker takes: its queue, or the workers that live.

use std::time::Duration;

use pgjobq::filter::attribute;
use pgjobq::prelude::*;
use pgjobq::{Cause, PauseScope};

use super::{explained, first_cause, register, said};
use crate::harness::{PATIENCE, TestDb};

on_one_and_eight_shards!(job_without_a_worker_says_what_workers_take);
async fn job_without_a_worker_says_what_workers_take(db: TestDb) {
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["no_worker"]);
    assert_eq!(sentence, "No worker is live: none has sent a heartbeat within its lease.");

    register(&db, 1, "w1", "mail,reports", "explained", 9).await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["no_worker"]);
    assert_eq!(
        sentence,
        "No live worker takes its queue `default`. Live workers take: `mail`, `reports`. Start one with `.queue(\"default\", ...)`, or \
         move the job."
    );

    // A worker that has been silent for longer than its lease is not live.
    register(&db, 2, "w2", "default", "explained", 9).await;
    assert_eq!(said(&db, job).await.0, ["in_line"]);
    db.run("update pgjobq.workers set seen_at = now() - interval '2 hours' where id = 2").await;
    let served = vec!["mail".to_owned(), "reports".to_owned()];
    assert_eq!(first_cause(&db, job).await, Cause::NoWorker { queue: "default".to_owned(), served });
}

on_one_shard!(kind_that_no_worker_knows_is_named);
async fn kind_that_no_worker_knows_is_named(db: TestDb) {
    register(&db, 1, "w1", "default", "other", 9).await;
    db.run("delete from pgjobq.kinds").await;
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["unknown_kind"]);
    assert_eq!(
        sentence,
        "One live worker takes its queue `default`, and none of them can run its kind `explained`: no program has recorded this kind, so \
         it is misspelt, or no program links its crate."
    );
    register(&db, 2, "w2", "default", "other", 9).await;
    db.client.migrate().await.unwrap(); // Records the kinds of this program.
    let (_, sentence) = said(&db, job).await;
    assert_eq!(
        sentence,
        "2 live workers take its queue `default`, and none of them can run its kind `explained`: start one whose program has this job \
         function, or give a job function this alias."
    );
    let unknown =
        Cause::UnknownKind { queue: "default".to_owned(), kind: "explained".to_owned(), workers: 2 };
    assert_eq!(first_cause(&db, job).await, unknown);
}

on_one_shard!(scheduled_job_also_says_that_nobody_will_take_it);
async fn scheduled_job_also_says_that_nobody_will_take_it(db: TestDb) {
    let job = explained::job(1).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap().id();
    assert_eq!(said(&db, job).await.0, ["scheduled", "no_worker"]);
}

on_one_shard!(job_of_a_deleted_or_missing_queue_says_so);
async fn job_of_a_deleted_or_missing_queue_says_so(db: TestDb) {
    register(&db, 1, "w1", "attic", "explained", 9).await;
    db.client.queue("attic").save().await.unwrap();
    let job = explained::job(1).queue("attic").enqueue(&db.client).await.unwrap().id();
    db.run("select pgjobq.delete_queue('attic')").await; // Workers empty it later; none runs here.
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["queue_deleted"]);
    assert!(sentence.starts_with("Its queue `attic` was deleted at "), "{sentence}");
    db.run("update pgjobq.jobs set queue_id = 4711").await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["no_queue"]);
    assert!(sentence.starts_with("Its queue does not exist: no queue has the id 4711."), "{sentence}");
}

on_one_shard!(pauses_of_queue_kind_and_key_are_named);
async fn pauses_of_queue_kind_and_key_are_named(db: TestDb) {
    register(&db, 1, "w1", "default", "explained", 9).await;
    let job = explained::job(1).key("tenant:42").enqueue(&db.client).await.unwrap().id();
    db.run("select pgjobq.pause('queue', 'default', reason => 'the provider is down', by => 'ada')").await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["paused"]);
    assert!(sentence.starts_with("Its queue `default` is paused since "), "{sentence}");
    assert!(
        sentence.contains(" by ada (role `")
            && sentence.ends_with("until somebody resumes it: the provider is down.")
    );
    assert_eq!(
        db.text("select string_agg(queue, ',') from pgjobq.queue_overview where paused").await,
        "default"
    );
    let Cause::Paused { scope, name, by, until: None, .. } = first_cause(&db, job).await else { panic!() };
    assert_eq!((scope, &*name, &*by), (PauseScope::Queue, "default", "ada"));

    db.run("select pgjobq.resume('queue', 'default')").await;
    db.run("select pgjobq.pause('kind', 'explained', until => now() + interval '30 minutes 30 seconds')")
        .await;
    db.run("select pgjobq.pause('key', 'tenant:42')").await;
    let (codes, sentence) = said(&db, job).await;
    assert_eq!(codes, ["paused", "paused"]);
    assert!(
        sentence.contains("Its kind `explained` is paused since ") && sentence.contains("(in 30 minutes)"),
        "{sentence}"
    );
    assert!(sentence.contains("Its key `tenant:42` is paused since "), "{sentence}");
    // Those of others, and those that are over, do not concern it.
    db.run("select pgjobq.resume('key', 'tenant:42')").await;
    db.run("select pgjobq.pause('key', 'tenant:43')").await;
    db.run("update pgjobq.pauses set until = now() - interval '1 second' where scope = 'kind'").await;
    assert_eq!(said(&db, job).await.0, ["in_line"]);
}

on_one_and_eight_shards!(statistics_count_jobs_that_no_worker_accepts);
async fn statistics_count_jobs_that_no_worker_accepts(db: TestDb) {
    db.client.enqueue_all((0..30).map(explained::job)).await.unwrap();
    let counted = async || {
        let stats = db.client.queue("default").stats().await.unwrap().unwrap();
        let shown = db.number("select unaccepted from pgjobq.queue_overview where queue = 'default'").await;
        assert_eq!(stats.unaccepted, shown.unsigned_abs());
        stats.unaccepted
    };
    let near = counted().await;
    assert_eq!(
        near,
        db.number("select sum(least(20, n)) from (select count(*) as n from pgjobq.jobs group by shard) s")
            .await
            .unsigned_abs()
    );
    register(&db, 1, "w1", "default", "other", 9).await;
    assert_eq!(counted().await, near);
    register(&db, 2, "w2", "default", "explained", 9).await;
    assert_eq!(counted().await, 0);
}

on_one_shard!(unaccepted_jobs_are_compared_with_different_workers_only);
async fn unaccepted_jobs_are_compared_with_different_workers_only(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    db.run("update pgjobq.workers set filter = 'slow', filter_path = '$.text like_regex \"a.{30}z\"'").await;
    let text = "ab".repeat(1000);
    db.client.enqueue_all((0..20).map(|n| explained::job(n).attribute("text", text.clone()))).await.unwrap();
    // The fastest of five, in microseconds.
    let took = async || {
        db.number("select min(took) from (select pgjobq_took() as took from generate_series(1, 5)) runs")
            .await
    };
    db.run(
        "create function pgjobq_took() returns float language plpgsql as $$
         declare v_began timestamptz := clock_timestamp();
         begin
             perform pgjobq.unaccepted(0::smallint, queue_id) from pgjobq.lanes limit 1;
             return extract(epoch from clock_timestamp() - v_began) * 1000000;
         end $$",
    )
    .await;
    let one = took().await;
    db.run(
        "insert into pgjobq.workers (shard, id, name, lease, queues, kinds, slots, filter, filter_path)
         select shard, n, name, lease, queues, kinds, slots, filter, filter_path
           from pgjobq.workers, generate_series(2, 200) n",
    )
    .await;
    let many = took().await;
    assert!(many < 50 * one, "{one} and {many} us");
    assert_eq!(db.number("select unaccepted from pgjobq.queue_overview where queue = 'default'").await, 20);
}

on_one_shard!(job_that_no_filter_matches_names_the_filters);
async fn job_that_no_filter_matches_names_the_filters(db: TestDb) {
    let eu = db.worker().accept(attribute("region").eq("eu")).build().await.unwrap().start();
    let rich = db.worker().accept(attribute("size").gt(7)).build().await.unwrap().start();
    db.until("2 = (select count(distinct id) from pgjobq.workers)").await;
    let job = explained::job(1).attribute("region", "us").enqueue(&db.client).await.unwrap();
    let (codes, sentence) = said(&db, job.id()).await;
    assert_eq!(codes, ["not_accepted"]);
    assert_eq!(
        sentence,
        "2 live workers can run it, and none accepts it. Its attributes are {\"region\": \"us\"}; they accept: `region = 'eu'` (1 \
         worker), `size > 7` (1 worker)."
    );
    let filters = vec!["region = 'eu'".to_owned(), "size > 7".to_owned()];
    let refused = Cause::NotAccepted { queue: "default".to_owned(), workers: 2, filters };
    assert_eq!(first_cause(&db, job.id()).await, refused);
    let accepts = "select string_agg(accepts, ' / ' order by accepts) from pgjobq.workers_overview";
    assert_eq!(db.text(accepts).await, "region = 'eu' / size > 7");
    assert_eq!(db.client.queue("default").stats().await.unwrap().unwrap().unaccepted, 1);

    // A worker without a filter takes it.
    let all = db.worker().build().await.unwrap().start();
    assert_eq!(job.wait(&db.client).await.unwrap(), Outcome::Completed(()));
    for worker in [eu, rich, all] {
        worker.shutdown().await.unwrap();
    }
}

/// Returns when the condition holds; panics at the timeout.
async fn until(holds: impl Fn() -> bool) {
    let looked = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.expect("the condition becomes true");
}

on_one_shard!(worker_reports_jobs_that_no_worker_accepts);
async fn worker_reports_jobs_that_no_worker_accepts(db: TestDb) {
    let worker = db.worker().accept(attribute("region").eq("eu")).build().await.unwrap().start();
    let job = explained::enqueue(&db.client, 1).await.unwrap().id();
    db.run("update pgjobq.jobs set created_at = now() - interval '1 hour'").await;
    let problem = format!(
        "jobs of the kind `explained` wait in the queue `default`, and no live worker accepts them: `select * from \
         pgjobq.explain('{job}')` says why"
    );
    until(|| worker.health().problems == [problem.as_str()]).await;
    // Another worker accepts them: this one has nothing to report any more.
    register(&db, 9, "w9", "default", "explained", 1).await;
    until(|| worker.health().problems.is_empty()).await;
    worker.shutdown().await.unwrap();
}
