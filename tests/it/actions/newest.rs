//! Lists with the newest jobs first.

use pgjobq::filter::{Filter, all, id, ids, state};
use pgjobq::{JobId, JobState};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{HOUR, act_fail, tenant, wait_for_tenants};
use crate::harness::TestDb;

/// Returns all jobs that match, in pages of seven.
async fn newest(db: &TestDb, filter: &Filter) -> Vec<(JobId, JobState)> {
    let jobs = db.client.jobs(filter.clone());
    let (mut seen, mut page) = (Vec::new(), jobs.newest(7).await.unwrap());
    loop {
        assert!(page.jobs.len() <= 7);
        seen.extend(page.jobs.iter().map(|job| (job.id, job.state)));
        let Some(place) = page.next else { return seen };
        // As a link carries it.
        page = jobs.newest_after(&place.to_string().parse().unwrap(), 7).await.unwrap();
    }
}

/// Fails unless the pages have the same jobs as the list, each once. Returns how often the next id is higher.
async fn assert_same_jobs(db: &TestDb, filter: Filter, jobs: usize) -> usize {
    let mut newest = newest(db, &filter).await;
    let mut forward: Vec<_> = db.client.jobs(filter.clone()).list(1000).await.unwrap().jobs;
    assert_eq!((newest.len(), forward.len()), (jobs, jobs), "{filter}");
    let rises = newest.windows(2).filter(|pair| pair[0].0 < pair[1].0).count();
    forward.sort_by_key(|job| job.id);
    newest.sort_by_key(|(id, _)| *id);
    assert_eq!(newest, forward.iter().map(|job| (job.id, job.state)).collect::<Vec<_>>(), "{filter}");
    rises
}

/// Fails also unless ids fall within each shard of each list.
async fn assert_newest_first(db: &TestDb, filter: Filter, jobs: usize) {
    let rises = assert_same_jobs(db, filter.clone(), jobs).await;
    let parts = 2 * db.number("select shards from pgjobq.settings").await;
    assert!(i64::try_from(rises).unwrap() < parts, "{filter}: {rises} rises in {parts} parts");
}

on_one_and_eight_shards!(newest_jobs_come_first_on_every_way);
async fn newest_jobs_come_first_on_every_way(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    db.client.enqueue_all((0..30).map(|n| act_fail::job(n).attribute("tenant", 1))).await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 30").await;
    worker.shutdown().await.unwrap();
    wait_for_tenants(&db, &[1, 2], 40).await;
    assert_newest_first(&db, all(), 110).await;
    assert_newest_first(&db, state(JobState::Ready), 80).await;
    // Dead jobs have the order of their ends.
    assert_same_jobs(&db, state(JobState::Ready).or(state(JobState::Dead)), 110).await;
    assert_newest_first(&db, tenant(1), 70).await;
    let some: Vec<_> = newest(&db, &tenant(1)).await.into_iter().map(|(id, _)| id).step_by(3).collect();
    assert_newest_first(&db, ids(some.iter().copied()), some.len()).await;
    db.client.index_attribute("tenant").await.unwrap();
    assert_newest_first(&db, tenant(1), 70).await;
    assert_newest_first(&db, tenant(3), 0).await;
}

on_one_shard!(latest_dead_jobs_come_first);
async fn latest_dead_jobs_come_first(db: TestDb) {
    // The first one ends last.
    let first = act_fail::job(0).delay(HOUR).enqueue(&db.client).await.unwrap();
    db.client.enqueue_all((1..20).map(act_fail::job)).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished) = 19").await;
    db.client.jobs(id(first.id())).retry_now().await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 20").await;
    worker.shutdown().await.unwrap();
    let ends = "select array_agg(id::text order by finished_at desc, id desc) from pgjobq.finished";
    let expected: Vec<String> = sqlx::query_scalar(ends).fetch_one(&db.pool).await.unwrap();
    let newest = newest(&db, &state(JobState::Dead)).await;
    assert_eq!(newest.iter().map(|(job, _)| job.to_string()).collect::<Vec<_>>(), expected);
    assert_eq!(newest[0].0, first.id());
}

/// Returns the rows of `jobs` and of `finished` that a page of fifty reads by an index, and otherwise.
async fn rows_read(db: &TestDb, function: &str, lists: &str) -> (i64, i64) {
    let mut transaction = db.pool.begin().await.unwrap();
    let before = rows_so_far(&mut transaction).await;
    let page = format!(
        "select count(*) from pgjobq.{function}(row('{lists}', '1 == 1', false, false, false, false, null, null, null,
             clock_timestamp())::pgjobq.selection, '(1,0,,)', 50)"
    );
    let jobs: i64 = sqlx::query_scalar(AssertSqlSafe(page)).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(jobs, 51, "the last row has the next place");
    let after = rows_so_far(&mut transaction).await;
    transaction.rollback().await.unwrap();
    (after.0 - before.0, after.1 - before.1)
}

/// Returns the rows that the session has read, also in transactions before: the server reports those a second later.
async fn rows_so_far(session: &mut PgConnection) -> (i64, i64) {
    let read = "select sum(idx_tup_fetch)::bigint, sum(seq_tup_read)::bigint from pg_stat_xact_user_tables
                 where relname = 'jobs' or relname like 'finished%'";
    sqlx::query_as(read).fetch_one(session).await.unwrap()
}

on_one_shard!(newest_page_reads_as_little_as_the_oldest);
async fn newest_page_reads_as_little_as_the_oldest(db: TestDb) {
    for lists in ["{live}", "{ended}", "{cancelled}"] {
        wait_for_tenants(&db, &[1], 2000).await;
        if lists != "{live}" {
            db.client.jobs(all()).cancel().await.unwrap();
        }
        let (oldest, newest) =
            (rows_read(&db, "list_jobs", lists).await, rows_read(&db, "list_newest", lists).await);
        assert_eq!(newest, oldest, "{lists}");
        assert!(newest.0 < 500 && newest.1 == 0, "{lists}: {newest:?}");
    }
}
