//! Indexes by attributes are built beside running jobs, by one of several calls, and again after a crash.

use pgjobq::filter::{Filter, all, attribute, state};
use pgjobq::prelude::*;
use pgjobq::{AttributeIndexError, AttributeIndexState, JobState, enqueue_all};
use sqlx::Executor;

use crate::harness::TestDb;

#[job(retries = 0)]
async fn indexed(fails: bool) -> Result<()> {
    if fails { Err("as it was told".into()) } else { Ok(()) }
}

/// The number of parts that an index should have, and of those that it has.
const PARTS: &str = "select 1 + count(*) from pg_inherits where inhparent = 'pgjobq.finished'::regclass";
const VALID: &str = "select count(*) from pg_class c join pg_index i on i.indexrelid = c.oid
                      where relname like '%\\_by\\_attribute\\_%' and indisvalid";

async fn states(client: &Client) -> Vec<(String, AttributeIndexState)> {
    let indexes = client.attribute_indexes().await.unwrap();
    indexes.into_iter().map(|index| (index.attribute, index.state)).collect()
}

on_one_and_eight_shards!(attribute_index_is_built_beside_running_jobs);
async fn attribute_index_is_built_beside_running_jobs(db: TestDb) {
    assert_eq!(states(&db.client).await, []);
    let worker = db.worker().build().await.unwrap().start();
    let jobs = |from: usize| (from..from + 500).map(|n| indexed::job(n % 10 == 0).attribute("tenant", n));
    enqueue_all(&db.client, jobs(0)).await.unwrap();
    let (built, enqueued) =
        tokio::join!(db.client.index_attribute("tenant"), enqueue_all(&db.client, jobs(500)));
    built.unwrap();
    assert_eq!(enqueued.unwrap().new, 500);
    assert_eq!(states(&db.client).await, [("tenant".to_owned(), AttributeIndexState::Ready)]);
    assert_eq!(db.number(VALID).await, db.number(PARTS).await);
    db.until("(select count(*) from pgjobq.finished) = 1000").await;
    worker.shutdown().await.unwrap();
    db.client.drop_attribute_index("tenant").await.unwrap();
    assert_eq!(db.number(VALID).await, 0);
    assert_eq!(states(&db.client).await, []);
}

on_one_shard!(hostile_attributes_are_indexed_under_their_names);
async fn hostile_attributes_are_indexed_under_their_names(db: TestDb) {
    let names = ["'); drop table pgjobq.jobs; --", "a\"b$$'", "é\\", "%I", &"n".repeat(100)];
    for name in names {
        indexed::job(false).attribute(name, 1).enqueue(&db.client).await.unwrap();
        db.client.index_attribute(name).await.unwrap();
    }
    assert_eq!(db.client.attribute_indexes().await.unwrap().len(), names.len());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 5);
    for name in ["", "a\0", &"n".repeat(101)] {
        let refused = db.client.index_attribute(name).await.unwrap_err();
        assert!(matches!(refused, AttributeIndexError::Attribute(_)), "{refused}");
    }
    db.client.drop_attribute_index(names[0]).await.unwrap();
    assert_eq!(db.client.attribute_indexes().await.unwrap().len(), names.len() - 1);
}

on_one_shard!(longest_value_fits_an_indexed_attribute);
async fn longest_value_fits_an_indexed_attribute(db: TestDb) {
    db.client.index_attribute("note").await.unwrap();
    // It cannot be compressed, and is longer than what a B-tree stores.
    let note: String = (0..500).map(|_| JobId::new().to_string()[20..].to_owned()).collect();
    let job = indexed::job(true).attribute("note", &note[..8000]).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert!(matches!(job.wait(&db.client).await.unwrap(), Outcome::Dead(_)));
    worker.shutdown().await.unwrap();
}

on_one_shard!(two_calls_build_one_index);
async fn two_calls_build_one_index(db: TestDb) {
    let calls = (0..4).map(|n| {
        let client = db.client.clone();
        tokio::spawn(async move { client.index_attribute(if n < 3 { "tenant" } else { "region" }).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(db.number(VALID).await, 2 * db.number(PARTS).await);
    let all = "select count(*) from pg_class where relname like '%\\_by\\_attribute\\_%' and relkind = 'i'";
    assert_eq!(db.number(all).await, db.number(VALID).await);
}

on_one_shard!(interrupted_index_is_completed_by_another_call);
async fn interrupted_index_is_completed_by_another_call(db: TestDb) {
    indexed::job(false).attribute("tenant", 1).enqueue(&db.client).await.unwrap();
    // The build waits for a transaction that has seen the table without the index.
    let mut old = db.pool.begin().await.unwrap();
    old.execute("lock pgjobq.jobs in row exclusive mode").await.unwrap();
    let client = db.client.clone();
    let build = tokio::spawn(async move { client.index_attribute("tenant").await });
    db.until(
        "exists (select from pg_stat_progress_create_index
                  where datname = current_database() and phase like 'waiting for writers%')",
    )
    .await;
    assert_eq!(
        states(&db.client).await,
        [("tenant".to_owned(), AttributeIndexState::Building { percent: 0 })]
    );
    db.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgjobq index'
              and datname = current_database()",
    )
    .await;
    assert!(matches!(build.await.unwrap().unwrap_err(), AttributeIndexError::Database(_)));
    // Its session is there for a moment longer than its connection.
    let gone = "not exists (select from pg_stat_activity where application_name = 'pgjobq index'
                              and datname = current_database())";
    db.until(gone).await;
    assert_eq!(
        states(&db.client).await,
        [("tenant".to_owned(), AttributeIndexState::Incomplete { percent: 0 })]
    );
    assert_eq!(db.number("select count(*) from pg_index where not indisvalid").await, 1);
    old.rollback().await.unwrap();
    db.client.index_attribute("tenant").await.unwrap();
    assert_eq!(states(&db.client).await, [("tenant".to_owned(), AttributeIndexState::Ready)]);
    assert_eq!(db.number("select count(*) from pg_index where not indisvalid").await, 0);
}

on_one_shard!(new_partition_has_its_part_of_each_index);
async fn new_partition_has_its_part_of_each_index(db: TestDb) {
    db.client.index_attribute("tenant").await.unwrap();
    let before = db.number(PARTS).await;
    db.run("select pgjobq.make_partitions(1000)").await;
    assert!(db.number(PARTS).await > before);
    assert_eq!(db.number(VALID).await, db.number(PARTS).await);
    assert_eq!(states(&db.client).await, [("tenant".to_owned(), AttributeIndexState::Ready)]);
}

#[tokio::test]
async fn attribute_is_indexed_in_any_schema_despite_short_timeouts() {
    let db = TestDb::empty().await;
    let client = Client::builder(db.pool.clone()).schema("My-jobs").build().unwrap();
    client.migrate().await.unwrap();
    db.run("create table jobs_by_attribute (id int);
            do $$ begin execute format('alter database %I set statement_timeout = ''2s''', current_database()); end $$")
        .await;
    client.index_attribute("tenant").await.unwrap();
    assert_eq!(states(&client).await, [("tenant".to_owned(), AttributeIndexState::Ready)]);
}

on_one_shard!(index_finds_few_jobs_among_many_others);
async fn index_finds_few_jobs_among_many_others(db: TestDb) {
    // A count reads ten thousand jobs at most, and is an estimate if there are more.
    let of = |tenant: u64| indexed::job(false).attribute("region", "eu").attribute("tenant", tenant);
    enqueue_all(&db.client, (0..10_100).map(|_| of(1))).await.unwrap();
    enqueue_all(&db.client, (0..30).map(|_| of(2))).await.unwrap();
    // The second equality has an index, and the first one has none.
    let of_the_second = "region = 'eu' and tenant = 2 and not other exists".parse::<Filter>().unwrap();
    let jobs = db.client.jobs(of_the_second.clone());
    assert!(!jobs.count().await.unwrap().exact);
    db.client.index_attribute("tenant").await.unwrap();
    let count = jobs.count().await.unwrap();
    assert_eq!((count.jobs, count.exact), (30, true));
    assert_eq!(jobs.cancel().await.unwrap().changed, 30);
    let ended = db.client.jobs(of_the_second.and(state(JobState::Cancelled)));
    assert_eq!(ended.requeue().await.unwrap().changed, 30);
    assert_eq!(jobs.count().await.unwrap().jobs, 30);
}

on_one_and_eight_shards!(list_goes_on_when_an_index_comes_or_goes);
async fn list_goes_on_when_an_index_comes_or_goes(db: TestDb) {
    let some = |n: u64| indexed::job(false).attribute("tenant", n % 2);
    enqueue_all(&db.client, (0..60).map(some)).await.unwrap();
    db.client.jobs(all()).cancel().await.unwrap();
    enqueue_all(&db.client, (0..60).map(some)).await.unwrap();
    let filter = attribute("tenant").eq(1).and(state(JobState::Cancelled).or(state(JobState::Ready)));
    for begins_with_the_index in [true, false] {
        if begins_with_the_index {
            db.client.index_attribute("tenant").await.unwrap();
        }
        let mut ids = Vec::new();
        let mut page = db.client.jobs(filter.clone()).list(7).await.unwrap();
        for number in 1.. {
            ids.extend(page.jobs.iter().map(|job| job.id));
            let Some(place) = page.next else { break };
            // In the middle of the live ones, and again of the ended ones.
            match ([2, 6].contains(&number), begins_with_the_index == (number == 2)) {
                (true, true) => db.client.drop_attribute_index("tenant").await.unwrap(),
                (true, false) => db.client.index_attribute("tenant").await.unwrap(),
                (false, _) => {}
            }
            page = db.client.jobs(filter.clone()).list_after(&place, 7).await.unwrap();
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!((all, ids.len()), (60, 60));
        db.client.drop_attribute_index("tenant").await.unwrap();
    }
}

on_one_shard!(id_that_ended_twice_is_selected_by_either_end);
async fn id_that_ended_twice_is_selected_by_either_end(db: TestDb) {
    let job = indexed::job(false).attribute("tenant", 1).enqueue(&db.client).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    assert!(matches!(job.wait(&db.client).await.unwrap(), Outcome::Completed(())));
    worker.shutdown().await.unwrap();
    db.run(
        r#"insert into pgjobq.finished
           select (jsonb_populate_record(f, jsonb_build_object(
                       'finished_at', finished_at + interval '1 microsecond', 'attributes', '{"tenant": 2}'::jsonb))).*
             from pgjobq.finished f"#,
    )
    .await;
    for is_indexed in [false, true] {
        if is_indexed {
            db.client.index_attribute("tenant").await.unwrap();
        }
        for tenant in [1, 2] {
            let jobs = db.client.jobs(attribute("tenant").eq(tenant)).count().await.unwrap().jobs;
            assert_eq!(jobs, 1, "tenant {tenant}, with an index: {is_indexed}");
        }
    }
    assert_eq!(db.client.jobs(attribute("tenant").eq(1)).delete().await.unwrap().changed, 1);
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 1);
}
