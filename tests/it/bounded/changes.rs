//! Bounds that change.

use std::time::Duration;

use pgjobq::{EnqueueError, EnqueueOutcome, WhenFull};

use super::{assert_accounted, bound, bound_and, quick, room};
use crate::harness::TestDb;

on_one_shard!(operator_changes_what_a_full_queue_does);
async fn operator_changes_what_a_full_queue_does(db: TestDb) {
    let queue = || db.client.queue("bounded");
    queue().bounded(1).when_full(WhenFull::Reject).save().await.unwrap();
    quick::enqueue(&db.client, 1).await.unwrap();
    assert!(matches!(quick::enqueue(&db.client, 1).await, Err(EnqueueError::QueueFull { .. })));
    queue().change().when_full(WhenFull::DropNew).by("ada").await.unwrap();
    assert_eq!(quick::enqueue(&db.client, 1).await.unwrap().outcome(), EnqueueOutcome::Dropped);
    let settings = queue().settings().await.unwrap().unwrap();
    assert_eq!(settings.when_full.by_code, Some(WhenFull::Reject));
    assert_eq!(settings.when_full.by_operator.unwrap().value, WhenFull::DropNew);
    let shown = "(select concat_ws(' ', by_code, by_operator, set_by) from pgjobq.queue_settings
                   where queue = 'bounded' and setting = 'when_full')";
    assert_eq!(db.text(shown).await, "reject drop_new ada");

    db.run("select pgjobq.change_setting('bounded', 'when_full', 'drop_oldest')").await;
    assert_eq!(quick::enqueue(&db.client, 1).await.unwrap().outcome(), EnqueueOutcome::New);
    let unknown = "select pgjobq.change_setting('bounded', 'when_full', 'drop')";
    let unknown = sqlx::raw_sql(unknown).execute(&db.pool).await.unwrap_err().to_string();
    assert!(unknown.contains("'drop' is no policy of a full queue"), "{unknown}");
    queue().change().reset_when_full().await.unwrap();
    assert!(matches!(quick::enqueue(&db.client, 1).await, Err(EnqueueError::QueueFull { .. })));
}

on_one_shard!(bound_follows_code_and_operator);
async fn bound_follows_code_and_operator(db: TestDb) {
    let queue = || db.client.queue("bounded");
    queue().save().await.unwrap();
    assert_eq!(queue().room().await.unwrap(), None);
    let unknown = db.client.queue("bouned").room().await.unwrap_err().to_string();
    let says = "queue `bouned` does not exist; create it with `client.queue(\"bouned\").save()`; there are ";
    assert!(unknown.starts_with(says) && unknown.contains("`bounded`"), "{unknown}");
    bound(&db, 5).await;
    db.client.enqueue_all((0..3).map(quick::job)).await.unwrap();
    assert_eq!(room(&db).await, 2);
    queue().change().bound(1000).by("ada").await.unwrap();
    assert_eq!(room(&db).await, 997);
    bound(&db, 4).await; // A deploy: the operator's wins.
    assert_eq!(room(&db).await, 997);
    let setting = queue().settings().await.unwrap().unwrap().bound;
    assert_eq!(
        (setting.by_code, setting.current(), setting.by_operator.clone().unwrap().by),
        (Some(4), Some(&1000), "ada".into())
    );
    queue().change().reset_bound().await.unwrap();
    assert_eq!(room(&db).await, 1);
    let shown = "select bound || ', ' || room from pgjobq.queue_overview where queue = 'bounded'";
    assert_eq!(db.text(&format!("({shown})")).await, "4, 1");
    assert_accounted(&db).await;
}

on_one_shard!(unchanged_bound_writes_nothing);
async fn unchanged_bound_writes_nothing(db: TestDb) {
    bound(&db, 5).await;
    let row = "(select xmin::text || xmax::text from pgjobq.queues where name = 'bounded')";
    let before = db.text(row).await;
    bound(&db, 5).await;
    assert_eq!(db.text(row).await, before);
}

on_one_shard!(removed_bound_returns_with_its_jobs_counted);
async fn removed_bound_returns_with_its_jobs_counted(db: TestDb) {
    quick::enqueue(&db.client, 0).await.unwrap(); // Before there is a bound: not counted.
    bound(&db, 3).await;
    let counted = quick::enqueue(&db.client, 1).await.unwrap();
    db.client.queue("bounded").unbounded().save().await.unwrap();
    assert_eq!(db.client.queue("bounded").room().await.unwrap(), None);
    db.client.enqueue_all((2..10).map(quick::job)).await.unwrap();
    bound(&db, 3).await;
    assert_eq!(room(&db).await, 2);
    counted.cancel(&db.client).await.unwrap();
    assert_eq!(room(&db).await, 3);
    assert_accounted(&db).await;
}

on_one_shard!(first_bound_leaves_out_the_jobs_that_are_there);
async fn first_bound_leaves_out_the_jobs_that_are_there(db: TestDb) {
    db.client.queue("bounded").save().await.unwrap();
    db.client.enqueue_all((0..5).map(quick::job)).await.unwrap();
    bound_and(&db, 2, pgjobq::WhenFull::Reject).await; // Fewer than are there: a program that says so starts.
    assert_eq!(room(&db).await, 2);
    for number in 5..7 {
        quick::enqueue(&db.client, number).await.unwrap();
    }
    quick::enqueue(&db.client, 7).await.unwrap_err();
    let worker = super::worker(&db, 1).await;
    db.until("(select count(*) from pgjobq.finished) = 7").await;
    worker.shutdown().await.unwrap();
    assert_eq!(room(&db).await, 2, "those of before give no place back");
    db.client.enqueue_all((8..10).map(quick::job)).await.unwrap();
    quick::enqueue(&db.client, 10).await.unwrap_err();
    assert_accounted(&db).await;
}

on_one_shard!(waiting_enqueue_follows_a_raised_or_removed_bound);
async fn waiting_enqueue_follows_a_raised_or_removed_bound(db: TestDb) {
    bound(&db, 1).await;
    quick::enqueue(&db.client, 0).await.unwrap();
    for change in 1..=2 {
        let client = super::patient(&db, crate::harness::PATIENCE);
        let waiting = tokio::spawn(async move { quick::enqueue(&client, change).await });
        db.until("exists (select from pgjobq.room_waiters where until > clock_timestamp())").await;
        match change {
            1 => bound(&db, 2).await,
            _ => db.client.queue("bounded").unbounded().save().await.unwrap(),
        }
        assert!(waiting.await.unwrap().unwrap().is_new());
    }
    assert_accounted(&db).await;
}

on_one_shard!(waiting_enqueue_ends_with_a_deleted_queue);
async fn waiting_enqueue_ends_with_a_deleted_queue(db: TestDb) {
    bound(&db, 1).await;
    quick::enqueue(&db.client, 0).await.unwrap();
    let client = super::patient(&db, crate::harness::PATIENCE);
    let waiting = tokio::spawn(async move { quick::enqueue(&client, 1).await });
    db.until("exists (select from pgjobq.room_waiters where until > clock_timestamp())").await;
    db.client.queue("bounded").delete().await.unwrap();
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, pgjobq::EnqueueError::UnknownQueue { .. }), "{error}");
    assert_accounted(&db).await;
}

on_one_shard!(recount_finds_places_of_rows_deleted_by_hand);
async fn recount_finds_places_of_rows_deleted_by_hand(db: TestDb) {
    bound(&db, 5).await;
    db.client.enqueue_all((0..5).map(quick::job)).await.unwrap();
    db.run("delete from pgjobq.jobs where id in (select id from pgjobq.jobs limit 2)").await;
    assert_eq!(room(&db).await, 0);
    assert_eq!(db.number("select pgjobq.recount_room('bounded')").await, 2);
    assert_eq!(db.number("select pgjobq.recount_room('bounded')").await, 0);
    assert_eq!(room(&db).await, 2);
    assert_accounted(&db).await;
}

on_one_shard!(queue_is_saved_with_its_bound_or_not_at_all);
async fn queue_is_saved_with_its_bound_or_not_at_all(db: TestDb) {
    db.run(
        "create function refuse_bounds() returns trigger language plpgsql as $$ begin
             if new.bound = 13 then
                 raise exception 'no' using errcode = 'invalid_parameter_value';
             end if;
             return new;
         end $$;
         create trigger refuse_bounds before update on pgjobq.queues for each row execute function refuse_bounds()",
    )
    .await;
    let save =
        |bound| db.client.queue("fresh").concurrency(7).bounded(bound).ageing(Duration::from_secs(60)).save();
    save(13).await.unwrap_err();
    let known = "select count(*) from pgjobq.queues where name = 'fresh'";
    let limited = "select count(*) from pgjobq.limits where name = 'fresh' and concurrency = 7";
    assert_eq!((db.number(known).await, db.number(limited).await), (0, 0));
    save(12).await.unwrap();
    let known = format!("{known} and bound = 12 and is_bounded and ageing = '1 minute'");
    assert_eq!((db.number(&known).await, db.number(limited).await), (1, 1));
}
