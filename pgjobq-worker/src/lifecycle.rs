//! The life of a worker: it starts its parts, waits for the drain, and ends them in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::chain;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::claim::claim_loop;
use crate::parts::{EndedPart, Parts};
use crate::record::hand_back::hand_back;
use crate::record::recorders::LAGGARDS;
use crate::record::unrecorded::Inbox;
use crate::record::{finisher, laggards};
use crate::runtime::Runtime;
use crate::signal;
use crate::upkeep::act::Actor;
use crate::upkeep::admit::Admitter;
use crate::upkeep::age::Ager;
use crate::upkeep::drift::DriftWatch;
use crate::upkeep::expire::Expirer;
use crate::upkeep::fire::Scheduler;
use crate::upkeep::follow_ups::Follower;
use crate::upkeep::gauges::Gauges;
use crate::upkeep::housekeeping::Housekeeper;
use crate::upkeep::promote::Promoter;
use crate::upkeep::rates::RateRecorder;
use crate::upkeep::reap::Reaper;
use crate::upkeep::settle::Settler;
use crate::upkeep::{every, heartbeat};

/// The name of the part whose end completes the drain.
const CLAIM_LOOP: &str = "claim loop";

/// The time that attempts have to stop by themselves after they were asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The time that attempts have to be dropped: an attempt that never awaits cannot be.
const DROP_TIMEOUT: Duration = Duration::from_secs(1);
/// The time that the last results have to be recorded.
const RECORD_TIMEOUT: Duration = Duration::from_secs(10);
/// The time that the last calls of `on_dead` have.
const LAST_ALERTS_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that a worker has to hand back its jobs and to sign off.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The error of a worker that left something undone: from [`Worker::run_until`](crate::Worker::run_until) and
/// [`RunningWorker::shutdown`](crate::RunningWorker::shutdown).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The database could not be reached for the last results. Their jobs run again.
    #[error("{0} results could not be recorded before the worker ended; their jobs run again")]
    Unrecorded(usize),
    /// The worker's own thread could not be started.
    #[error("the worker's thread for heartbeats could not be started: {0}")]
    Thread(std::io::Error),
    /// A part of the worker panicked, or ended before the worker did: a bug of pgjobq.
    #[error("a part of the worker panicked ({part}), which is a bug of pgjobq's")]
    Panicked {
        /// The name of the part.
        part: &'static str,
    },
}

pgjobq_core::debug_as_message!(WorkerError);

/// Runs a worker from its start to the end of its shutdown.
pub(crate) async fn run(runtime: Arc<Runtime>, inboxes: Vec<Inbox>) -> Result<(), WorkerError> {
    // If this task is dropped, with its tokio runtime, every part ends with it.
    let _end = runtime.stages.end.clone().drop_guard();
    runtime.home.get_or_init(Handle::current);
    register(&runtime).await;
    let heartbeat = heartbeat::start(&runtime).await.map_err(WorkerError::Thread)?;
    let mut parts = start_parts(&runtime, inboxes);
    parts.spawn("heartbeat", heartbeat);
    parts.spawn(CLAIM_LOOP, claim_loop::claim_until_drain(Arc::clone(&runtime)));
    tracing::info!(worker = runtime.config.name, kinds = runtime.kinds.all.len(), "the worker runs");

    let failed = until_drained(&runtime, &mut parts).await;
    end_attempts(&runtime).await;
    runtime.returns.close();
    runtime.returns.wait().await; // They end by themselves, soon after the drain.
    let _ = timeout(RECORD_TIMEOUT, runtime.all_recorded()).await;
    let unrecorded = runtime.recorders.count();
    runtime.stages.end.cancel();
    let failed = failed.or(parts.end().await);
    leave(&runtime).await;
    runtime.alerts.close();
    if timeout(LAST_ALERTS_TIMEOUT, runtime.alerts.wait()).await.is_err() {
        tracing::warn!(timeout = ?LAST_ALERTS_TIMEOUT, "`on_dead` did not end in time");
    }
    runtime.store.close().await;
    runtime.client.delivered().await;
    tracing::info!(worker = runtime.config.name, "the worker has ended");
    match failed {
        Some(part) => Err(WorkerError::Panicked { part }),
        None if unrecorded > 0 => Err(WorkerError::Unrecorded(unrecorded)),
        None => Ok(()),
    }
}

/// Registers the worker, without which the database refuses its claims. If this fails, a heartbeat registers it later.
async fn register(runtime: &Runtime) {
    let sent = Instant::now();
    match runtime.register(&runtime.store, runtime.worker()).await {
        Ok(()) => runtime.liveness.answered(sent),
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "the worker could not register yet; it claims nothing until it has"
            );
        }
    }
}

/// Starts every part but the heartbeat and the claim loop.
fn start_parts(runtime: &Arc<Runtime>, inboxes: Vec<Inbox>) -> Parts {
    let mut parts = Parts::default();
    let shared = || Arc::clone(runtime);
    let end = &runtime.stages.end;
    for (place, inbox) in inboxes.into_iter().enumerate() {
        match place {
            LAGGARDS => parts.spawn_until("laggards", end, laggards::record(shared(), inbox)),
            place => parts.spawn_until("finisher", end, finisher::record(shared(), place, inbox)),
        }
    }
    parts.spawn_until("reaper", end, every(Reaper::new(shared())));
    parts.spawn_until("rates", end, every(RateRecorder(shared())));
    parts.spawn_until("promoter", end, every(Promoter::new(shared())));
    parts.spawn_until("expire", end, every(Expirer::new(shared())));
    parts.spawn_until("schedules", end, every(Scheduler::new(shared())));
    parts.spawn_until("follow-ups", end, every(Follower::new(shared())));
    parts.spawn_until("settler", end, every(Settler(shared())));
    parts.spawn_until("admitter", end, every(Admitter::new(shared())));
    parts.spawn_until("actor", end, every(Actor::new(shared())));
    parts.spawn_until("ager", end, every(Ager(shared())));
    parts.spawn_until("housekeeping", end, every(Housekeeper::new(shared())));
    parts.spawn_until("drift", end, every(DriftWatch::new(shared())));
    if runtime.client.is_measured() {
        parts.spawn_until("gauges", end, every(Gauges::new(shared())));
    }
    parts.spawn_until("grace", end, stop_after_the_grace(shared(), signal::another()));
    parts
}

/// Waits until nothing more is claimed, because the worker drains. A part that ends before makes the worker drain, and is returned.
async fn until_drained(runtime: &Runtime, parts: &mut Parts) -> Option<&'static str> {
    let mut failed = None;
    while let Some(EndedPart { name, panicked }) = parts.next_end().await {
        if panicked || !runtime.stages.drain.is_cancelled() {
            tracing::error!(part = name, panicked, "a part of the worker has ended, and so the worker ends");
            failed = failed.or(Some(name));
            runtime.stages.drain.cancel();
        }
        if name == CLAIM_LOOP {
            break;
        }
    }
    failed
}

/// Asks attempts to stop when the grace is over, and drops them some time later. The grace is a total: it begins with the drain,
/// even if the worker still waits for claims in flight.
async fn stop_after_the_grace(runtime: Arc<Runtime>, another_signal: impl Future<Output = ()>) {
    let stages = &runtime.stages;
    stages.drain.cancelled().await;
    let ended_by = tokio::select! {
        () = tokio::time::sleep(runtime.config.grace) => "its time is over",
        () = another_signal => "another signal came",
    };
    let jobs = runtime.in_flight.count();
    if jobs > 0 {
        tracing::warn!(
            jobs,
            ended_by,
            "the grace has ended: jobs that still run are asked to stop, and run again later"
        );
    }
    stages.stop_attempts.cancel();
    tokio::time::sleep(STOP_TIMEOUT).await;
    stages.drop_attempts.cancel();
}

/// Waits until every attempt has ended, or cannot be stopped.
async fn end_attempts(runtime: &Runtime) {
    runtime.attempts.close();
    tokio::select! {
        () = runtime.attempts.wait() => return,
        () = runtime.stages.drop_attempts.cancelled() => {}
    }
    if timeout(DROP_TIMEOUT, runtime.attempts.wait()).await.is_err() {
        tracing::warn!(
            attempts = runtime.attempts.len(),
            "attempts that never await cannot be stopped; their jobs are handed back"
        );
    }
}

/// Hands back the jobs of attempts that could not be stopped or whose results were refused, and signs off. Other workers reap the
/// leases that cannot be handed back.
async fn leave(runtime: &Arc<Runtime>) {
    let leave = async {
        for lease in runtime.leases.begun() {
            if let Err(error) = hand_back(runtime, &lease).await {
                tracing::warn!(
                    error = chain(&error),
                    jobs = lease.jobs.len(),
                    "a lease could not be handed back: other workers take its jobs back as crashed"
                );
                if !error.is_refusal() {
                    return Err(error);
                }
            }
        }
        runtime.store.leave(runtime.worker()).await
    };
    match timeout(LEAVE_TIMEOUT, leave).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = chain(&error), "the worker could not sign off; others will notice")
        }
        Err(_) => tracing::warn!("the worker could not sign off in time; others will notice"),
    }
}
