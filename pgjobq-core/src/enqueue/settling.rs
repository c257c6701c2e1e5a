//! Jobs of a group that are sent and answered, while their outcome is not certain yet: they are unique, and have met another one.

use std::sync::Arc;

use crate::db::shared::Shared;
use crate::enqueue::deliver::Sender;
use crate::enqueue::group::Group;
use crate::enqueue::insert::Answer;

/// Settles their outcome in a task of its own, and replies to their callers then. Nobody else waits for that.
pub(super) fn settle_later(shared: &Arc<Shared>, sender: &Sender, group: Group, answer: Answer) {
    let settling = Settling { sender: sender.clone(), group };
    shared.tasks.spawn(settling.run(answer));
}

/// The task. If its runtime ends, each caller gets the reply to look for its job.
struct Settling {
    sender: Sender,
    group: Group,
}

impl Settling {
    async fn run(self, mut answer: Answer) {
        self.sender.settle_held(&mut answer).await;
        let unsettled = self.group.answered(&answer);
        debug_assert!(
            unsettled.is_none(),
            "a look at requests settles all of them, or leaves them to workers"
        );
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        drop(self.group.abandon());
    }
}
