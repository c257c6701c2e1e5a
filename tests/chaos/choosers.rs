//! Enqueue jobs that others of their name may take the place of, through a network that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pgjobq::sqlx;
use pgjobq::{Client, EnqueueOutcome, JobId, NewJob};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::account::{Ends, Expected};
use crate::chosen::{self, KINDS, NEW, OLD, TOLLED};
use crate::producers::{ANSWER_WITHIN, Refused, connect};
use crate::stage::Stage;

/// The number of names of each kind.
const NAMES: usize = 2;
/// The most enqueues of one kind and name in a row.
const BURST: u32 = 8;
/// The most live jobs of `tolled`, which no other job takes the place of.
const TOLLED_MOST: i64 = 30;
const EVERY: Duration = Duration::from_millis(15);

struct Chooser {
    stage: Arc<Stage>,
    number: u64,
    client: Client,
    dice: Rng,
    /// For each kind and name, how often that was replaced, and the last version.
    names: Vec<(u32, i32)>,
}

/// Enqueues jobs of all of these kinds, one after the other, until it is stopped. The names are its own.
pub(crate) async fn choose(stage: Arc<Stage>, number: u64, seed: u64, goes_on: Arc<AtomicBool>) {
    let (client, names) = (connect(&stage), vec![(0, 0); KINDS.len() * NAMES]);
    let mut chooser = Chooser { number, client, names, dice: Rng::with_seed(seed), stage };
    while goes_on.load(Ordering::SeqCst) {
        let (kind, place) = (chooser.dice.usize(..KINDS.len()), chooser.dice.usize(..NAMES));
        for _ in 0..=chooser.dice.u32(..BURST) {
            chooser.step(kind, place).await;
        }
        sleep(EVERY).await;
    }
}

impl Chooser {
    /// One enqueue of a kind and a name.
    async fn step(&mut self, kind: usize, place: usize) {
        let at = kind * NAMES + place;
        self.names[at].1 += 1;
        let (kind, (generation, version)) = (KINDS[kind], self.names[at]);
        let tolled = "select count(*) from pgjobq.jobs where kind = 'tolled'";
        if kind == TOLLED && self.stage.number(tolled).await > TOLLED_MOST {
            return;
        }
        let name = format!("{place} in {generation} of {}", self.number);
        let job = chosen::job(kind, name.clone(), version);
        let id = job.job_id();
        // In a transaction no old job is dropped.
        let in_transaction = kind != OLD && self.dice.u32(..3) == 0;
        let asked =
            "insert into asked (job, kind, name, version, in_transaction) values ($1, $2, $3, $4, $5)";
        let asked = sqlx::query(asked).bind(id.as_uuid()).bind(kind).bind(&name).bind(version);
        let asked = asked.bind(in_transaction);
        if asked.execute(&self.stage.pool).await.is_err() {
            return; // The server may be down.
        }
        self.stage.account.attempt(1);
        let document = (kind == "synced").then_some((name.as_str(), version));
        match timeout(ANSWER_WITHIN, enqueue(&self.client, job, document, in_transaction)).await {
            Ok(Ok(outcome)) => self.note(kind, id, outcome),
            unanswered => {
                self.stage.account.note_unknown(&[id]);
                // That enqueue may still come, after all that follow.
                self.names[at].0 += 1;
                if unanswered.is_err() {
                    self.client = connect(&self.stage); // Its connections may stay silent.
                }
            }
        }
    }

    /// Records an answer.
    fn note(&self, kind: &str, id: JobId, outcome: EnqueueOutcome) {
        let acknowledge = |ends| {
            self.stage.account.acknowledge(&[id], Expected { ends, in_transaction: false });
        };
        let ends = match kind {
            "dropped" | "newest" | "latest" | OLD => Ends::CompletedOrCancelled,
            _ => Ends::Completed,
        };
        let holder = match outcome {
            EnqueueOutcome::Duplicate(holder) | EnqueueOutcome::Replaced(holder) => holder,
            _ => id,
        };
        match outcome {
            EnqueueOutcome::Dropped if kind == NEW => self.stage.account.note_rolled_back(&[id]),
            EnqueueOutcome::Dropped => acknowledge(Ends::Cancelled),
            // If the holder was claimed before the commit, this job was enqueued after all.
            _ if holder != id && kind != "spaced" => self.stage.account.note_unknown(&[id]),
            _ if holder != id => self.stage.account.note_rolled_back(&[id]),
            _ => acknowledge(ends),
        }
        let mut books = self.stage.account.books();
        if holder != id {
            books.holders.push(holder.as_uuid());
        }
        books.chosen.push((id.as_uuid(), holder.as_uuid()));
    }
}

/// Enqueues a job after it has written the document that the job reads, or in the same transaction.
async fn enqueue(
    client: &Client,
    job: NewJob<Uuid>,
    document: Option<(&str, i32)>,
    in_transaction: bool,
) -> Result<EnqueueOutcome, Refused> {
    let mut tx = client.pool().begin().await?;
    if let Some((name, version)) = document {
        let write = sqlx::query("insert into documents (name, version) values ($1, $2)");
        write.bind(name).bind(version).execute(&mut *tx).await?;
    }
    if !in_transaction {
        tx.commit().await?;
        return Ok(job.enqueue(client).await?.outcome());
    }
    let outcome = job.enqueue(&mut *tx).await?.outcome();
    tx.commit().await?;
    Ok(outcome)
}
