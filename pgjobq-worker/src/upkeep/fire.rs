//! Fires the ticks of schedules: sleeps until the next one is due, and enqueues its job. Every worker does this for all, and the
//! database lets each tick be fired once.
//!
//! It sends nothing while there is no schedule.

use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{DueSchedule, SchedulesSeen, chain};

use super::Upkeep;
use crate::pause::jittered;
use crate::runtime::Runtime;

/// The largest number of schedules in one look.
const LOOK_BATCH_SIZE: i32 = 100;
/// The pause without a schedule. A notification or a heartbeat ends it.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The longest pause if there are schedules: a notification may be lost.
const LONGEST: Duration = Duration::from_secs(60);
/// The pause if another session has locked a schedule that is due.
const CONTENDED: Duration = Duration::from_millis(20);
/// Workers look this much apart after a tick, so that most of them find that it has been fired.
const STAGGER: Duration = Duration::from_millis(30);

/// Fires the ticks of schedules.
pub(crate) struct Scheduler(pub(crate) Arc<Runtime>);

/// The result of a try to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Fired,
    /// Others were faster, or have changed it.
    Contended,
    /// A later version of pgjobq has stored a definition that this one cannot read. Its workers fire it.
    Unreadable,
}

impl Upkeep for Scheduler {
    const ACTIVITY: &'static str = "firing schedules";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        loop {
            let seen = self.0.store.look_at_schedules(LOOK_BATCH_SIZE).await?;
            let tried = self.fire_all(&seen).await?;
            if !tried.contains(&Tried::Fired) {
                return Ok(pause(&seen, tried.contains(&Tried::Contended)));
            }
        }
    }

    async fn woken(&mut self) {
        self.0.events.schedules.notified().await;
    }
}

impl Scheduler {
    /// Fires each schedule that is due. One that the database refuses delays no other; its error is returned at the end.
    async fn fire_all(&self, seen: &SchedulesSeen) -> Result<Vec<Tried>, DatabaseError> {
        let (mut tried, mut refused) = (Vec::new(), None);
        for schedule in &seen.due {
            match self.fire(schedule, seen.now).await {
                Ok(one) => tried.push(one),
                Err(error) if error.is_refusal() => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        refused.map_or(Ok(tried), Err)
    }

    async fn fire(&self, schedule: &DueSchedule, now: i64) -> Result<Tried, DatabaseError> {
        let name = &*schedule.name;
        let plan = match schedule.plan(now) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::debug!(
                    schedule = name,
                    error = chain(&error),
                    "this program cannot read a schedule"
                );
                return Ok(Tried::Unreadable);
            }
        };
        let fired = self.0.store.fire_schedule(schedule, &plan, now).await?;
        let Some(jobs) = fired.jobs else { return Ok(Tried::Contended) };
        if let Some((_, why)) = &plan.missed {
            tracing::warn!(schedule = name, why, "ticks of a schedule were missed");
        }
        if let Some(why) = &fired.missed {
            tracing::info!(schedule = name, why, "a tick of a schedule has no job");
        }
        if jobs > 0 {
            tracing::debug!(schedule = name, jobs, "a schedule has fired");
            self.0.work_is_somewhere();
        }
        Ok(Tried::Fired)
    }
}

/// Returns the pause after a look that fired nothing.
fn pause(seen: &SchedulesSeen, contended: bool) -> Duration {
    let longest = if seen.is_any { jittered(LONGEST) } else { IDLE };
    let next = seen.next_due.map(|due| due + STAGGER.mul_f64(fastrand::f64()));
    let next = if contended { Some(jittered(CONTENDED)) } else { next };
    next.map_or(longest, |next| next.min(longest))
}

impl Runtime {
    /// Wakes this worker for jobs that the database has announced to all others.
    fn work_is_somewhere(&self) {
        self.arrivals.note_anywhere();
        self.events.claim.notify_one();
        self.events.promote.notify_one(); // A job with jitter is scheduled.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(next_due: Option<Duration>, is_any: bool) -> SchedulesSeen {
        SchedulesSeen { now: 0, due: Vec::new(), next_due, is_any }
    }

    #[test]
    fn pause_ends_just_after_the_next_tick() {
        let tick = Duration::from_secs(7);
        let until = pause(&seen(Some(tick), true), false);
        assert!(until >= tick && until <= tick + STAGGER, "{until:?}");
        assert!(pause(&seen(Some(IDLE * 24), true), false) <= LONGEST * 2);
        assert_eq!(pause(&seen(None, false), false), IDLE);
        assert!(pause(&seen(None, true), true) < Duration::from_secs(1));
    }
}
