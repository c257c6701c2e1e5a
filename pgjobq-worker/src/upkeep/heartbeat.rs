//! Says that the worker lives, on an operating-system thread and a connection of its own: a job function that blocks every
//! thread of the application's runtime does not cost the worker its leases.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use pgjobq_core::__private::{LeaseKey, Store};
use pgjobq_core::DatabaseError;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::pause::{Pause, jittered};
use crate::runtime::{Runtime, new_identity};
use crate::setup::chain;
use crate::upkeep::suspension;

/// How long the last heartbeat may go on when the worker ends. What it hands back is still told.
const LAST_BEAT_WITHIN: Duration = Duration::from_secs(1);

/// Starts the thread of the heartbeats, which ends with the worker. Returns a part that ends with the thread, and panics if that
/// has panicked.
pub(crate) async fn start(runtime: &Arc<Runtime>) -> std::io::Result<impl Future<Output = ()> + use<>> {
    let runtime = Arc::clone(runtime);
    let (tell, started) = oneshot::channel();
    let (lives, ended) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("pgjobq-heartbeat".into()).spawn(move || {
        let _lives = lives; // Dropped at the end, also by a panic.
        // Built here: where it is built it is dropped, and nowhere within a task may that be.
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(io) => {
                let _ = tell.send(Ok(()));
                io.block_on(beat_until_the_end(&runtime));
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    })?;
    started.await.unwrap_or_else(|_| Err(std::io::Error::other("it panicked")))?;
    Ok(async move {
        let _ = ended.await;
        if let Ok(Err(panic)) = tokio::task::spawn_blocking(|| thread.join()).await {
            std::panic::resume_unwind(panic);
        }
    })
}

async fn beat_until_the_end(runtime: &Arc<Runtime>) {
    let store = runtime.store.elsewhere(1);
    let end = &runtime.stages.end;
    let cut_off = async {
        end.cancelled().await;
        tokio::time::sleep(LAST_BEAT_WITHIN).await;
    };
    tokio::select! {
        () = cut_off => {}
        () = beat_until(runtime, &store, end) => {}
    }
    store.close().await;
}

async fn beat_until(runtime: &Arc<Runtime>, store: &Store, end: &CancellationToken) {
    let config = &runtime.config;
    let mut pause = Pause::new();
    let mut told = Instant::now();
    while !end.is_cancelled() {
        // The lease is counted from before the request was sent: the database's answer can only be later.
        let sent = Instant::now();
        let claimed = runtime.liveness.may_claim(config.lease);
        match timeout(config.lease / 3, beat(runtime, store)).await {
            Ok(Ok(unknown)) => {
                told = sent;
                // It may have become true only while the answer was on its way.
                let claimed = claimed && runtime.liveness.may_claim(config.lease);
                runtime.liveness.answered(sent);
                if !claimed {
                    tracing::info!("the database answers heartbeats; the worker claims jobs");
                    runtime.events.claim.notify_one();
                }
                pause.reset();
                end.run_until_cancelled(rest(runtime, store, unknown)).await;
                continue;
            }
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "a heartbeat failed"),
            Err(_) => tracing::warn!("a heartbeat was not answered in time"),
        }
        runtime.liveness.missed();
        if claimed && !runtime.liveness.may_claim(config.lease) {
            tracing::warn!(
                "no heartbeat was answered for half a lease: the worker claims nothing until one is"
            );
        }
        if told.elapsed() > config.lease {
            runtime.leases.lose_all(); // Others may have them; whether they do, a fenced write will tell.
        }
        let rest = tokio::time::sleep(pause.after_error().min(config.heartbeat));
        end.run_until_cancelled(rest).await;
    }
}

/// Sends one heartbeat. Returns the leases that the database has, and that this process does not know.
async fn beat(runtime: &Runtime, store: &Store) -> Result<Vec<LeaseKey>, DatabaseError> {
    let before = runtime.leases.all();
    match store.heartbeat(runtime.worker()).await? {
        Some(held) => Ok(runtime.leases.compare(&before, &held, runtime.config.claim_timeout)),
        None => start_anew(runtime, store).await.map(|()| Vec::new()),
    }
}

/// Returns unknown leases, and waits until the next heartbeat is due. A lease that is refused or locked delays no heartbeat.
async fn rest(runtime: &Runtime, store: &Store, unknown: Vec<LeaseKey>) {
    let (begun, interval) = (Instant::now(), jittered(runtime.config.heartbeat));
    if timeout(interval, return_leases(runtime, store, unknown)).await.is_err() {
        tracing::warn!("a lease was not returned in time; the next heartbeat tries again");
    }
    tokio::select! {
        () = suspension::rest(interval.saturating_sub(begun.elapsed())) => {}
        () = runtime.events.beat.notified() => {}
    }
}

async fn return_leases(runtime: &Runtime, store: &Store, leases: Vec<LeaseKey>) {
    for lease in leases {
        match store.return_lease(runtime.worker(), lease).await {
            Ok(0) => {}
            Ok(jobs) => {
                tracing::info!(
                    lease = lease.id,
                    jobs,
                    "gave back the jobs of a claim whose answer never arrived"
                );
                runtime.events.claim.notify_one();
            }
            Err(error) => {
                tracing::warn!(
                    lease = lease.id,
                    error = chain(&error),
                    "a lease was not returned; the next heartbeat tries again"
                );
            }
        }
    }
}

/// The worker was given up: it was silent for too long. What it held is lost, and it goes on as another one.
async fn start_anew(runtime: &Runtime, store: &Store) -> Result<(), DatabaseError> {
    if runtime.liveness.last().is_some() {
        tracing::warn!("this worker was silent for too long and was given up; it starts anew");
    }
    runtime.leases.lose_all();
    let identity = new_identity();
    store.repair_tickets().await?; // This may be a replica that was promoted.
    runtime.register(store, identity).await?;
    runtime.identity.store(identity, Ordering::Release);
    runtime.events.look.notify_one();
    runtime.events.claim.notify_one();
    Ok(())
}
