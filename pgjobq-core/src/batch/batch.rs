//! The argument of a job function with `batch`.

use std::fmt;
use std::sync::Arc;

use futures_util::{StreamExt, stream};

use crate::batch::item::BatchItem;
use crate::batch::settling::{ItemEnd, Settlement, Unsettled};
use crate::{JobContext, JobError};

/// The number of items on which [`Batch::each`] works at a time.
const EACH_AT_A_TIME: usize = 16;

/// The return type of a job function with `batch`. After `Ok` each item that has no end of its own completes, and after an error
/// each of them fails with it.
pub type BatchResult<E = JobError> = std::result::Result<(), E>;

/// Jobs of one kind that one call of its job function takes, in the order in which they waited. It is never empty.
///
/// Each item is a job with a context and an end of its own: see [`BatchItem`].
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::{Batch, BatchResult};
///
/// # struct Answer;
/// # async fn send_all(_: Vec<&str>) -> std::io::Result<Vec<std::io::Result<()>>> { Ok(vec![]) }
/// async fn index(documents: Batch<String>) -> BatchResult {
///     // One request for all. If it fails, each document fails, and is retried by itself.
///     let answers = send_all(documents.iter().map(|document| document.as_str()).collect()).await?;
///     // One answer for each document, in their order.
///     documents.settle(answers)
/// }
/// ```
pub struct Batch<T> {
    items: Vec<BatchItem<T>>,
}

impl<T> Batch<T> {
    pub(crate) fn new(items: Vec<BatchItem<T>>) -> Self {
        Self { items }
    }

    /// Makes a batch for a unit test that calls a job function, and the outcome of each item. Each is the first attempt of a new job.
    ///
    /// ```
    /// # use pgjobq_core as pgjobq;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use pgjobq::{Batch, BatchResult};
    ///
    /// async fn positive(numbers: Batch<i64>) -> BatchResult {
    ///     numbers.each(|number| async move { if *number > 0 { Ok(()) } else { Err("not positive") } }).await
    /// }
    ///
    /// let (numbers, mut outcomes) = Batch::for_test([7, -7]);
    /// positive(numbers).await.unwrap();
    /// assert!(outcomes[0].take().unwrap().is_ok());
    /// assert_eq!(outcomes[1].take().unwrap().unwrap_err().to_string(), "not positive");
    /// # });
    /// ```
    pub fn for_test(args: impl IntoIterator<Item = T>) -> (Self, Vec<ItemOutcome>) {
        let call = Arc::<Unsettled>::default();
        let item = |args| {
            let (settler, settlement) = call.item();
            (BatchItem::new(args, JobContext::for_test(), settler), ItemOutcome(settlement))
        };
        let (items, outcomes) = args.into_iter().map(item).unzip();
        (Self { items }, outcomes)
    }

    /// The number of items: at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Reports whether there is no item. A worker never passes such a batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Iterates over the items.
    pub fn iter(&self) -> std::slice::Iter<'_, BatchItem<T>> {
        self.items.iter()
    }

    /// Works on each item, on sixteen of them at a time, and ends it with the result. It has then ended by itself: an error concerns no
    /// other item. What the closure has ended already keeps that end.
    ///
    /// # Errors
    ///
    /// None: it returns `Ok`, as the job function may.
    pub async fn each<F, R, E>(self, work: F) -> BatchResult
    where
        F: FnMut(BatchItem<T>) -> R,
        R: Future<Output = Result<(), E>>,
        E: Into<JobError>,
    {
        self.each_at_most(EACH_AT_A_TIME, work).await
    }

    /// Works on each item, on at most this many at a time (at least one), and ends it with the result, as [`each`](Self::each) does.
    ///
    /// # Errors
    ///
    /// None: it returns `Ok`, as the job function may.
    pub async fn each_at_most<F, R, E>(self, at_a_time: usize, mut work: F) -> BatchResult
    where
        F: FnMut(BatchItem<T>) -> R,
        R: Future<Output = Result<(), E>>,
        E: Into<JobError>,
    {
        let work = |item: BatchItem<T>| {
            let (settler, work) = (item.settler(), work(item));
            async move { settler.settle(ItemEnd::Returned(work.await.map_err(Into::into))) }
        };
        stream::iter(self.items).for_each_concurrent(at_a_time.max(1), work).await;
        Ok(())
    }

    /// Ends each item with its result, in the order of the items.
    ///
    /// # Errors
    ///
    /// An error if there are more or fewer results than items. Then it ends no item, because a result may be that of another item.
    /// Return the error: each item fails with it, and is retried.
    pub fn settle<E: Into<JobError>>(self, results: impl IntoIterator<Item = Result<(), E>>) -> BatchResult {
        let items = self.items.len();
        let results: Vec<_> = results.into_iter().take(items + 1).collect(); // One too many is enough to see it.
        if results.len() != items {
            let results = if results.len() > items { "more".to_owned() } else { results.len().to_string() };
            return Err(format!(
                "the call has {items} items and {results} results, so none can be assigned: give one result for each item"
            )
            .into());
        }
        for (item, result) in self.items.into_iter().zip(results) {
            item.settle(result);
        }
        Ok(())
    }
}

impl<T> IntoIterator for Batch<T> {
    type Item = BatchItem<T>;
    type IntoIter = std::vec::IntoIter<BatchItem<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'b, T> IntoIterator for &'b Batch<T> {
    type Item = &'b BatchItem<T>;
    type IntoIter = std::slice::Iter<'b, BatchItem<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// Prints the jobs, and no arguments.
impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(&self.items).finish()
    }
}

/// The outcome of one item in a unit test: from [`Batch::for_test`].
#[derive(Debug)]
pub struct ItemOutcome(Settlement);

impl ItemOutcome {
    /// Returns how the item was ended. `None` if it was not: it ends as the call does.
    pub fn take(&mut self) -> Option<Result<(), JobError>> {
        match self.0.take()? {
            ItemEnd::Returned(result) => Some(result),
            ItemEnd::Panicked(_) | ItemEnd::TimedOut => None, // Only a worker ends an item this way.
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::job::error::ErrorKind;

    fn ends(outcomes: Vec<ItemOutcome>) -> Vec<Option<Result<(), String>>> {
        let end = |mut outcome: ItemOutcome| Some(outcome.take()?.map_err(|error| error.to_string()));
        outcomes.into_iter().map(end).collect()
    }

    #[tokio::test]
    async fn each_ends_every_item_by_itself() {
        let (batch, outcomes) = Batch::for_test(0..40);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |item: BatchItem<u32>| {
            let (running, most) = (&running, &most);
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
                if item.is_multiple_of(2) { Ok(()) } else { Err(format!("{} is odd", *item)) }
            }
        };
        batch.each_at_most(3, work).await.unwrap();
        assert_eq!(most.into_inner(), 3);
        let ends = ends(outcomes);
        assert_eq!((ends[0].clone(), ends[39].clone()), (Some(Ok(())), Some(Err("39 is odd".to_owned()))));
    }

    #[test]
    fn wrong_number_of_results_ends_no_item() {
        let message = |results| {
            format!(
                "the call has 3 items and {results} results, so none can be assigned: give one result for each item"
            )
        };
        let (batch, outcomes) = Batch::for_test(["a", "b", "c"]);
        let error = batch.settle([Ok(()), Err("no")]).unwrap_err();
        assert_eq!((error.to_string(), ends(outcomes)), (message("2"), vec![None, None, None]));
        let (batch, outcomes) = Batch::for_test(["a", "b", "c"]);
        let error = batch.settle(std::iter::repeat(Ok::<_, String>(()))).unwrap_err();
        assert_eq!((error.to_string(), ends(outcomes)), (message("more"), vec![None, None, None]));
    }

    #[test]
    fn every_way_to_end_an_item_is_told_apart() {
        let (batch, mut outcomes) = Batch::for_test([(); 5]);
        let day = Duration::from_secs(86_400);
        let mut items = batch.into_iter();
        items.next().unwrap().complete();
        items.next().unwrap().snooze(day);
        items.next().unwrap().retry_in(day, "busy");
        items.next().unwrap().cancel();
        drop(items);
        assert!(outcomes[0].take().unwrap().is_ok());
        let kind = |outcome: &mut ItemOutcome| outcome.take().unwrap().unwrap_err().kind();
        assert_eq!(kind(&mut outcomes[1]), ErrorKind::Snooze(day));
        assert_eq!(kind(&mut outcomes[2]), ErrorKind::RetryIn(day));
        assert_eq!(kind(&mut outcomes[3]), ErrorKind::Cancel);
        assert!(outcomes[4].take().is_none());
    }

    #[test]
    fn arguments_are_not_printed() {
        let (batch, _outcomes) = Batch::for_test(["secret"]);
        assert!(!format!("{batch:?}").contains("secret"));
    }
}
