//! Everything that can go wrong on one machine goes wrong, and at the end no acknowledged job is lost and no effect is
//! doubled: `docs/reliability.md` lists the promises and the attempts to break them.
//!
//! `cargo test --test chaos` plays three seeds of 25 seconds. By hand:
//! `cargo test --test chaos -- --seed 7 --duration 30m --faults kill,freeze,crash`.
//! On a machine that does other things as well, `--patience 10` makes the time limits ten times as long.
//! `--workers 8 --keys 1000` plays with more of them.
#![allow(clippy::unwrap_used)]

mod account; // The record of attempted and acknowledged enqueues.
mod calm; // Troubles that must cost no job an attempt.
mod changes; // A person who changes a limit.
mod choosers; // Enqueue jobs that others may take the place of.
mod chosen; // These jobs.
mod chosen_verdict; // The checks of these jobs at the end.
mod clock; // The clock of the server.
mod figures; // The printed summary of a run.
mod fleet; // The worker processes.
mod flow_verdict; // The checks of workflows at the end.
mod flows; // The workflows.
mod jobs; // The jobs that they run.
mod ledger; // The record of runs and their leases.
mod limit_verdict; // The checks of limits at the end.
mod limited; // The jobs under limits.
mod nemesis; // Carries out a plan.
mod observer; // Checks conservation throughout the run.
mod operator; // A person who manages a queue through a network that falls silent.
mod overheard; // The warnings of the workers.
mod packers; // Enqueue into a bounded queue.
mod people; // Look after workflows.
mod plan; // The faults, drawn from the seed.
mod planners; // Enqueue workflows.
mod process; // A worker process, seen from inside and from outside.
mod producers; // Enqueue through a network that fails.
mod proxy; // A network that can be broken.
mod sabotage; // Faults of the library that the checks must find.
mod stage; // The server, the networks, and the workers.
mod steps; // The job functions of workflows.
mod tenants; // Enqueue jobs under limits.
mod verdict; // The checks at the end.
mod wanted; // The options of the command line.
mod witness; // The observer in a worker process.
mod witness_verdict; // The comparison of what observers saw with what is stored.
mod witnessed; // What all of them have seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::nemesis::rage;
use crate::plan::Plan;
use crate::producers::{Awaited, produce};
use crate::stage::Stage;
use crate::wanted::Wanted;

/// The shortest lease of a worker here, three times its heartbeat.
const LEASE: Duration = Duration::from_secs(2);
/// The number of jobs that each worker runs at a time.
const SLOTS: usize = 5;
const PRODUCERS: u64 = 2;
const PACKERS: u64 = 4;
const CHOOSERS: u64 = 2;

/// No new fault strikes in this last part of a run, so that the earlier ones can heal.
const HEALED_WITHIN: Duration = Duration::from_secs(5);

/// The time limit for waits to return, once everything has ended.
const WAITS_END_WITHIN: Duration = Duration::from_secs(30);

/// The time limit for all jobs to end, once everything is healed.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

fn main() {
    if let Some(settings) = process::Settings::from_environment() {
        return process::run(&settings);
    }
    let wanted = Wanted::from_arguments();
    if wanted.list {
        println!("chaos: test");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wanted.faults.contains(&plan::Fault::Clock) {
        runtime.block_on(calm::no_attempt_is_lost_to_clocks_or_leases());
    }
    let mut stale = 0;
    for seed in &wanted.seeds {
        plan::assert_fixed_by_the_seed(*seed, &wanted.faults);
        stale += runtime.block_on(play(*seed, &wanted));
    }
    let freezes = wanted.faults.contains(&plan::Fault::Freeze);
    assert!(
        stale > 0 || !freezes,
        "no worker ever reported a stale result: that none was accepted shows nothing"
    );
}

/// Plays one seed, and returns the number of stale results.
async fn play(seed: u64, wanted: &Wanted) -> u64 {
    let (workers, plans) = Plan::of(seed, &wanted.faults, wanted.workers);
    let stage = Arc::new(Stage::new(workers, wanted.keys, wanted.patience).await);
    let tending = tokio::spawn({
        let stage = Arc::clone(&stage);
        async move { stage.fleet.tend().await }
    });
    let on = || Arc::new(AtomicBool::new(true));
    let (producing, observing) = (on(), on());
    let mut producers = JoinSet::new();
    for producer in 0..PRODUCERS {
        producers.spawn(produce(Arc::clone(&stage), seed * PRODUCERS + producer, Arc::clone(&producing)));
    }
    let mut tenants = JoinSet::new();
    for tenant in 0..PRODUCERS {
        let seed = seed.rotate_left(32) + tenant;
        tenants.spawn(tenants::produce(Arc::clone(&stage), tenant, seed, Arc::clone(&producing)));
    }
    for chooser in 0..CHOOSERS {
        let seed = seed.rotate_left(48) + chooser;
        tenants.spawn(choosers::choose(Arc::clone(&stage), chooser, seed, Arc::clone(&producing)));
    }
    for packer in 0..PACKERS {
        let seed = seed.rotate_left(16) + packer;
        tenants.spawn(packers::pack(Arc::clone(&stage), packer, seed, Arc::clone(&producing)));
    }
    let changes = tokio::spawn(changes::change(Arc::clone(&stage), seed));
    let planted = wanted.plant.clone().map(|fault| tokio::spawn(sabotage::plant(Arc::clone(&stage), fault)));
    let planner = tokio::spawn(planners::plan(Arc::clone(&stage), !seed, Arc::clone(&producing)));
    let people = tokio::spawn(people::look_after(Arc::clone(&stage)));
    let observer = tokio::spawn(observer::observe(Arc::clone(&stage), Arc::clone(&observing)));

    let begun = Instant::now();
    let mut lines = JoinSet::new();
    for plan in plans {
        lines.spawn(rage(Arc::clone(&stage), plan, begun + wanted.duration.saturating_sub(HEALED_WITHIN)));
    }
    let struck = lines.join_all().await.concat();
    let lasted = begun.elapsed();

    producing.store(false, Ordering::SeqCst);
    let waits = producers.join_all().await;
    let flow_waits = planner.await.unwrap();
    tenants.join_all().await;
    operator::tidy_up(&stage).await;
    settle(&stage).await;
    observing.store(false, Ordering::SeqCst);
    let snapshots = observer.await.unwrap();
    let mut awaited: Vec<Awaited> = Vec::new();
    for waits in waits {
        let all = tokio::time::timeout(WAITS_END_WITHIN * wanted.patience, waits.join_all()).await;
        awaited.extend(all.expect("every wait for an ended job returns"));
    }
    let flows = tokio::time::timeout(WAITS_END_WITHIN * wanted.patience, flow_waits.join_all()).await;
    let flows = flows.expect("every wait for an ended workflow returns");
    people.abort();
    changes.abort();
    planted.iter().for_each(tokio::task::JoinHandle::abort);
    tending.abort();
    stage.fleet.end(wanted.patience).await;

    // Without statistics of the tables as they are now, a check of a long run is planned as if they were small.
    stage.command("analyze").await;
    verdict::check(&stage, &awaited).await;
    flow_verdict::check(&stage, &flows).await;
    limit_verdict::check(&stage).await;
    chosen_verdict::check(&stage).await;
    let witnessed = witness_verdict::check(&stage).await;
    println!(
        "{}",
        figures::table(&stage, seed, lasted, &struck, &snapshots, awaited.len() + flows.len()).await
    );
    println!("{witnessed}\n");
    if wanted.verbose {
        println!("warnings of the workers:{}\n", stage.fleet.overheard.summary());
    }
    stage.fleet.overheard.stale()
}

/// Returns when no job, no request for one, no edge, and no workflow that a person retries is left, and no lease of a worker that is gone.
async fn settle(stage: &Stage) {
    let within = SETTLE_WITHIN * stage.patience;
    let ended = "not exists (select from pgjobq.jobs) and not exists (select from pgjobq.unique_requests)
                 and not exists (select from pgjobq.workflows where ended_at is null)";
    stage.until(&format!("{ended} and not exists ({})", people::TO_RETRY), within).await;
    stage.until("not exists (select from pgjobq.leases)", within).await;
    stage.until("not exists (select from pgjobq.edges)", within).await;
    stage.until("not exists (select from pgjobq.ended_parents)", within).await;
    let workers = format!("(select count(*) from pgjobq.workers) = {}", stage.workers);
    stage.until(&workers, within).await;
}
