//! One call of a job function with `batch`: decodes the arguments of its items, and ends those that the function has not ended.

use std::panic::{AssertUnwindSafe, catch_unwind};

use async_trait::async_trait;
use serde_json::value::RawValue;

use crate::batch::batch::Batch;
use crate::batch::item::BatchItem;
use crate::batch::settling::{ItemEnd, Settler};
use crate::{JobContext, JobError};

/// The object-safe interface of a job function with `batch`. `#[job]` writes the implementation.
#[async_trait]
pub trait BatchHandler: Send + Sync {
    /// Runs one call, and settles each item, unless it panics or is dropped.
    async fn run(&self, items: Vec<RawItem>);
}

/// An item as a worker passes it to the call.
#[derive(Debug)]
pub struct RawItem {
    /// The item's place in the batch.
    pub place: usize,
    /// The context of the item's attempt.
    pub context: JobContext,
    /// The stored arguments.
    pub args: Box<RawValue>,
    /// The way of the item's end to its attempt.
    pub settler: Settler,
}

/// Decodes the argument of one item.
pub(crate) type Decode<T> = fn(&JobContext, &RawValue) -> Result<T, JobError>;

/// Runs one call. An item that does not decode ends alone. The function gets the context of the first item, for the worker's states.
pub async fn run_call<T, F>(
    items: Vec<RawItem>,
    decode: Decode<T>,
    function: impl FnOnce(JobContext, Batch<T>) -> F,
) where
    F: Future<Output = Result<(), JobError>>,
{
    let mut batch = Vec::with_capacity(items.len());
    for RawItem { context, args, settler, .. } in items {
        match catch_unwind(AssertUnwindSafe(|| decode(&context, &args))) {
            Ok(Ok(args)) => batch.push(BatchItem::new(args, context, settler)),
            Ok(Err(error)) => settler.settle(ItemEnd::Returned(Err(error))),
            Err(panic) => settler.settle(ItemEnd::Panicked(panic)),
        }
    }
    let Some(context) = batch.first().map(|item| item.context().clone()) else { return };
    let settlers: Vec<Settler> = batch.iter().map(BatchItem::settler).collect();
    let returned = function(context, Batch::new(batch)).await;
    for settler in settlers {
        settler.settle(ItemEnd::Returned(returned.as_ref().copied().map_err(JobError::repeated)));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::settling::{Settlement, Unsettled};

    fn decode(context: &JobContext, args: &RawValue) -> Result<u32, JobError> {
        assert_ne!(args.get(), "13", "a panic while it is decoded");
        context.stored(args).decode()
    }

    /// Runs a call for these arguments, and returns how each item ended.
    async fn run<F>(args: &[&str], function: impl FnOnce(JobContext, Batch<u32>) -> F) -> Vec<String>
    where
        F: Future<Output = Result<(), JobError>>,
    {
        let call = Arc::<Unsettled>::default();
        let item = |(place, args): (usize, &&str)| {
            let (settler, settlement) = call.item();
            let args = RawValue::from_string((*args).to_owned()).unwrap();
            (RawItem { place, context: JobContext::for_test(), args, settler }, settlement)
        };
        let (items, settlements): (Vec<_>, Vec<_>) = args.iter().enumerate().map(item).unzip();
        run_call(items, decode, function).await;
        let end = |mut settlement: Settlement| match settlement.take().unwrap() {
            ItemEnd::Returned(Ok(())) => "completed".to_owned(),
            ItemEnd::Returned(Err(error)) => error.to_string(),
            ItemEnd::Panicked(_) => "panicked".to_owned(),
            ItemEnd::TimedOut => unreachable!("only a worker has timeouts"),
        };
        settlements.into_iter().map(end).collect()
    }

    #[tokio::test]
    async fn items_without_an_end_end_as_the_call() {
        let ends = run(&["1", "2"], |_, batch| async move {
            batch.into_iter().next().unwrap().fail("no");
            Ok(())
        });
        assert_eq!(ends.await, ["no", "completed"]);
        let ends = run(&["1", "2"], |_, batch| async move {
            batch.into_iter().next().unwrap().complete();
            Err(JobError::from("the index is down"))
        });
        assert_eq!(ends.await, ["completed", "the index is down"]);
    }

    #[tokio::test]
    async fn item_that_does_not_decode_ends_alone() {
        let ends = run(&["1", "\"two\"", "13", "4"], |_, batch| async move {
            assert_eq!(batch.iter().map(|item| **item).collect::<Vec<_>>(), [1, 4]);
            Ok(())
        })
        .await;
        assert_eq!((&*ends[0], &*ends[2], &*ends[3]), ("completed", "panicked", "completed"));
        assert!(ends[1].starts_with("the arguments do not fit the job function"), "{}", ends[1]);
        let ends = run(&["\"two\""], |_, _| async { unreachable!("nothing decodes") }).await;
        assert_eq!(ends.len(), 1);
    }
}
