//! Fires a schedule before its time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgjobq_core::DatabaseError;
use pgjobq_core::testing::{pass_jitter, schedule};

use crate::runtime::Runtime;

/// The result of firing a schedule before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firing {
    /// This tick is fired.
    Tick(SystemTime),
    /// There is no such schedule.
    Unknown,
    /// No tick of it will come.
    Never,
}

/// Fires the next tick of a schedule, as a worker does when its time has come. Its job is due at once, also with a jitter.
pub(super) async fn fire(runtime: &Arc<Runtime>, name: &str) -> Result<Firing, DatabaseError> {
    runtime.store.look_at_schedules(0, None).await?; // The schedules of the code become rows.
    let Some((schedule, fires)) = schedule(&runtime.client, name).await? else { return Ok(Firing::Unknown) };
    let Some(tick) = schedule.next_tick().ok().flatten().filter(|_| fires) else { return Ok(Firing::Never) };
    let Ok(plan) = schedule.plan(tick, tick) else { return Ok(Firing::Never) };
    let fired = runtime.store.fire_schedule(&schedule, &plan, tick).await?;
    pass_jitter(&runtime.client, name, tick).await?;
    Ok(match fired.jobs {
        Some(_) => Firing::Tick(SystemTime::UNIX_EPOCH + Duration::from_micros(tick.unsigned_abs())),
        None => Firing::Never,
    })
}
