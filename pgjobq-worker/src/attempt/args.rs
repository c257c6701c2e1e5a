//! Reads the arguments of a job that was claimed without them: because it is quarantined, or because a claim with arguments
//! failed, so that a job that cannot be read is found and buried, and its queue goes on.

use std::time::Duration;

use pgjobq_core::__private::{ClaimedJob, Decision};
use pgjobq_core::DatabaseError;

use crate::claim::portion::may_be_the_jobs;
use crate::leases::Lease;
use crate::pause::Pause;
use crate::runtime::Runtime;
use crate::setup::chain;

/// How often arguments are read that may be too large for the server's memory, or for the time that there is.
const TRIES: u32 = 5;
/// When a job is tried again whose arguments were not read so often.
const LATER: Duration = Duration::from_secs(60);

/// Reads the job's arguments into `job`, or decides what becomes of it instead.
pub(crate) async fn read(runtime: &Runtime, job: &mut ClaimedJob, lease: &Lease) -> Result<(), Decision> {
    let (mut pause, mut tries) = (Pause::new(), 0);
    while !lease.stop.is_cancelled() && !runtime.stages.drain.is_cancelled() {
        let read = tokio::select! {
            read = read_once(runtime, job, lease) => read,
            () = lease.stop.cancelled() => break,
        };
        let error = match read {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(Decision::Return), // It has another ticket by now, and this changes nothing.
            Err(error) if error.is_about_stored_data() => return Err(bury(job, &error)),
            Err(error) => error,
        };
        // Any other error is no fault of the job's, and is waited out.
        tries += u32::from(may_be_the_jobs(&error) || error.is_slow_answer());
        let error = chain(&error);
        if tries >= TRIES {
            tracing::error!(job.id = %job.id, job.kind, error, tries,
                "the arguments of a job were not read, so it is tried again in {LATER:?}; cancel it if they are too large");
            return Err(Decision::Snooze { delay: LATER });
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

/// Reads them once, a few jobs at a time, so that large arguments take neither all connections nor all of the network. False if the
/// job no longer has this ticket.
async fn read_once(runtime: &Runtime, job: &mut ClaimedJob, lease: &Lease) -> Result<bool, DatabaseError> {
    let _turn = runtime.reads.acquire().await;
    let Some((args, meta)) = runtime.store.read_args(lease.key.lane.shard, job.id, job.ticket).await? else {
        return Ok(false);
    };
    (job.args, job.meta) = (Some(args), meta);
    Ok(true)
}

fn bury(job: &ClaimedJob, error: &DatabaseError) -> Decision {
    let message = crate::attempt::decide::text(&format!("its arguments cannot be read: {}", chain(error)));
    tracing::error!(job.id = %job.id, job.kind, error = chain(error),
        "the arguments of a job cannot be read, so it is dead; fix its row, and requeue it");
    Decision::Bury { reason: "decode", message }
}
