//! One round of all upkeep.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;

use crate::runtime::Runtime;
use crate::upkeep::Upkeep;
use crate::upkeep::act::Actor;
use crate::upkeep::admit::Admitter;
use crate::upkeep::age::Ager;
use crate::upkeep::expire::Expirer;
use crate::upkeep::follow_ups::Follower;
use crate::upkeep::promote::Promoter;
use crate::upkeep::reap::Reaper;
use crate::upkeep::settle::Settler;

/// The largest number of rounds in a row. Each settles what the one before has caused: the children of cancelled children, say.
const MOST_ROUNDS: usize = 1000;
/// The number of looks at leases of dead workers whose jobs are locked: by the rollback of a killed attempt.
const REAP_TRIES: usize = 200;
/// The pause between two of them.
const REAP_PAUSE: Duration = Duration::from_millis(5);

/// Does all upkeep that is due: takes back the jobs of dead workers, expires and promotes jobs, settles parents, unique jobs and
/// requests to cancel, admits jobs that wait for permits, raises jobs that have waited for long, and goes on with actions.
pub(super) async fn tend(runtime: &Arc<Runtime>) -> Result<(), DatabaseError> {
    runtime.read_queues().await?;
    take_back(runtime).await?;
    for _ in 0..MOST_ROUNDS {
        if !round(runtime).await? {
            break;
        }
    }
    Ok(())
}

/// Returns whether there is more to do at once.
async fn round(runtime: &Arc<Runtime>) -> Result<bool, DatabaseError> {
    let shared = || Arc::clone(runtime);
    Expirer::new(shared()).round().await?;
    Promoter::new(shared()).round().await?;
    Follower::new(shared()).round().await?;
    Settler(shared()).round().await?;
    Admitter::new(shared()).sweep_all().await?;
    Ager(shared()).round().await?;
    let found = runtime.store.follow_ups().await?;
    let acts = found.iter().any(|found| found.actions);
    let acted = acts && Actor::new(shared()).round().await?.is_zero();
    Ok(acted || found.iter().any(|found| found.unsettled || found.unique || found.cancels))
}

/// Takes back the jobs of workers that are gone.
pub(super) async fn take_back(runtime: &Arc<Runtime>) -> Result<(), DatabaseError> {
    let reaper = Reaper::new(Arc::clone(runtime));
    for _ in 0..REAP_TRIES {
        if reaper.reap().await? {
            break;
        }
        tokio::time::sleep(REAP_PAUSE).await;
    }
    Ok(())
}
