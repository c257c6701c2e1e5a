//! Fires the ticks of schedules: sleeps until the next one is due, and enqueues its job. Every worker does this for all, and the
//! database lets each tick be fired once.
//!
//! A worker without schedules looks once an hour, and when somebody has changed schedules or settings.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use pgjobq_core::DatabaseError;
use pgjobq_core::worker_api::{DueSchedule, Fired, TickPlan, chain};

use super::Upkeep;
use super::attendance::Attendance;
use crate::pause::{Pause, jittered};
use crate::runtime::Runtime;

/// The largest number of schedules in one look.
const LOOK_BATCH_SIZE: usize = 100;
/// The pause without a schedule. A notification or a heartbeat ends it.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// The longest pause if there are schedules: a notification may be lost.
const LONGEST: Duration = Duration::from_secs(60);
/// The longest pause if a schedule that is due could not be fired, because another session has locked it or the database refused.
const LONGEST_RETRY: Duration = Duration::from_secs(1);
/// Workers look this much apart after a tick, so that most of them find that it has been fired.
const STAGGER: Duration = Duration::from_millis(30);

/// Fires the ticks of schedules.
pub(crate) struct Scheduler {
    runtime: Arc<Runtime>,
    attendance: Attendance,
    retry: Pause,
    /// The schedules that this worker could not read or fire. Each is logged once.
    known_problems: HashSet<String>,
}

/// The result of a try to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Tried {
    Fired,
    /// Others were faster, or have changed it; or another session has locked it.
    Contended,
    /// The database has refused.
    Refused,
    /// A later version of pgjobq has stored a definition that this one cannot read. Its workers fire it.
    Unreadable,
}

/// The results of one try to fire each schedule that is due.
#[derive(Debug, Default)]
struct Pass {
    tried: HashSet<Tried>,
    next_due: Option<Duration>,
    is_any: bool,
}

impl Upkeep for Scheduler {
    const ACTIVITY: &'static str = "firing schedules";

    async fn round(&mut self) -> Result<Duration, DatabaseError> {
        loop {
            let pass = self.pass().await?;
            if !pass.tried.contains(&Tried::Fired) {
                return Ok(pause(&pass, &mut self.retry));
            }
        }
    }

    async fn woken(&mut self) {
        self.runtime.events.schedules.notified().await;
    }
}

impl Scheduler {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        Self {
            runtime,
            attendance: Attendance::default(),
            retry: Pause::up_to(LONGEST_RETRY),
            known_problems: HashSet::new(),
        }
    }

    /// Tries to fire each schedule that is due, page by page: those that cannot be fired hide no other. Each worker takes those of a
    /// page in another order, so that workers fire different ones.
    async fn pass(&mut self) -> Result<Pass, DatabaseError> {
        let (mut pass, mut last) = (Pass::default(), None);
        loop {
            let mut seen = self.runtime.store.look_at_schedules(LOOK_BATCH_SIZE, last.as_ref()).await?;
            let attended = self.attendance.look(seen.now, last.is_some() || !seen.due.is_empty());
            let mut order: Vec<&DueSchedule> = seen.due.iter().collect();
            fastrand::shuffle(&mut order);
            for schedule in order {
                pass.tried.insert(self.fire(schedule, seen.now, attended).await?);
            }
            (pass.next_due, pass.is_any) = (seen.next_due, seen.is_any);
            if seen.due.len() < LOOK_BATCH_SIZE {
                return Ok(pass);
            }
            last = seen.due.pop();
        }
    }

    /// Fires the ticks of a schedule. What the database refuses delays no other schedule; an outage is an error.
    async fn fire(
        &mut self,
        schedule: &DueSchedule,
        now: i64,
        attended: i64,
    ) -> Result<Tried, DatabaseError> {
        let plan = match schedule.plan(now, attended) {
            Ok(plan) => plan,
            Err(error) => {
                let what = "this program cannot read a schedule; workers of a later version fire it";
                self.warn_once(schedule, what, &error);
                return Ok(Tried::Unreadable);
            }
        };
        let fired = match self.runtime.store.fire_schedule(schedule, &plan, now).await {
            Ok(fired) => fired,
            Err(error) if error.is_transient() && error.is_refusal() => return Ok(Tried::Refused),
            Err(error) if error.is_refusal() => {
                self.warn_once(schedule, "the database refuses to fire a schedule; trying again", &error);
                return Ok(Tried::Refused);
            }
            Err(error) => return Err(error),
        };
        self.known_problems.remove(&schedule.name);
        let Some(jobs) = fired.jobs else { return Ok(Tried::Contended) };
        report(&schedule.name, &plan, &fired);
        if jobs > 0 {
            self.runtime.work_is_somewhere();
        }
        Ok(Tried::Fired)
    }

    fn warn_once(&mut self, schedule: &DueSchedule, what: &str, error: &(dyn Error + 'static)) {
        if self.known_problems.insert(schedule.name.clone()) {
            tracing::warn!(schedule = schedule.name, error = chain(error), "{what}");
        }
    }
}

/// Logs the ticks that were fired, and those that have no job.
fn report(schedule: &str, plan: &TickPlan, fired: &Fired) {
    if let Some((_, why)) = &plan.missed {
        tracing::warn!(schedule, why, "ticks of a schedule were missed");
    }
    if let Some(why) = &fired.missed {
        tracing::info!(schedule, why, "a tick of a schedule has no job");
    }
    tracing::debug!(schedule, jobs = fired.jobs, "a schedule has fired");
}

/// Returns the pause after a pass that fired nothing. While a schedule that is due cannot be fired, the pause grows.
fn pause(pass: &Pass, retry: &mut Pause) -> Duration {
    let longest = if pass.is_any { jittered(LONGEST) } else { IDLE };
    let next = pass.next_due.map(|due| due + STAGGER.mul_f64(fastrand::f64()));
    let is_stuck = [Tried::Contended, Tried::Refused].iter().any(|tried| pass.tried.contains(tried));
    let again = is_stuck.then(|| retry.after_error());
    if !is_stuck {
        retry.reset();
    }
    [next, again].into_iter().flatten().fold(longest, Duration::min)
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

    fn pass(tried: &[Tried], next_due: Option<Duration>, is_any: bool) -> Pass {
        Pass { tried: tried.iter().copied().collect(), next_due, is_any }
    }

    #[test]
    fn pause_ends_just_after_the_next_tick() {
        let (tick, mut retry) = (Duration::from_secs(7), Pause::up_to(LONGEST_RETRY));
        let until = pause(&pass(&[], Some(tick), true), &mut retry);
        assert!(until >= tick && until <= tick + STAGGER, "{until:?}");
        assert!(pause(&pass(&[Tried::Unreadable], Some(IDLE * 24), true), &mut retry) <= LONGEST * 2);
        assert_eq!(pause(&pass(&[], None, false), &mut retry), IDLE);
        let soon = Duration::from_millis(1);
        assert!(pause(&pass(&[Tried::Refused], Some(soon), true), &mut retry) <= soon + STAGGER);
    }

    #[test]
    fn pause_grows_while_a_schedule_is_locked() {
        let mut retry = Pause::up_to(LONGEST_RETRY);
        let stuck = pass(&[Tried::Contended, Tried::Unreadable], Some(LONGEST), true);
        let pauses: Vec<Duration> = (0..20).map(|_| pause(&stuck, &mut retry)).collect();
        assert!(pauses[0] < Duration::from_millis(100) && pauses[19] > LONGEST_RETRY / 2, "{pauses:?}");
        assert!(pauses[19] < LONGEST_RETRY * 2, "{pauses:?}");
        pause(&pass(&[], Some(LONGEST), true), &mut retry);
        assert!(pause(&stuck, &mut retry) < Duration::from_millis(100), "a pass without a lock ends it");
    }
}
