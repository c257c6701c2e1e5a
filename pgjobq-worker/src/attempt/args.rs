//! Reads the arguments of a job that was claimed without them: it is quarantined, or a claim with arguments failed. A job whose
//! arguments cannot be read is found and buried this way, and its queue goes on.

use std::time::Duration;

use pgjobq_core::worker_api::{ClaimedJob, Decision, chain};
use pgjobq_core::{DatabaseError, FailureReason};

use super::decide;
use crate::claim::portion::may_be_caused_by_jobs;
use crate::leases::Lease;
use crate::pause::Pause;
use crate::runtime::Runtime;

/// The number of tries for arguments that may be too large for the server's memory, or to arrive in time.
const TRIES: u32 = 5;
/// The delay after which a job whose arguments could not be read in these tries runs again.
const SNOOZE: Duration = Duration::from_secs(60);

/// Reads the job's arguments into `job`. Returns a decision about the job if that is impossible.
pub(crate) async fn read(runtime: &Runtime, job: &mut ClaimedJob, lease: &Lease) -> Result<(), Decision> {
    let (mut pause, mut tries) = (Pause::new(), 0);
    while !lease.stop.is_cancelled() && !runtime.stages.drain.is_cancelled() {
        let read = tokio::select! {
            read = read_once(runtime, job, lease) => read,
            () = lease.stop.cancelled() => break,
        };
        let error = match read {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(Decision::Return), // Another worker has the job; the fence voids this.
            Err(error) if error.is_about_stored_data() => return Err(bury(job, &error)),
            Err(error) => error,
        };
        // Other errors are not caused by the job, and are retried without a limit.
        tries += u32::from(may_be_caused_by_jobs(&error) || error.is_slow_answer());
        let error = chain(&error);
        if tries >= TRIES {
            tracing::error!(job.id = %job.id, job.kind, error, tries,
                "the arguments of a job were not read, so it is tried again in {SNOOZE:?}; cancel it if they are too large");
            return Err(Decision::Snooze { delay: SNOOZE });
        }
        tracing::warn!(job.id = %job.id, error, "the arguments of a job were not read; trying again");
        tokio::select! {
            () = tokio::time::sleep(pause.after_error()) => {}
            () = lease.stop.cancelled() => {}
            () = runtime.stages.drain.cancelled() => {}
        }
    }
    Err(Decision::Return)
}

/// Reads the arguments once. Returns false if the job no longer has this ticket.
async fn read_once(runtime: &Runtime, job: &mut ClaimedJob, lease: &Lease) -> Result<bool, DatabaseError> {
    let _turn = runtime.args_reads.acquire().await;
    let Some((args, meta)) = runtime.store.read_args(&lease.hold(&*job)).await? else {
        return Ok(false);
    };
    (job.args, job.meta) = (Some(args), meta);
    Ok(true)
}

fn bury(job: &ClaimedJob, error: &DatabaseError) -> Decision {
    let message = decide::text(&format!("its arguments cannot be read: {}", chain(error)));
    tracing::error!(job.id = %job.id, job.kind, error = chain(error),
        "the arguments of a job cannot be read, so it is dead; fix its row, and requeue it");
    Decision::Bury { reason: FailureReason::Decode, message }
}
