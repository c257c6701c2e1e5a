//! Producers: transactions of random length that commit in any order, or roll back, in part or as a whole.

use std::sync::Arc;
use std::time::Duration;

use pgjobq::{JobId, NewJob, Priority};
use sqlx::{Connection, PgConnection};

use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::world::{KINDS, QUEUES, World, new_job};

/// Runs this many transactions, one after the other.
pub(crate) async fn produce(world: Arc<World>, mut dice: Dice, transactions: usize) {
    let mut connection = PgConnection::connect_with(&world.db.options).await.unwrap();
    for _ in 0..transactions {
        transaction(&world, &mut connection, &mut dice).await;
    }
    connection.close().await.unwrap();
}

async fn transaction(world: &World, connection: &mut PgConnection, dice: &mut Dice) {
    let mut tx = connection.begin().await.unwrap();
    if dice.one_in(4) {
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await.unwrap();
    }
    let mut kept = Vec::new();
    for _ in 0..dice.number(1..=4) {
        if dice.one_in(4) {
            let mut part = tx.begin().await.unwrap(); // A savepoint.
            let jobs = send(&world.ledger, &mut part, dice).await;
            if dice.one_in(2) {
                part.rollback().await.unwrap();
                world.ledger.rolled_back(&jobs);
            } else {
                part.commit().await.unwrap();
                kept.extend(jobs);
            }
        } else {
            kept.extend(send(&world.ledger, &mut tx, dice).await);
        }
        tokio::time::sleep(dice.millis(20)).await; // Makes the transaction longer, so that others commit in between.
    }
    if dice.one_in(4) {
        tx.rollback().await.unwrap();
        world.ledger.rolled_back(&kept);
    } else {
        tx.commit().await.unwrap();
        world.ledger.committed(&kept);
    }
}

/// Sends one job, or a few, or many.
async fn send(ledger: &Ledger, connection: &mut PgConnection, dice: &mut Dice) -> Vec<JobId> {
    let count = if dice.one_in(3) { dice.number(2..=80) } else { 1 };
    let jobs: Vec<_> = (0..count).map(|_| random_job(ledger, dice)).collect();
    let ids = jobs.iter().map(NewJob::job_id).collect();
    if count == 1 {
        for job in jobs {
            job.enqueue(&mut *connection).await.unwrap();
        }
    } else {
        pgjobq::enqueue_all(&mut *connection, jobs).await.unwrap();
    }
    ids
}

fn random_job(ledger: &Ledger, dice: &mut Dice) -> NewJob<()> {
    let kind = dice.pick(&KINDS);
    let priority = dice.pick(&[Priority::Low, Priority::Normal, Priority::High, Priority::Critical]);
    let mut job = new_job(kind).queue(dice.pick(&QUEUES)).priority(priority);
    // Ids in any order, so that a job may be in any shard.
    job = job.id(uuid::Uuid::from_u128((dice.number(..) as u128) << 64 | dice.number(..) as u128));
    let scheduled = dice.one_in(10);
    if scheduled {
        job = job.delay(Duration::from_millis(1) + dice.millis(50));
    }
    ledger.sent(job.job_id(), kind, scheduled);
    job
}

/// Sends this many equal jobs into the queue `default`, in one statement for each thousand; does not commit.
pub(crate) async fn send_many(world: &World, connection: &mut PgConnection, count: usize) -> Vec<JobId> {
    let jobs: Vec<_> = (0..count).map(|_| new_job(KINDS[0])).collect();
    let ids: Vec<_> = jobs.iter().map(NewJob::job_id).collect();
    ids.iter().for_each(|id| world.ledger.sent(*id, KINDS[0], false));
    pgjobq::enqueue_all(connection, jobs).await.unwrap();
    ids
}
