//! Enqueue into a bounded queue that is mostly full, through a network that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pgjobq::{Client, EnqueueError, JobId, NewJob};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::account::{Ends, Expected};
use crate::limited;
use crate::producers::{ANSWER_WITHIN, Refused, connect};
use crate::stage::Stage;

/// The ways to enqueue.
#[derive(Clone, Copy)]
enum Way {
    /// Waits for room.
    One,
    /// Waits for room, for one job after the other of several.
    Many,
    /// Does not wait.
    Try,
    /// Does not wait, and commits the transaction although the queue is full.
    Transaction,
}

const WAYS: [Way; 4] = [Way::One, Way::Many, Way::Try, Way::Transaction];

/// The answers that a packer got.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) enqueued: AtomicU64,
    pub(crate) full: AtomicU64,
}

/// Enqueues by one of the ways until it is stopped.
pub(crate) async fn pack(stage: Arc<Stage>, packer: u64, seed: u64, goes_on: Arc<AtomicBool>) {
    let (mut client, mut dice) = (connect(&stage), Rng::with_seed(seed));
    let way = WAYS[packer as usize % WAYS.len()];
    while goes_on.load(Ordering::SeqCst) {
        let count = if matches!(way, Way::Many) { dice.usize(1..=8) } else { 1 };
        let jobs: Vec<_> = (0..count).map(|_| limited::packed::job(dice.u64(20..150))).collect();
        let ids: Vec<JobId> = jobs.iter().map(NewJob::job_id).collect();
        stage.account.attempt(count as i64);
        let in_transaction = matches!(way, Way::Transaction);
        match timeout(ANSWER_WITHIN, enqueue(&client, jobs, way)).await {
            Ok(Ok(true)) => {
                stage.answers.enqueued.fetch_add(count as u64, Ordering::SeqCst);
                stage.account.acknowledge(&ids, Expected { ends: Ends::Completed, in_transaction });
            }
            Ok(Ok(false)) => {
                stage.answers.full.fetch_add(1, Ordering::SeqCst);
                stage.account.note_rolled_back(&ids);
                sleep(Duration::from_millis(50)).await;
            }
            Ok(Err(_)) => {
                stage.account.note_unknown(&ids);
                sleep(Duration::from_millis(50)).await; // The server may be down.
            }
            Err(_) => {
                stage.account.note_unknown(&ids);
                client = connect(&stage); // Its connections may stay silent.
            }
        }
    }
}

/// Returns false if the queue was full, and none of the jobs was enqueued.
async fn enqueue(client: &Client, jobs: Vec<NewJob<Uuid>>, way: Way) -> Result<bool, Refused> {
    let mut jobs = jobs.into_iter();
    let mut next = || jobs.next().expect("there is one job");
    let enqueued = match way {
        Way::One => next().enqueue(client).await.map(drop),
        Way::Try => next().try_enqueue(client).await.map(drop),
        // Some of them may have been enqueued.
        Way::Many => return Ok(client.enqueue_all(jobs).await.map(|_| true)?),
        Way::Transaction => return in_a_transaction(client, next()).await,
    };
    match enqueued {
        Ok(()) => Ok(true),
        Err(EnqueueError::QueueFull { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Enqueues in a transaction, with a row beside the job if there is room.
async fn in_a_transaction(client: &Client, job: NewJob<Uuid>) -> Result<bool, Refused> {
    let id = job.job_id().as_uuid();
    let mut tx = client.pool().begin().await?;
    let enqueued = match job.enqueue(&mut *tx).await {
        Ok(_) => true,
        Err(EnqueueError::QueueFull { .. }) => false,
        Err(error) => return Err(error.into()),
    };
    let note = pgjobq::sqlx::query("insert into orders (job) select $1 where $2").bind(id).bind(enqueued);
    note.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(enqueued)
}
