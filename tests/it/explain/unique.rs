//! Unique jobs: which key a job has, and who has it instead.

use std::time::Duration;

use pgjobq::{Cause, NewJob, UniqueWhile};

use super::{claim, explain, explained, register, said};
use crate::harness::TestDb;

fn unique(number: u32) -> NewJob<()> {
    explained::job(number).unique("tenant:7")
}

on_one_and_eight_shards!(explanation_and_list_name_the_unique_key);
async fn explanation_and_list_name_the_unique_key(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let job = unique(1).enqueue(&db.client).await.unwrap();
    let (codes, sentence) = said(&db, job.id()).await;
    assert_eq!(codes, ["in_line", "has_unique_key"]);
    let of_key = "It has the unique key `tenant:7`: a new job of the kind `explained` with that key is a duplicate, \
                  until this one has ended.";
    assert!(sentence.ends_with(of_key), "{sentence}");
    let listed = db.client.jobs(pgjobq::filter::all()).list(9).await.unwrap().jobs;
    assert_eq!(listed[0].unique_key.as_deref(), Some("tenant:7"));
    claim(&db, 1, "explained", 9).await;
    assert_eq!(said(&db, job.id()).await.0, ["running", "has_unique_key"]);
}

on_one_shard!(explanation_says_how_long_a_key_is_held);
async fn explanation_says_how_long_a_key_is_held(db: TestDb) {
    register(&db, 1, "w", "default", "explained", 9).await;
    let hour = UniqueWhile::For(Duration::from_secs(3600));
    let for_an_hour = unique(1).unique_while(hour).enqueue(&db.client).await.unwrap();
    let last = explain(&db, for_an_hour.id()).await.reasons.pop().unwrap().cause;
    assert!(matches!(last, Cause::HasUniqueKey { until: Some(_), .. }), "{last:?}");
    let waiting = explained::job(2).unique("b").unique_while(UniqueWhile::Waiting);
    let waiting = waiting.enqueue(&db.client).await.unwrap();
    let (_, sentence) = said(&db, waiting.id()).await;
    assert!(sentence.ends_with("at least while this one waits."), "{sentence}");
    claim(&db, 1, "explained", 9).await;
    assert_eq!(said(&db, waiting.id()).await.0, ["running"], "its key is free");
    assert_eq!(said(&db, explained::enqueue(&db.client, 3).await.unwrap().id()).await.0.len(), 1);
}

on_one_and_eight_shards!(duplicate_that_is_not_settled_names_the_holder);
async fn duplicate_that_is_not_settled_names_the_holder(db: TestDb) {
    let waiting = || unique(1).unique_while(UniqueWhile::Waiting);
    let holder = waiting().enqueue(&db.client).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    let duplicate = waiting();
    let id = duplicate.job_id();
    assert_eq!(duplicate.enqueue(&mut *tx).await.unwrap().id(), holder.id());
    tx.commit().await.unwrap();
    let explanation = explain(&db, id).await;
    let cause = Cause::Duplicate { key: "tenant:7".to_owned(), holder: Some(holder.id()), full: false };
    assert_eq!(explanation.reasons[0].cause, cause);
    let of_holder = format!(
        "It is not enqueued: job {} has its unique key `tenant:7`. Within moments a worker forgets",
        holder.id()
    );
    assert!(explanation.to_string().starts_with(&of_holder), "{explanation}");
}
