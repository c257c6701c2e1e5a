//! No guess of a worker hides a job.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;

use crate::dice::{Dice, rounds};
use crate::harness::TestDb;
use crate::producers::produce;
use crate::workers::Simulated;
use crate::world::{KINDS, World};

on_one_and_eight_shards!(invariant_12_next_sweep_finds_every_committed_job);
async fn invariant_12_next_sweep_finds_every_committed_job(db: TestDb) {
    let world = World::new(db).await;
    let mut dice = Dice::new();
    for _ in 0..rounds() {
        simulate(&world, &mut dice).await;
    }
}

/// Runs producers and hostile workers concurrently, and then workers alone until every job is done.
pub(crate) async fn simulate(world: &Arc<World>, dice: &mut Dice) {
    let mut producing = JoinSet::new();
    for _ in 0..4 {
        producing.spawn(produce(Arc::clone(world), dice.fork(), 12));
    }
    let mut working = JoinSet::new();
    for kinds in [&KINDS[..], &KINDS[..1], &KINDS[1..], &KINDS[2..]] {
        let mut worker = Simulated::new(world, dice.fork(), kinds).await;
        worker.peek = dice.number(5..50); // Few, so that a sweep takes several peeks.
        working.spawn(work(Arc::clone(world), worker));
    }
    producing.join_all().await;
    finish_up(world, &mut working.join_all().await).await;
}

/// Runs one worker, with random actions.
async fn work(world: Arc<World>, mut worker: Simulated) -> Simulated {
    for _ in 0..60 {
        match worker.dice.number(..10) {
            0..=1 => worker.guess_wrong().await,
            2..=4 => {
                let lane = worker.dice.pick(&world.lanes);
                let want = worker.dice.number(1..=50);
                worker.claim(lane, want).await;
            }
            5..=6 => worker.finish_some().await,
            7 => worker.promote().await,
            8 => drop(worker.look_everywhere().await),
            _ => {
                worker.sweep().await;
                world.check().await;
            }
        }
    }
    worker
}

/// Finds the rest by sweeps, with guesses as wrong as before.
async fn finish_up(world: &World, workers: &mut [Simulated]) {
    for worker in &mut *workers {
        worker.complete_all().await;
    }
    world.tickets_collide.store(false, Ordering::Release); // No lease is left that could hide a job.
    for _ in 0..500 {
        if world.ledger.left_behind().is_empty() {
            return;
        }
        for worker in &mut *workers {
            worker.guess_wrong().await;
            worker.promote().await;
            worker.sweep().await;
            world.check().await;
            worker.complete_all().await;
        }
    }
    panic!("left behind: {:?}", world.ledger.left_behind());
}
