//! Batches that fail, are slow, or meet other transactions.

use std::time::Duration;

use pgjobq::filter::{all, kind};
use pgjobq::{JobState, LeftOut, Priority};
use sqlx::Connection;

use super::{live, tenant, wait_for_tenants};
use crate::harness::TestDb;

/// Lets every batch be due at once, so that no test waits for the pauses between them.
async fn hurry(db: &TestDb, done: impl Future<Output = pgjobq::ActionReport>) -> pgjobq::ActionReport {
    let hurry = async {
        loop {
            let due = "update pgjobq.actions set next_at = now() where ended_at is null and next_at > now()";
            db.run(due).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        report = done => report,
        () = hurry => unreachable!(),
    }
}

on_one_shard!(job_that_fails_stops_no_action);
async fn job_that_fails_stops_no_action(db: TestDb) {
    wait_for_tenants(&db, &[1, 2], 40).await;
    db.run(
        "create function bad() returns trigger language plpgsql as $$
         begin
             if new.args->>'name' in ('1/7', '1/31') then raise 'row % is bad', new.args->>'name'; end if;
             return new;
         end $$;
         create trigger bad before update on pgjobq.jobs for each row execute function bad()",
    )
    .await;
    let started = db.client.jobs(tenant(1)).set_priority(Priority::High).start().await.unwrap();
    let other = db.client.jobs(tenant(2)).set_priority(Priority::High).start().await.unwrap();
    let report = hurry(&db, async {
        // Whoever does the next batch of any action begins with the older one, which fails.
        let acted = "(select format('%s %s', acted, problem) from pgjobq.act(null))";
        assert!(db.text(acted).await.starts_with("t row 1/"), "a batch fails");
        other.wait().await.unwrap();
        started.wait().await.unwrap()
    })
    .await;
    assert_eq!((report.matched, report.changed, &*report.left), (40, 38, &[(LeftOut::Refused, 2)][..]));
    assert!(
        report.problem.as_deref().is_some_and(|why| why.ends_with("is bad (SQLSTATE P0001)")),
        "{report}"
    );
    assert_eq!((live(&db, 1, "priority = 2").await, live(&db, 2, "priority = 2").await), (38, 40));
    assert!(
        report.to_string().contains("left as they were: 2 refused by the database; a batch failed: row 1/")
    );
}

on_one_shard!(open_transaction_does_not_stop_a_requeue);
async fn open_transaction_does_not_stop_a_requeue(db: TestDb) {
    wait_for_tenants(&db, &[1], 20).await;
    db.client.jobs(all()).cancel().await.unwrap();
    let held = db.text("(select id::text from pgjobq.finished limit 1)").await;
    let mut open = sqlx::PgConnection::connect(&db.url()).await.unwrap();
    let insert = format!(
        "begin; insert into pgjobq.jobs (shard, id, queue_id, priority, kind, args, ticket, retries, max_crashes, created_at)
         select shard, id, queue_id, priority, kind, args, nextval('pgjobq.ticket'), 0, 3, now() from pgjobq.finished where id = '{held}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(&mut open).await.unwrap();
    let requeue = db.client.jobs(kind("act_greet")).requeue();
    let report = hurry(&db, async { requeue.await.unwrap() }).await;
    assert_eq!((report.matched, report.changed, &*report.left), (20, 19, &[(LeftOut::Refused, 1)][..]));
    assert!(report.problem.is_some_and(|why| why.ends_with("(SQLSTATE 55P03)")));
    open.close().await.unwrap();
}

on_one_shard!(large_arguments_make_smaller_batches);
async fn large_arguments_make_smaller_batches(db: TestDb) {
    wait_for_tenants(&db, &[1], 12).await;
    db.run(
        "alter table pgjobq.jobs alter args set storage external;
         update pgjobq.jobs set args = to_jsonb(repeat('x', 900000))",
    )
    .await;
    let started = db.client.jobs(tenant(1)).cancel().start().await.unwrap();
    let changed = format!("(select changed::text from pgjobq.act({}), pgjobq.actions)", started.id());
    db.text(&changed).await;
    assert_eq!(db.number("select changed from pgjobq.actions").await, 9, "at most 8 MiB in a transaction");
    assert_eq!(started.wait().await.unwrap().changed, 12);
}

on_one_and_eight_shards!(locked_job_is_visited_once_more);
async fn locked_job_is_visited_once_more(db: TestDb) {
    wait_for_tenants(&db, &[1], 20).await;
    let mut open = sqlx::PgConnection::connect(&db.url()).await.unwrap();
    let mut lock = open.begin().await.unwrap();
    let held = "select from pgjobq.jobs where args->>'name' in ('1/3', '1/4') for key share";
    sqlx::query(held).execute(&mut *lock).await.unwrap();
    // Held for the whole time, they are left, and counted apart from those that run.
    let report = db.client.jobs(tenant(1)).set_priority(Priority::High).await.unwrap();
    assert_eq!((report.matched, report.changed, &*report.left), (20, 18, &[(LeftOut::Locked, 2)][..]));
    // Held for a moment, they are changed.
    let started = db.client.jobs(tenant(1)).set_priority(Priority::Critical).start().await.unwrap();
    while db.number("select cardinality(again) from pgjobq.actions order by id desc limit 1").await == 0 {
        db.run("select pgjobq.act(null)").await;
        assert!(started.progress().await.unwrap().ended_at.is_none(), "it goes on as long as jobs are held");
        if db.number("select changed from pgjobq.actions order by id desc limit 1").await == 18 {
            break;
        }
    }
    lock.rollback().await.unwrap();
    let report = started.wait().await.unwrap();
    assert_eq!((report.matched, report.changed, &*report.left), (20, 20, &[][..]));
}

on_one_shard!(action_goes_on_after_the_clock_was_set_back);
async fn action_goes_on_after_the_clock_was_set_back(db: TestDb) {
    wait_for_tenants(&db, &[1], 5).await;
    let started = db.client.jobs(tenant(1)).cancel().start().await.unwrap();
    db.run("update pgjobq.actions set next_at = now() + interval '1 hour'").await;
    assert_eq!(db.text("(select format('%s %s', acted, wait) from pgjobq.act(null))").await, "t ");
    assert_eq!(started.progress().await.unwrap().changed, 5);
}

on_one_shard!(rate_does_not_make_up_for_a_gap);
async fn rate_does_not_make_up_for_a_gap(db: TestDb) {
    wait_for_tenants(&db, &[1], 30).await;
    let started = db.client.jobs(tenant(1)).cancel().rate("10 per second").start().await.unwrap();
    db.run("update pgjobq.actions set next_at = now() - interval '1 hour'").await;
    let before = db.text("clock_timestamp()").await;
    db.run("select pgjobq.act(null)").await;
    let next = format!(
        "(select (next_at >= '{before}'::timestamptz + interval '1 second')::int from pgjobq.actions)"
    );
    assert_eq!(db.number(&next).await, 1, "ten jobs have a second");
    started.stop().await.unwrap();
}

on_one_shard!(queue_deleted_meanwhile_gets_no_more_jobs);
async fn queue_deleted_meanwhile_gets_no_more_jobs(db: TestDb) {
    db.client.queue("act_gone").save().await.unwrap();
    wait_for_tenants(&db, &[1], 10).await;
    let moving = db.client.jobs(tenant(1)).move_to("act_gone").rate("4 per second").start().await.unwrap();
    db.run("select pgjobq.act(null)").await;
    db.client.queue("act_gone").delete().await.unwrap();
    let report = moving.wait().await.unwrap();
    assert_eq!((report.matched, report.changed, &*report.left), (10, 4, &[(LeftOut::QueueDeleted, 6)][..]));
}

on_one_shard!(id_that_came_anew_is_left);
async fn id_that_came_anew_is_left(db: TestDb) {
    wait_for_tenants(&db, &[1], 2).await;
    // Between the look and the change, each job has been replaced by a newer one with its id.
    let started = db.client.jobs(tenant(1)).cancel().start().await.unwrap();
    db.run("update pgjobq.jobs set created_at = clock_timestamp()").await;
    let cancel = "(select cardinality(c.cancelled)::text from pgjobq.actions a, pgjobq.cancel_for(
                      a, 0::smallint, array(select id from pgjobq.jobs)) c)";
    assert_eq!(db.text(cancel).await, "0");
    started.stop().await.unwrap();
    db.client.jobs(tenant(1)).cancel().await.unwrap();
    db.run("update pgjobq.finished set finished_at = clock_timestamp() + interval '1 minute'").await;
    let requeue = "(select r.changed::text from pgjobq.actions a, pgjobq.requeue_for(
                       a, 0::smallint, array(select id from pgjobq.finished)) r order by a.id desc limit 1)";
    assert_eq!(db.text(requeue).await, "0");
}

on_one_shard!(walk_ends_at_jobs_that_ended_later);
async fn walk_ends_at_jobs_that_ended_later(db: TestDb) {
    wait_for_tenants(&db, &[1], 10).await;
    db.client.jobs(all()).cancel().await.unwrap();
    let next = "(select coalesce((n.next).list::text, 'the end') from pgjobq.next_matches(row('{cancelled}', '1 == 1', false, false, false,
        false, null, null, null, now() - interval '1 hour')::pgjobq.selection, '(1,0,,)', 3, 3) n)";
    assert_eq!(db.text(next).await, "the end");
    assert_eq!(
        db.client.jobs(pgjobq::filter::state(JobState::Cancelled)).delete().await.unwrap().changed,
        10
    );
}

on_one_shard!(words_of_an_action_are_cut);
async fn words_of_an_action_are_cut(db: TestDb) {
    wait_for_tenants(&db, &[1], 1).await;
    let long = "x".repeat(64 * 1024);
    let report = db.client.jobs(tenant(1)).cancel().by(&long).because(&long).await.unwrap();
    assert_eq!((report.asked_by.len(), report.reason.unwrap().len()), (1000, 1000));
    wait_for_tenants(&db, &[2], 1).await;
    let job = db.client.jobs(tenant(2)).list(1).await.unwrap().jobs[0].id;
    db.client.job(job).cancel().by(&long).because(&long).await.unwrap();
    let longest = "select max(length(cancelled->>'by') + length(cancelled->>'reason')) from pgjobq.finished";
    assert_eq!(db.number(longest).await, 2000);
}
