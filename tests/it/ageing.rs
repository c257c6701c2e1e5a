//! Jobs that have waited for long move up one priority at a time.

use std::time::Duration;

use pgjobq::QueueError;
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::end_of;

#[job]
async fn aged(number: u32) -> Result<u32> {
    Ok(number)
}

const MINUTE: Duration = Duration::from_secs(60);

/// Lets this number of minutes pass for the lanes, and then looks at them, with batches of this size, until nothing is left to do.
async fn after_minutes(db: &TestDb, minutes: u32, most: u32) {
    db.run(&format!(
        "update pgjobq.ageing set next_at = '-infinity', times = array(select t - interval '{minutes} minutes' from unnest(times) t);
         do $$ declare r record; n int := 0; begin
             loop
                 update pgjobq.ageing set next_at = '-infinity';
                 select sum(a.raised) as raised into r
                   from pgjobq.settings s, generate_series(0, s.shards - 1) shard, pgjobq.queues q,
                        lateral pgjobq.age_jobs(shard::smallint, q.id, {most}) a;
                 n := n + 1;
                 exit when r.raised = 0 or n > 1000;
             end loop;
         end $$"
    ))
    .await;
}

/// The priorities of all live jobs, in the order of their numbers.
async fn priorities(db: &TestDb) -> String {
    db.text("(select string_agg(priority::text, ' ' order by (args->>'number')::int) from pgjobq.jobs)").await
}

on_one_and_eight_shards!(job_moves_up_once_for_each_time_it_has_waited);
async fn job_moves_up_once_for_each_time_it_has_waited(db: TestDb) {
    db.client.queue("default").ageing(10 * MINUTE).save().await.unwrap();
    let all = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
    for (number, priority) in (1..).zip(all) {
        aged::job(number).priority(priority).enqueue(&db.client).await.unwrap();
    }
    after_minutes(&db, 0, 500).await;
    for (minutes, expected) in
        [(9, "0 1 2 3"), (1, "1 2 3 3"), (5, "1 2 3 3"), (5, "2 3 3 3"), (10, "3 3 3 3"), (10, "3 3 3 3")]
    {
        after_minutes(&db, minutes, 500).await;
        assert_eq!(priorities(&db).await, expected);
    }
    // One that comes now waits from now on.
    let low = aged::job(5).priority(Priority::Low).enqueue(&db.client).await.unwrap();
    for (minutes, expected) in [(1, "3 3 3 3 0"), (9, "3 3 3 3 0"), (1, "3 3 3 3 1"), (20, "3 3 3 3 3")] {
        after_minutes(&db, minutes, 500).await;
        assert_eq!(priorities(&db).await, expected);
    }
    db.run("select pgjobq.register_worker(0::smallint, 7, 'by hand', '1 h', '{default}', '{aged}')").await;
    let explained = aged::job(6).priority(Priority::Low).enqueue(&db.client).await.unwrap();
    let explained = explained.explain(&db.client).await.unwrap().to_string();
    let others = db.number("select count(*) - 1 from pgjobq.jobs where shard = (select shard from pgjobq.jobs order by created_at desc limit 1)").await;
    assert_eq!(
        explained.contains("It moves up one priority whenever it has waited for 10 minutes."),
        others > 0,
        "{explained}"
    );
    let explained = low.explain(&db.client).await.unwrap().to_string();
    assert!(!explained.contains("moves up"), "{explained}");
}

on_one_shard!(long_pause_of_the_upkeep_is_made_up_for);
async fn long_pause_of_the_upkeep_is_made_up_for(db: TestDb) {
    db.client.queue("default").ageing(10 * MINUTE).save().await.unwrap();
    for number in 0..25 {
        let priority = if number % 2 == 0 { Priority::Low } else { Priority::Normal };
        aged::job(number).priority(priority).enqueue(&db.client).await.unwrap();
    }
    after_minutes(&db, 0, 3).await;
    after_minutes(&db, 25, 3).await;
    let expected: Vec<_> = (0..25).map(|number| if number % 2 == 0 { "2" } else { "3" }).collect();
    assert_eq!(priorities(&db).await, expected.join(" "), "in batches of three");
}

on_one_shard!(only_waiting_jobs_in_line_move_up);
async fn only_waiting_jobs_in_line_move_up(db: TestDb) {
    db.client.queue("default").ageing(10 * MINUTE).save().await.unwrap();
    db.run("select pgjobq.create_queue('other')").await;
    let low = |number| aged::job(number).priority(Priority::Low);
    low(1).enqueue(&db.client).await.unwrap();
    low(2).enqueue(&db.client).await.unwrap();
    low(3).delay(MINUTE).enqueue(&db.client).await.unwrap();
    low(4).queue("other").enqueue(&db.client).await.unwrap();
    low(5).enqueue(&db.client).await.unwrap();
    // The first runs, and another session has locked the second.
    db.run(
        "select pgjobq.register_worker(0::smallint, 7, 'by hand');
         select count(*) from pgjobq.claim(0::smallint, (select id from pgjobq.queues where name = 'default'), 7, 1, true, '{aged}', 1,
                                           '{0,0,0,0}', null, null)",
    )
    .await;
    let mut holder = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select from pgjobq.jobs where args->>'number' = '2' for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    after_minutes(&db, 0, 500).await;
    after_minutes(&db, 10, 500).await;
    assert_eq!(priorities(&db).await, "0 0 0 0 1");
    holder.rollback().await.unwrap();
    after_minutes(&db, 10, 500).await;
    assert_eq!(priorities(&db).await, "0 1 0 0 2", "the locked one moves up at the next age");
}

on_one_shard!(raised_job_is_claimed_before_later_critical_ones);
async fn raised_job_is_claimed_before_later_critical_ones(db: TestDb) {
    db.client.queue("default").ageing(10 * MINUTE).save().await.unwrap();
    let critical = |number| aged::job(number).priority(Priority::Critical);
    critical(1).enqueue(&db.client).await.unwrap();
    aged::job(2).priority(Priority::Low).enqueue(&db.client).await.unwrap();
    db.client.enqueue_all((3..103).map(critical)).await.unwrap();
    after_minutes(&db, 0, 500).await;
    after_minutes(&db, 30, 500).await;
    let claimed = "(select string_agg(args_text, ' ') from pgjobq.claim(0::smallint, 1, 7, 1, true, '{aged}', 3, '{0,0,0,0}', null, null) c
                    where id is not null)";
    db.run("select pgjobq.register_worker(0::smallint, 7, 'by hand')").await;
    let order = claimed.replace("args_text", "coalesce(args, args_text::jsonb)->>'number'");
    assert_eq!(db.text(&order).await, "1 2 3");
}

on_one_and_eight_shards!(low_job_runs_beside_a_stream_of_critical_ones);
async fn low_job_runs_beside_a_stream_of_critical_ones(db: TestDb) {
    db.client.queue("default").ageing(Duration::from_secs(1)).save().await.unwrap();
    let low = aged::job(0).priority(Priority::Low).enqueue(&db.client).await.unwrap();
    let stream = async {
        loop {
            let waiting = db.number("select count(*) from pgjobq.jobs").await;
            if waiting < 500 {
                let more = (0..500).map(|number| aged::job(number).priority(Priority::Critical));
                db.client.enqueue_all(more).await.unwrap();
            }
        }
    };
    let run = async {
        db.until("(select count(*) from pgjobq.jobs) > 400").await;
        let worker = Worker::builder(&db.client).queue("default", 1).build().await.unwrap().start();
        assert_eq!(end_of(&db.client, &low).await, Outcome::Completed(0));
        worker.shutdown().await.unwrap();
    };
    tokio::select! {
        () = run => {}
        () = stream => unreachable!(),
    }
}

on_one_shard!(ageing_is_set_by_code_and_by_operators);
async fn ageing_is_set_by_code_and_by_operators(db: TestDb) {
    let queue = || db.client.queue("default");
    for wrong in [Duration::from_millis(999), 367 * 24 * 60 * MINUTE] {
        let error = queue().ageing(wrong).save().await.unwrap_err();
        assert!(matches!(error, QueueError::Ageing { time, .. } if time == wrong), "{error}");
        let error = queue().change().ageing(wrong).await.unwrap_err();
        assert!(matches!(error, QueueError::Ageing { .. }), "{error}");
    }
    let current = async || queue().settings().await.unwrap().unwrap().ageing.current().copied();
    queue().save().await.unwrap();
    assert_eq!(current().await, None);
    queue().ageing(MINUTE).save().await.unwrap();
    assert_eq!(current().await, Some(MINUTE));
    queue().change().ageing(Duration::ZERO).by("ada").await.unwrap();
    assert_eq!(db.number("select count(pgjobq.ageing_of(id)) from pgjobq.queues").await, 0);
    db.run("select pgjobq.change_setting('default', 'ageing', '2 minutes')").await;
    assert_eq!(current().await, Some(2 * MINUTE));
    queue().change().reset_ageing().await.unwrap();
    assert_eq!(current().await, Some(MINUTE));
    after_minutes(&db, 0, 500).await;
    assert_eq!(db.number("select count(*) from pgjobq.ageing").await, 1);
    queue().ageing(Duration::ZERO).save().await.unwrap();
    after_minutes(&db, 0, 500).await;
    assert_eq!(db.number("select count(*) from pgjobq.ageing").await, 0);
}

on_one_shard!(ageing_that_was_off_for_a_moment_goes_on);
async fn ageing_that_was_off_for_a_moment_goes_on(db: TestDb) {
    db.client.queue("default").ageing(Duration::from_secs(1)).save().await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.ageing)").await;
    // Without a notification, so that the worker's settings stay as they were.
    db.run("update pgjobq.queues set ageing = null where name = 'default'").await;
    db.until("not exists (select from pgjobq.ageing)").await;
    db.run("update pgjobq.queues set ageing = '1 s' where name = 'default'").await;
    db.until("exists (select from pgjobq.ageing)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(lane_that_cannot_age_delays_no_other);
async fn lane_that_cannot_age_delays_no_other(db: TestDb) {
    for queue in ["default", "other"] {
        db.client.queue(queue).ageing(Duration::from_secs(1)).save().await.unwrap();
    }
    db.run(
        "create function refuse() returns trigger language plpgsql as $$ begin
             if new.queue_id = (select id from pgjobq.queues where name = 'default') then
                 raise exception 'no' using errcode = 'invalid_parameter_value';
             end if;
             return new;
         end $$;
         create trigger refuse before insert on pgjobq.ageing for each row execute function refuse();
         select pgjobq.enqueue('known_to_nobody', queue => 'other')",
    )
    .await;
    let worker = db.worker().queue("other", 1).build().await.unwrap().start();
    db.until("exists (select from pgjobq.jobs where priority > 1)").await;
    worker.shutdown().await.unwrap();
}
