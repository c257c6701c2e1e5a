//! The way of an item's end from the call to the attempt of its job.

use std::any::Any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::JobError;
use crate::lock::lock;

/// The end of an item.
#[derive(Debug)]
pub enum ItemEnd {
    /// The function has ended the item, or has returned.
    Returned(Result<(), JobError>),
    /// The call panicked, or the decoding of this item's arguments. This is the payload.
    Panicked(Box<dyn Any + Send>),
    /// The call ran for longer than the kind's timeout.
    TimedOut,
}

/// The items of one call that have not ended, and whose attempts wait for that.
#[derive(Debug, Default)]
pub struct Unsettled {
    count: AtomicUsize,
    abandoned: CancellationToken,
}

/// Settles one item: the first end counts. When its last clone is dropped, the attempt waits no longer.
#[derive(Clone, Debug)]
pub struct Settler(Arc<Sending>);

#[derive(Debug)]
struct Sending(Arc<Item>);

/// Receives the end of one item. If it is dropped before, the item is abandoned: its attempt has timed out, or was stopped.
#[derive(Debug)]
pub struct Settlement {
    item: Arc<Item>,
    end: oneshot::Receiver<ItemEnd>,
}

#[derive(Debug)]
struct Item {
    /// `None` once the item is settled or abandoned.
    sender: Mutex<Option<oneshot::Sender<ItemEnd>>>,
    call: Arc<Unsettled>,
}

impl Unsettled {
    /// Adds an item.
    pub fn item(self: &Arc<Self>) -> (Settler, Settlement) {
        self.count.fetch_add(1, Ordering::AcqRel);
        let (sender, end) = oneshot::channel();
        let item = Arc::new(Item { sender: Mutex::new(Some(sender)), call: Arc::clone(self) });
        (Settler(Arc::new(Sending(Arc::clone(&item)))), Settlement { item, end })
    }

    /// Returns when the last item that was not settled is abandoned: nobody waits for the call any more.
    pub async fn all_abandoned(&self) {
        self.abandoned.cancelled().await;
    }
}

impl Item {
    /// Takes the right to settle or to abandon the item, and returns whether it was the last one.
    fn take(&self) -> Option<(oneshot::Sender<ItemEnd>, bool)> {
        let sender = lock(&self.sender).take()?;
        Some((sender, self.call.count.fetch_sub(1, Ordering::AcqRel) == 1))
    }
}

impl Settler {
    /// Settles the item, unless it is settled already.
    pub fn settle(&self, end: ItemEnd) {
        if let Some((sender, _)) = self.0.0.take() {
            let _ = sender.send(end); // An attempt that was dropped at this moment needs no end.
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl Settlement {
    /// Waits for the end. Returns `None` if the call was dropped without settling the item.
    pub async fn end(mut self) -> Option<ItemEnd> {
        (&mut self.end).await.ok()
    }

    /// Returns the end, if the item is settled.
    pub fn take(&mut self) -> Option<ItemEnd> {
        self.end.try_recv().ok()
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        if let Some((_, true)) = self.item.take() {
            self.item.call.abandoned.cancel();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_abandoned(call: &Unsettled) -> bool {
        call.all_abandoned().now_or_never().is_some()
    }

    #[tokio::test]
    async fn first_end_of_an_item_counts() {
        let (settler, settlement) = Arc::<Unsettled>::default().item();
        settler.settle(ItemEnd::Returned(Err("no".into())));
        settler.settle(ItemEnd::Returned(Ok(())));
        assert!(
            matches!(settlement.end().await, Some(ItemEnd::Returned(Err(error))) if error.to_string() == "no")
        );
    }

    #[test]
    fn call_is_abandoned_with_its_last_unsettled_item() {
        let call = Arc::<Unsettled>::default();
        let (settlers, mut settlements): (Vec<_>, Vec<_>) = (0..3).map(|_| call.item()).unzip();
        settlers[0].settle(ItemEnd::Returned(Ok(())));
        settlements.truncate(2);
        assert!(!is_abandoned(&call), "one attempt waits");
        settlements.truncate(1);
        assert!(is_abandoned(&call), "the other one has its end");
    }

    #[test]
    fn settled_call_is_never_abandoned() {
        let call = Arc::<Unsettled>::default();
        let (first, second) = (call.item(), call.item());
        drop(first.1);
        second.0.settle(ItemEnd::Returned(Ok(())));
        drop(second.1);
        assert!(!is_abandoned(&call), "the function may go on with what it has to do");
    }

    #[tokio::test]
    async fn dropped_call_ends_the_wait() {
        let (settler, settlement) = Arc::<Unsettled>::default().item();
        drop(settler);
        assert!(settlement.end().await.is_none());
    }
}
