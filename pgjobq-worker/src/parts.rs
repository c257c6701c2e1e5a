//! The tasks of a worker. Each runs until the worker ends it: a task that ends by itself, or panics, ends the worker.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// The tasks of a worker, each with its name.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// A part that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndedPart {
    pub(crate) name: &'static str,
    pub(crate) panicked: bool,
}

impl Parts {
    pub(crate) fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(part).id();
        self.names.insert(id, name);
    }

    /// Spawns a part that is dropped when `end` is cancelled.
    pub(crate) fn spawn_until(
        &mut self,
        name: &'static str,
        end: &CancellationToken,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let until_end = end.clone().run_until_cancelled_owned(part);
        self.spawn(name, async { _ = until_end.await });
    }

    /// Returns the next part that ends; `None` if all have ended.
    pub(crate) async fn next_end(&mut self) -> Option<EndedPart> {
        let (id, panicked) = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), true),
        };
        Some(EndedPart { name: self.names.get(&id).copied().unwrap_or("unknown"), panicked })
    }

    /// Waits for all of them to end. Returns the first that panicked.
    pub(crate) async fn end(&mut self) -> Option<&'static str> {
        let mut panicked = None;
        while let Some(part) = self.next_end().await {
            panicked = panicked.or(part.panicked.then_some(part.name));
        }
        panicked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ended_part_is_named() {
        let mut parts = Parts::default();
        parts.spawn("reaper", std::future::pending());
        parts.spawn("promoter", async { panic!("a bug") });
        assert_eq!(parts.next_end().await, Some(EndedPart { name: "promoter", panicked: true }));
        parts.spawn("finisher", async {});
        assert_eq!(parts.next_end().await, Some(EndedPart { name: "finisher", panicked: false }));
    }

    #[tokio::test]
    async fn first_panicked_part_is_returned() {
        let mut parts = Parts::default();
        parts.spawn("finisher", async {});
        assert_eq!(parts.end().await, None);
        parts.spawn("reaper", async { panic!("a bug") });
        assert_eq!(parts.end().await, Some("reaper"));
    }
}
