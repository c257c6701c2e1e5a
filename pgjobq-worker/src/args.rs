//! Reads the arguments of a job that was claimed without them: because it is quarantined, or because a claim with arguments
//! failed, so that a job that cannot be read is found and buried, and its queue goes on.

use pgjobq_core::__private::{ClaimedJob, Decision};

use crate::leases::Lease;
use crate::pause::Pause;
use crate::portion::is_the_job;
use crate::runtime::Runtime;
use crate::setup::chain;

/// Reads the job's arguments into `job`, or decides what becomes of it instead.
pub(crate) async fn read(runtime: &Runtime, job: &mut ClaimedJob, lease: &Lease) -> Result<(), Decision> {
    let mut pause = Pause::new();
    // Few at a time, so that large arguments take neither all connections nor all of the network.
    let _turn = tokio::select! {
        turn = runtime.reads.acquire() => turn,
        () = lease.stop.cancelled() => return Err(Decision::Return),
    };
    while !lease.stop.is_cancelled() && !runtime.stages.drain.is_cancelled() {
        match runtime.store.read_args(lease.key.lane.shard, job.id, job.ticket).await {
            Ok(Some((args, meta))) => {
                job.args = Some(args);
                job.meta = meta;
                return Ok(());
            }
            Ok(None) => return Err(Decision::Return), // It has another ticket by now, and this changes nothing.
            Err(error) if is_the_job(&error) => {
                let message =
                    crate::decide::text(&format!("its arguments cannot be read: {}", chain(&error)));
                tracing::error!(job.id = %job.id, job.kind, error = chain(&error),
                    "the arguments of a job cannot be read, so it is dead; fix its row, and requeue it");
                return Err(Decision::Bury { reason: "decode", message });
            }
            Err(error) => {
                tracing::warn!(job.id = %job.id, error = chain(&error), "the arguments of a job were not read; trying again");
                tokio::select! {
                    () = tokio::time::sleep(pause.after_error()) => {}
                    () = lease.stop.cancelled() => {}
                    () = runtime.stages.drain.cancelled() => {}
                }
            }
        }
    }
    Err(Decision::Return)
}
