//! Jobs that commit below every worker's guess: by the long writer, and by many rows at once.

use std::sync::Arc;
use std::time::Instant;

use sqlx::{Connection, PgConnection};

use crate::dice::{Dice, long_writer};
use crate::harness::TestDb;
use crate::producers::send_many;
use crate::workers::Simulated;
use crate::world::{KINDS, World};

/// The least number of other jobs that commit meanwhile: enough for every guess, which stays 1,500 tickets behind.
const OTHERS: usize = 4_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sweeps {
    On,
    Off,
}

on_one_and_eight_shards!(invariant_12_sweep_finds_jobs_of_a_late_commit);
async fn invariant_12_sweep_finds_jobs_of_a_late_commit(db: TestDb) {
    let world = World::new(db).await;
    assert_eq!(late(&world, 300, Sweeps::On).await, 0);
}

on_one_and_eight_shards!(invariant_12_sweep_finds_50_000_jobs_of_one_commit);
async fn invariant_12_sweep_finds_50_000_jobs_of_one_commit(db: TestDb) {
    let world = World::new(db).await;
    assert_eq!(late(&world, 50_000, Sweeps::On).await, 0);
}

on_one_and_eight_shards!(without_sweeps_what_a_long_writer_commits_is_passed_over);
async fn without_sweeps_what_a_long_writer_commits_is_passed_over(db: TestDb) {
    let world = World::new(db).await;
    assert_eq!(late(&world, 300, Sweeps::Off).await, 300);
}

/// A writer sends `rows` and stays open while thousands of other jobs commit and are done; then it commits. Returns the
/// number of jobs that the workers leave behind, with or without sweeps.
async fn late(world: &Arc<World>, rows: usize, sweeps: Sweeps) -> usize {
    let mut dice = Dice::new();
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(Simulated::new(world, dice.fork(), &KINDS).await);
    }
    let begun = Instant::now();
    let mut writer = PgConnection::connect_with(&world.db.options).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    let rows = send_many(world, &mut tx, rows).await;
    let last = world.drawn().await;

    let mut others = PgConnection::connect_with(&world.db.options).await.unwrap();
    let mut done = 0;
    while done < OTHERS || begun.elapsed() < long_writer() {
        let mut other = others.begin().await.unwrap();
        let jobs = send_many(world, &mut other, 2000).await;
        other.commit().await.unwrap();
        world.ledger.committed(&jobs);
        done += jobs.len();
        for worker in &mut workers {
            worker.work_from_near().await;
        }
    }
    assert!(world.ledger.left_behind().is_empty(), "the others are done");
    assert!(workers.iter().all(|worker| worker.lowest_guess() >= last), "every guess is past the writer");

    tx.commit().await.unwrap();
    world.ledger.committed(&rows);
    for worker in &mut workers {
        worker.work_from_near().await;
        if sweeps == Sweeps::On {
            worker.sweep().await;
            worker.complete_all().await;
        }
    }
    world.ledger.check();
    world.ledger.left_behind().len()
}
