//! The shards in which parents have ended, or edges are new, and which a worker of this process has to settle.

use std::collections::VecDeque;
use std::sync::Mutex;

use pgjobq_core::worker_api::{Shard, lock};
use tokio::sync::Notify;

/// The shards in which parents have ended, or edges are new, that a worker has to settle.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    shards: Mutex<VecDeque<Shard>>,
    added: Notify,
}

impl Unsettled {
    /// Notes that there is something to settle in a shard.
    pub(crate) fn note(&self, shard: Shard) {
        self.put_back(shard);
        self.added.notify_one();
    }

    /// Adds a shard without waking the task that settles.
    pub(crate) fn put_back(&self, shard: Shard) {
        let mut shards = lock(&self.shards);
        if !shards.contains(&shard) {
            shards.push_back(shard);
        }
    }

    /// Removes the first shard.
    pub(crate) fn take(&self) -> Option<Shard> {
        lock(&self.shards).pop_front()
    }

    /// Waits until there is something to settle.
    pub(crate) async fn noted(&self) {
        self.added.notified().await;
    }
}
