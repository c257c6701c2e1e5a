//! The ageing of a queue: waiting jobs move up one priority at a time.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::DatabaseError;
use crate::admin::queue::{Queue, QueueError, SaveQueue};
use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;

/// The shortest and the longest time after which a job moves up. The schema has the same limits.
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

impl<'c> Queue<'c> {
    /// Lets each waiting job move up one priority whenever it has waited for this time, until it is critical. It takes effect with
    /// [`save`](SaveQueue::save); `Duration::ZERO` turns it off, which is the default. What an operator sets with
    /// [`change`](Self::change) wins.
    ///
    /// So a stream of jobs of a higher priority does not keep a job waiting without end: a low job is critical after three times
    /// this time and an eighth more, and then only jobs that came before it are ahead of it. It keeps its new priority, also for its
    /// retries. Jobs in quarantine do not move up. A job that waited when ageing was turned on waits from that moment on.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::QueueError> {
    /// client.queue("mail").ageing(std::time::Duration::from_secs(10 * 60)).save().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ageing(self, time: Duration) -> SaveQueue<'c> {
        self.with_options().ageing(time)
    }
}

impl SaveQueue<'_> {
    /// Lets waiting jobs move up: see [`Queue::ageing`].
    pub fn ageing(mut self, time: Duration) -> Self {
        self.ageing = Some(time);
        self
    }
}

impl Client {
    pub(super) async fn save_ageing(&self, queue: QueueId, ageing: Duration) -> Result<(), DatabaseError> {
        let shared = self.shared();
        let micros = i64::try_from(ageing.as_micros()).unwrap_or(i64::MAX);
        let values: [&dyn Literal; 2] = [&queue, &micros];
        shared.write(&shared.sql.save_ageing, &values).await.map(drop)
    }
}

/// Rejects a time of ageing that no queue can have.
pub(super) fn check_ageing(queue: &str, ageing: Option<Duration>) -> Result<(), QueueError> {
    match ageing.filter(|time| !time.is_zero() && !TIMES.contains(time)) {
        Some(time) => Err(QueueError::Ageing { queue: queue.to_owned(), time }),
        None => Ok(()),
    }
}
