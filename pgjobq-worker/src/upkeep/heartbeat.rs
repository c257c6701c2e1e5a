//! Sends heartbeats, from an operating-system thread and a connection of their own: a job function that blocks every thread of the
//! application's runtime does not cost the worker its leases.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{LeaseKey, Returned, Store, chain};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::pause::{Pause, jittered};
use crate::runtime::{Runtime, new_identity};
use crate::upkeep::suspension;

/// The time that the last heartbeat has when the worker ends.
const LAST_BEAT_TIMEOUT: Duration = Duration::from_secs(1);

/// Starts the thread of the heartbeats, which ends with the worker. Returns a part that ends with the thread, and passes on its panic.
pub(crate) async fn start(runtime: &Arc<Runtime>) -> std::io::Result<impl Future<Output = ()> + use<>> {
    let runtime = Arc::clone(runtime);
    let application = Handle::current();
    let (report, started) = oneshot::channel();
    let (alive, ended) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("pgjobq-heartbeat".into()).spawn(move || {
        let _alive = alive; // Dropped at the end, also by a panic.
        // A runtime must not be dropped within a task of another one, so this thread builds and drops its own.
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(io) => {
                let _ = report.send(Ok(()));
                io.block_on(beat_until_the_end(&runtime, &application));
            }
            Err(error) => drop(report.send(Err(error))),
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

async fn beat_until_the_end(runtime: &Arc<Runtime>, application: &Handle) {
    let store = runtime.store.elsewhere(1);
    let end = &runtime.stages.end;
    let cut_off = async {
        end.cancelled().await;
        tokio::time::sleep(LAST_BEAT_TIMEOUT).await;
    };
    tokio::select! {
        () = cut_off => {}
        () = beat_until(runtime, &store, application, end) => {}
    }
    store.close().await;
}

async fn beat_until(runtime: &Arc<Runtime>, store: &Store, application: &Handle, end: &CancellationToken) {
    let config = &runtime.config;
    let mut pause = Pause::new();
    let mut last_answer = Instant::now();
    while !end.is_cancelled() {
        runtime.in_flight.warn_of_overdue(); // Here, because a blocked runtime may run nothing else.
        wake(application);
        // The lease runs from before the request is sent, because the database counts it from later.
        let sent = Instant::now();
        let could_claim = runtime.liveness.may_claim(config.lease);
        match timeout(config.lease / 3, beat(runtime, store)).await {
            Ok(Ok(unknown)) => {
                last_answer = sent;
                // The half lease may have passed while the answer was in flight.
                let could_claim = could_claim && runtime.liveness.may_claim(config.lease);
                runtime.liveness.answered(sent);
                if !could_claim {
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
        if could_claim && !runtime.liveness.may_claim(config.lease) {
            tracing::warn!(
                "no heartbeat was answered for half a lease: the worker claims nothing until one is"
            );
        }
        if last_answer.elapsed() > config.lease {
            runtime.leases.lose_all(); // Other workers may have the jobs by now. The fence decides.
        }
        let rest = tokio::time::sleep(pause.after_error().min(config.heartbeat));
        end.run_until_cancelled(rest).await;
    }
}

/// Wakes a thread of the application's runtime. One of its threads waits for timers and sockets for all of them. If that one is
/// woken to run a job function that blocks it, the others may go on sleeping until something wakes them.
fn wake(application: &Handle) {
    drop(application.spawn(async {}));
}

/// Sends one heartbeat. Returns the leases in the database that this process does not know.
async fn beat(runtime: &Runtime, store: &Store) -> Result<Vec<LeaseKey>, DatabaseError> {
    let before = runtime.leases.all();
    match store.heartbeat(runtime.worker()).await? {
        Some(beat) => {
            runtime.note_changes(beat.changes);
            Ok(runtime.leases.compare(&before, &beat.held, runtime.config.claim_timeout))
        }
        None => start_anew(runtime, store).await.map(|()| Vec::new()),
    }
}

/// Returns unknown leases, and waits until the next heartbeat is due. A refused or locked lease does not delay it.
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
            Ok(Returned { jobs: 0, .. }) => {}
            Ok(Returned { jobs, cancelled }) => {
                tracing::info!(
                    lease = lease.id.0,
                    jobs,
                    "returned the jobs of a claim whose answer never arrived"
                );
                runtime.work_returned(&[lease.lane.queue]);
                runtime.ended_jobs(&cancelled);
            }
            Err(error) => {
                tracing::warn!(
                    lease = lease.id.0,
                    error = chain(&error),
                    "a lease was not returned; the next heartbeat tries again"
                );
            }
        }
    }
}

/// Registers the worker under a new id after others gave it up, because it was silent for too long. Its leases are lost.
pub(crate) async fn start_anew(runtime: &Runtime, store: &Store) -> Result<(), DatabaseError> {
    if runtime.liveness.last().is_some() {
        tracing::warn!("this worker was silent for too long and was given up; it starts anew");
    }
    runtime.leases.lose_all();
    let identity = new_identity();
    store.repair_tickets().await?; // The database may be a promoted replica.
    runtime.register(store, identity).await?;
    runtime.rename(identity);
    runtime.events.check_queues.notify_one();
    runtime.events.claim.notify_one();
    Ok(())
}
