//! Enqueue jobs under limits, through a network that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pgjobq::{Client, EnqueueOutcome, JobId, NewJob};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::account::{Ends, Expected};
use crate::limited;
use crate::producers::{ANSWER_WITHIN, Refused, connect, in_a_transaction, many, one};
use crate::stage::Stage;

/// The jobs that wait for each key, or at least for each kind.
const WAITING: u64 = 5;

/// The number of keys of `paced`, and of names of `only`.
const FEW: u64 = 4;

/// A tenant's connection, their random numbers, and the last number of each of their keys.
struct Tenant {
    stage: Arc<Stage>,
    name: u64,
    client: Client,
    dice: Rng,
    numbers: Vec<u64>,
}

/// Enqueues jobs of all kinds that have limits, until it is stopped. Of the kind with an order it uses keys of its own.
pub(crate) async fn produce(stage: Arc<Stage>, name: u64, seed: u64, goes_on: Arc<AtomicBool>) {
    let (client, numbers) = (connect(&stage), vec![0; stage.keys]);
    let mut tenant = Tenant { name, client, numbers, dice: Rng::with_seed(seed), stage };
    while goes_on.load(Ordering::SeqCst) {
        tenant.step().await;
    }
}

impl Tenant {
    /// One enqueue of a kind of which not enough jobs wait.
    async fn step(&mut self) {
        let kinds = ["lined", "crowded", "scarce", "paced", "only"];
        let kind = kinds[self.dice.usize(..kinds.len())];
        let live =
            self.stage.number(&format!("select count(*) from pgjobq.jobs where kind = '{kind}'")).await;
        let keys = if matches!(kind, "lined" | "crowded") { self.stage.keys as u64 } else { FEW };
        if live as u64 > WAITING * keys {
            sleep(Duration::from_millis(10)).await;
            return;
        }
        let count = self.dice.usize(1..=6);
        let jobs = match kind {
            "lined" => self.lined(count),
            "paced" => (0..count).map(|_| self.paced()).collect(),
            "only" => return self.only().await,
            "crowded" => (0..count).map(|_| self.crowded()).collect(),
            _ => (0..count).map(|_| limited::scarce::job(self.millis())).collect(),
        };
        self.enqueue(jobs).await;
    }

    /// Jobs of one key, in their order.
    fn lined(&mut self, count: usize) -> Vec<NewJob<Uuid>> {
        let place = self.dice.usize(..self.numbers.len());
        let key = format!("{} of {}", place, self.name);
        let next = |tenant: &mut Self| {
            tenant.numbers[place] += 1;
            limited::lined::job(key.clone(), tenant.numbers[place], tenant.millis())
        };
        (0..count).map(|_| next(self)).collect()
    }

    /// A job of any key, sometimes in a queue that has a limit of its own.
    fn crowded(&mut self) -> NewJob<Uuid> {
        let key = format!("{}", self.dice.usize(..self.stage.keys));
        let job = limited::crowded::job(key, self.millis());
        if self.dice.u32(..4) == 0 { job.queue(limited::NARROW) } else { job }
    }

    fn paced(&mut self) -> NewJob<Uuid> {
        let key = format!("{}", self.dice.u64(..FEW));
        limited::paced::job(key)
    }

    /// Enqueues a job whose name another one may have.
    async fn only(&mut self) {
        let job = limited::only::job(format!("{}", self.dice.u64(..FEW)), self.millis());
        let (id, in_transaction) = (job.job_id(), self.dice.u32(..4) == 0);
        self.stage.account.attempt(1);
        match timeout(ANSWER_WITHIN, enqueue_only(&self.client, job, in_transaction)).await {
            Ok(Ok(EnqueueOutcome::New)) => self.acknowledge(&[id], false),
            Ok(Ok(EnqueueOutcome::Duplicate(holder))) if holder == id => self.acknowledge(&[id], false),
            Ok(Ok(EnqueueOutcome::Duplicate(holder))) => {
                self.stage.account.note_rolled_back(&[id]);
                self.stage.account.books().holders.push(holder.as_uuid());
                sleep(Duration::from_millis(20)).await;
            }
            Ok(Ok(other)) => panic!("{other:?} is no answer to this enqueue"),
            Ok(Err(_)) => self.stage.account.note_unknown(&[id]),
            Err(_) => {
                self.stage.account.note_unknown(&[id]);
                self.client = connect(&self.stage);
            }
        }
    }

    fn millis(&mut self) -> u64 {
        self.dice.u64(10..80)
    }

    fn acknowledge(&self, ids: &[JobId], in_transaction: bool) {
        self.stage.account.acknowledge(ids, Expected { ends: Ends::Completed, in_transaction });
    }

    /// Enqueues jobs alone, in bulk, or in a transaction.
    async fn enqueue(&mut self, jobs: Vec<NewJob<Uuid>>) {
        let ids: Vec<JobId> = jobs.iter().map(NewJob::job_id).collect();
        self.stage.account.attempt(ids.len() as i64);
        let in_transaction = self.dice.u32(..4) == 0;
        let enqueued = timeout(ANSWER_WITHIN, enqueue(&self.client, jobs, in_transaction)).await;
        match enqueued {
            Ok(Ok(())) => {
                self.acknowledge(&ids, in_transaction);
            }
            Ok(Err(_)) => self.stage.account.note_unknown(&ids),
            Err(_) => {
                self.stage.account.note_unknown(&ids);
                self.client = connect(&self.stage); // Its connections may stay silent.
            }
        }
    }
}

async fn enqueue_only(
    client: &Client,
    job: NewJob<Uuid>,
    in_transaction: bool,
) -> Result<EnqueueOutcome, Refused> {
    if !in_transaction {
        return Ok(job.enqueue(client).await?.outcome());
    }
    let mut tx = client.pool().begin().await?;
    let outcome = job.enqueue(&mut *tx).await?.outcome();
    tx.commit().await?;
    Ok(outcome)
}

async fn enqueue(client: &Client, jobs: Vec<NewJob<Uuid>>, in_transaction: bool) -> Result<(), Refused> {
    if in_transaction {
        in_a_transaction(client, jobs, false, false).await
    } else if jobs.len() == 1 {
        one(client, jobs).await.map(drop)
    } else {
        many(client, jobs, false).await
    }
}
