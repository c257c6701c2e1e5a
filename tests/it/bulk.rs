//! `enqueue_all`: many jobs in few statements.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{AnyJob, enqueue_all};

use sqlx::postgres::PgPoolOptions;

use crate::error_text::whole;
use crate::harness::TestDb;
use crate::probe::end_of;

#[job]
async fn number(n: u32) -> Result<u32> {
    Ok(n)
}

#[job(priority = "low")]
async fn word(text: String) -> Result<String> {
    Ok(text)
}

on_one_and_eight_shards!(jobs_of_many_kinds_go_together);
async fn jobs_of_many_kinds_go_together(db: TestDb) {
    let jobs: Vec<AnyJob> =
        vec![number::job(1).into(), word::job("two".to_owned()).into(), number::job(3).into()];
    let enqueued = db.client.enqueue_all(jobs).await.unwrap();
    assert_eq!((enqueued.new, enqueued.duplicates), (3, 0));
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished) = 3").await;
    assert_eq!(
        db.number("select count(*) from pgjobq.finished where output in ('1', '\"two\"', '3')").await,
        3
    );
    worker.shutdown().await.unwrap();
}

on_one_shard!(spawned_task_enqueues_mapped_borrowed_values);
async fn spawned_task_enqueues_mapped_borrowed_values(db: TestDb) {
    let (client, orders) = (db.client.clone(), vec!["one".to_owned(), "two".to_owned()]);
    let enqueued =
        tokio::spawn(
            async move { client.enqueue_all(orders.iter().map(|name| word::job(name.clone()))).await },
        );
    assert_eq!(enqueued.await.unwrap().unwrap().new, 2);
}

on_one_shard!(earlier_job_is_not_mistaken_for_the_sent_one);
async fn earlier_job_is_not_mistaken_for_the_sent_one(db: TestDb) {
    // A pool that does not test a connection before it lends it.
    let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
    let client = Client::new(pool.connect_with(db.options.clone()).await.unwrap());
    let worker = db.worker().build().await.unwrap().start();
    let id = JobId::new();
    let job = number::job(1).id(id).enqueue(&client).await.unwrap();
    let _ = end_of(&db.client, &job).await;
    worker.shutdown().await.unwrap();
    let connection: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(client.pool()).await.unwrap();
    db.run(&format!("select pg_terminate_backend({connection})")).await;
    db.until(&format!("not exists (select from pg_stat_activity where pid = {connection})")).await;
    assert!(number::job(2).id(id).enqueue(&client).await.unwrap().is_new());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1, "it is there again");
    client.close().await;
}

on_one_and_eight_shards!(duplicates_are_counted_and_change_nothing);
async fn duplicates_are_counted_and_change_nothing(db: TestDb) {
    let ids: Vec<JobId> = (0..2500).map(|_| JobId::new()).collect();
    let first = db.client.enqueue_all(ids[..1500].iter().map(|id| number::job(1).id(*id))).await.unwrap();
    assert_eq!((first.new, first.duplicates), (1500, 0));
    let again = db.client.enqueue_all(ids.iter().map(|id| number::job(2).id(*id))).await.unwrap();
    assert_eq!((again.new, again.duplicates), (1000, 1500));
    // The same within one batch.
    let twice =
        db.client.enqueue_all([7, 8].map(|n| number::job(n).id(uuid::Uuid::from_u128(5)))).await.unwrap();
    assert_eq!((twice.new, twice.duplicates), (1, 1));
    assert_eq!(db.number("select count(*) from pgjobq.jobs where args ->> 'n' = '1'").await, 1500);
}

on_one_shard!(transaction_enqueues_all_or_nothing);
async fn transaction_enqueues_all_or_nothing(db: TestDb) {
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(enqueue_all(&mut *tx, (0..2500).map(number::job)).await.unwrap().new, 2500);
    tx.rollback().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(enqueue_all(&mut *tx, (0..2500).map(number::job)).await.unwrap().new, 2500);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0, "not before the commit");
    tx.commit().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2500);
}

on_one_shard!(first_mistake_ends_the_call_and_reports_the_count);
async fn first_mistake_ends_the_call_and_reports_the_count(db: TestDb) {
    let jobs = (0..3000).map(|n| if n == 2100 { number::job(n).queue("nowhere") } else { number::job(n) });
    let error = db.client.enqueue_all(jobs).await.unwrap_err();
    assert_eq!(error.enqueued.new, 2000, "in statements of a thousand");
    assert_eq!(
        whole(&error),
        "2000 jobs were enqueued, and then jobs 2001 to 3000 (`number`) could not be: there is no queue `nowhere`: create it once with \
         `client.queue(\"nowhere\").save().await?`, or let `client.migrate()` record the queues of the jobs linked into \
         the program",
    );
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 2000);
}

/// Makes statements fail that insert more than `most` jobs, as a `statement_timeout` would. The sequence `refused` counts them,
/// and `refused_batches` those of several jobs.
async fn refuse_more_than(db: &TestDb, most: u32) {
    db.run(&format!(
        "create sequence refused;
         create sequence refused_batches;
         create function refuse() returns trigger language plpgsql as $$ begin
             if (select count(*) from inserted) > {most} then
                 perform nextval('public.refused');
                 if (select count(*) from inserted) > 1 then
                     perform nextval('public.refused_batches');
                 end if;
                 raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled';
             end if;
             return null;
         end $$;
         create trigger refuse after insert on pgjobq.jobs referencing new table as inserted
            for each statement execute function refuse()"
    ))
    .await;
}

on_one_shard!(batch_that_times_out_is_sent_in_halves);
async fn batch_that_times_out_is_sent_in_halves(db: TestDb) {
    refuse_more_than(&db, 300).await;
    assert_eq!(db.client.enqueue_all((0..3000).map(number::job)).await.unwrap().new, 3000);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 3000);
    assert!(db.number("select last_value from refused").await < 5, "later batches are as small");
    let mut tx = db.pool.begin().await.unwrap();
    let error = enqueue_all(&mut *tx, (0..500).map(number::job)).await.unwrap_err();
    assert!(whole(&error).contains("canceling statement due to statement timeout"), "{error:?}");
}

on_one_shard!(batch_that_always_times_out_is_not_sent_again);
async fn batch_that_always_times_out_is_not_sent_again(db: TestDb) {
    refuse_more_than(&db, 0).await;
    let client = Client::builder(db.pool.clone()).enqueue_timeout(Duration::from_secs(8)).build().unwrap();
    let error = client.enqueue_all((0..8).map(number::job)).await.unwrap_err();
    assert!(whole(&error).contains("canceling statement due to statement timeout"), "{error:?}");
    assert_eq!((error.enqueued.new, error.positions.clone(), error.unsent_from), (0, vec![0], 1));
    assert_eq!(db.number("select last_value from refused_batches").await, 3, "of 8, 4 and 2");
    assert!(db.number("select last_value from refused").await > 5, "a single job is sent until the deadline");
}

on_one_shard!(failed_half_is_named_without_the_committed_one);
async fn failed_half_is_named_without_the_committed_one(db: TestDb) {
    refuse_more_than(&db, 4).await;
    db.run(
        "create function refuse_six() returns trigger language plpgsql as $$ begin
             if exists (select from inserted where args ->> 'n' = '6') then
                 raise exception 'six is refused' using errcode = 'invalid_parameter_value';
             end if;
             return null;
         end $$;
         create trigger refuse_six after insert on pgjobq.jobs referencing new table as inserted
            for each statement execute function refuse_six()",
    )
    .await;
    let error = db.client.enqueue_all((0..8).map(number::job)).await.unwrap_err();
    assert!(whole(&error).contains("six is refused"), "{error:?}");
    assert_eq!((error.enqueued.new, error.positions.clone(), error.unsent_from), (4, vec![4, 5, 6, 7], 8));
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 4);

    let error = db.client.enqueue_each((0..8).map(number::job)).await.unwrap_err();
    let ids: Vec<_> = error.handles.iter().map(|handle| handle.id().as_uuid()).collect();
    assert_eq!((ids.len(), &*error.error.positions, error.error.unsent_from), (4, &[4, 5, 6, 7][..], 8));
    let ours = "select array_agg((args->>'n')::int order by array_position($1, id)) from pgjobq.jobs where id = any ($1)";
    let ours: Vec<i32> = sqlx::query_scalar(ours).bind(ids).fetch_one(&db.pool).await.unwrap();
    assert_eq!(ours, [0, 1, 2, 3]);
    assert_eq!(error.to_string(), error.error.to_string());
}

on_one_shard!(statement_timeout_does_not_end_the_wait_for_an_id);
async fn statement_timeout_does_not_end_the_wait_for_an_id(db: TestDb) {
    let options = db.options.clone().options([("statement_timeout", "1s")]);
    let client = Client::new(PgPoolOptions::new().connect_with(options).await.unwrap());
    let id = JobId::new();
    let mut tx = db.pool.begin().await.unwrap();
    number::job(1).id(id).enqueue(&mut *tx).await.unwrap();
    let rollback = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        tx.rollback().await.unwrap();
    };
    let (enqueued, ()) = tokio::join!(number::job(2).id(id).enqueue(&client), rollback);
    assert!(enqueued.unwrap().is_new());
    client.close().await;
}

on_one_shard!(hundred_thousand_jobs_are_read_as_they_go_out);
async fn hundred_thousand_jobs_are_read_as_they_go_out(db: TestDb) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let read = AtomicUsize::new(0);
    let jobs = (0..100_000).map(|_| {
        read.fetch_add(1, Ordering::Relaxed);
        word::job("a".repeat(1000))
    });
    let enqueued = db.client.enqueue_all(jobs);
    let watched = async {
        loop {
            let (read, there) =
                (read.load(Ordering::Relaxed) as i64, db.number("select count(*) from pgjobq.jobs").await);
            assert!(read <= there + 10_000, "{read} jobs were read when {there} were enqueued");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let enqueued = tokio::select! {
        enqueued = enqueued => enqueued.unwrap(),
        () = watched => unreachable!(),
    };
    assert_eq!(enqueued.new, 100_000);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 100_000);
}

on_one_shard!(rejected_job_of_many_is_named);
async fn rejected_job_of_many_is_named(db: TestDb) {
    let jobs = [number::job(1).any(), word::job("a\0b".to_owned()).any()];
    let error = db.client.enqueue_all(jobs).await.unwrap_err();
    assert_eq!((error.positions.clone(), error.unsent_from, error.kind), (vec![1], 2, Some("word")));
    let start = "1 job was enqueued, and then job 2 (`word`) could not be: the arguments of the `word` job hold a NUL";
    assert!(error.to_string().starts_with(start), "{error}");
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1, "the job before it");
}
