//! Job functions that take several jobs in one call.

use std::time::Duration;

use pgjobq::NewStep;
use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Document {
    tenant: u64,
    text: String,
}

struct Index(usize);

#[job(batch = 500, within = "200ms", key = docs.tenant, batch_by = key, unique = docs.text.len(), retries = 3)]
async fn index(docs: Batch<Document>, index: State<Index>) -> BatchResult {
    assert!(docs.len() <= 500 && index.0 > 0);
    docs.each(|doc| async move { if doc.text.is_empty() { Err("no text") } else { Ok(()) } }).await
}

#[job(kind = "batches_unit", batch = 1)]
async fn unit(items: Batch<()>) {
    for item in items {
        match item.attempt() {
            1 => item.snooze(Duration::from_secs(1)),
            2 => item.retry_in(Duration::from_secs(1), "busy"),
            3 => item.fail(JobError::fatal("never")),
            4 => item.settle(Err::<(), _>("no")),
            5 => item.cancel(),
            _ => item.complete(),
        }
    }
}

// A result of the program's own, a path, an argument with the name of a generated variable, and nothing to keep.
#[job(kind = "batches_own", batch = 10_000, within = "5s", retain = "0s", redact = [batch])]
async fn own(
    context: State<Index>,
    batch: pgjobq::Batch<Vec<u8>>,
) -> std::result::Result<(), std::io::Error> {
    let _ = (context, batch.into_iter().map(BatchItem::into_args).map(|bytes| bytes.len()).sum::<usize>());
    Ok(())
}

#[test]
fn job_of_a_batch_is_enqueued_alone() {
    let document = || Document { tenant: 7, text: String::new() };
    let job: NewJob<()> = index::job(document());
    assert!(job.stored_args().is_some_and(|args| args.contains(r#""docs":{"tenant":7"#)));
    let _: NewStep<()> = index::step(document());
    let _: JobHandle<()> = unit::handle(JobId::new());
    let _ = (unit::job(()), own::job(Vec::new()).max_crashes(0));
}

#[tokio::test]
async fn unit_test_sees_the_outcome_of_each_item() {
    let documents = ["", "words"].map(|text| Document { tenant: 1, text: text.to_owned() });
    let (batch, mut outcomes) = Batch::for_test(documents);
    index(batch, State::new(Index(1))).await.unwrap();
    assert!(outcomes[0].take().unwrap().is_err() && outcomes[1].take().unwrap().is_ok());
}
