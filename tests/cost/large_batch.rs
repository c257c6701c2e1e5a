//! `enqueue_many` inserts a large batch by another path, which is cheaper. Both paths must return the same.

use sqlx::Row;
use uuid::Uuid;

use crate::server::Db;
use crate::session::{Session, statement};
use crate::tables::ARGS;

/// Enqueues `ids`. Returns the number of new jobs, the ids that are live already, and those of them with another kind.
async fn enqueue(session: &mut Session, kind: &str, ids: &[Uuid]) -> (i32, Vec<Uuid>, Vec<Uuid>) {
    let row = sqlx::query(statement("enqueue_many"))
        .bind(vec![kind])
        .bind(vec!["default"])
        .bind(vec![1i16])
        .bind(vec![20i16])
        .bind(vec![3i16])
        .bind(ids)
        .bind(vec![1i32; ids.len()])
        .bind(vec![ARGS; ids.len()])
        .bind(None::<Vec<Option<&str>>>) // meta
        .bind(None::<Vec<Option<&str>>>) // attributes
        .bind(None::<Vec<Option<&str>>>) // key
        .bind(None::<Vec<Option<i64>>>) // delay
        .bind(None::<Vec<Option<i64>>>) // run_at
        .bind(None::<Vec<Option<i64>>>) // expires_in
        .bind(false) // notify in this transaction
        .bind(None::<i32>) // lock_timeout: unchanged
        .bind(i32::MAX) // the version of this program: newer than all
        .bind(None::<&str>) // edges
        .bind(None::<Vec<Option<i32>>>) // weight
        .bind(None::<Vec<Option<&str>>>) // unique key
        .bind(None::<Vec<Option<&str>>>) // options of the shapes
        .bind("all") // what to do without room
        .fetch_one(&mut session.measured)
        .await
        .unwrap();
    let ids = |name: &str| row.get::<Option<Vec<Uuid>>, _>(name).unwrap_or_default();
    (row.get("inserted"), ids("duplicate"), ids("other_kind"))
}

#[tokio::test]
async fn large_batch_answers_duplicates_as_a_small_one_does() {
    let db = Db::new("large_batch").await;
    let mut session = Session::new(&db).await;
    // `insert_large_batch` is used from 50 jobs on.
    for (live, new) in [(4, 3), (400, 300)] {
        let ids: Vec<Uuid> = (0..live + new).map(|_| Uuid::now_v7()).collect();
        let (known, _) = ids.split_at(live);
        assert_eq!(enqueue(&mut session, "one", known).await, (live as i32, vec![], vec![]));
        let (inserted, duplicate, other) = enqueue(&mut session, "one", &ids).await;
        assert_eq!((inserted, duplicate.as_slice(), other.len()), (new as i32, known, 0));
        let (inserted, duplicate, other) = enqueue(&mut session, "two", known).await;
        assert_eq!((inserted, duplicate.as_slice(), other.as_slice()), (0, known, known));
        // The same id twice in a batch is one job.
        let twice = vec![Uuid::now_v7(); live];
        assert_eq!(enqueue(&mut session, "one", &twice).await.0, 1);
    }
    assert_eq!(session.number("select count(*) from pgjobq.jobs").await, 4 + 3 + 1 + 400 + 300 + 1);
}
