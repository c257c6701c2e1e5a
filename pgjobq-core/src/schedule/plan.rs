//! What becomes of the ticks that have come since a schedule was last looked at: a pure function.

use super::missed::Missed;
use super::timing::Timing;

/// The time within which a worker looks at a tick as usual, in microseconds: an older one was missed. It covers a restart of the
/// database, a failover, and a deploy.
#[doc(hidden)]
pub const ON_TIME: i64 = 60_000_000;
/// The longest time for which a tick that a worker has looked at in time may wait for others to be fired. It bounds the ticks that
/// one schedule can have then.
pub(crate) const LONGEST_BURST: i64 = 10 * ON_TIME;

/// The fate of all ticks up to now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct TickPlan {
    /// The ticks to fire, in order.
    pub ticks: Vec<i64>,
    /// The last tick that has no job, and the reason.
    pub missed: Option<(i64, String)>,
    /// The next tick to come.
    pub next: Option<i64>,
}

impl TickPlan {
    /// Decides about the ticks after `passed_to` and up to `now`. The worker has attended to all that was due since `attended`, so
    /// what has come due since is not missed, even if the worker was busy with others.
    pub(crate) fn new(timing: &Timing, missed: Missed, passed_to: i64, now: i64, attended: i64) -> Self {
        let late_to = (attended.clamp(now - LONGEST_BURST, now) - ON_TIME).max(passed_to);
        let mut ticks: Vec<i64> = timing.after(late_to).take_while(|tick| *tick <= now).collect();
        let wanted = match missed {
            Missed::Skip => 0,
            Missed::RunOnce => usize::from(ticks.is_empty()),
            Missed::RunAll(most) => most.into(),
        };
        let mut late = timing.last(passed_to, late_to, wanted + 1);
        let run = late.split_off(late.len().saturating_sub(wanted));
        let reason = |tick: i64| (tick, reason(missed));
        ticks.splice(0..0, run);
        Self { ticks, missed: late.pop().map(reason), next: timing.next_after(now.max(passed_to)) }
    }
}

fn reason(missed: Missed) -> String {
    match missed {
        Missed::Skip => "no worker fired it within a minute; `missed = \"skip\"`".to_owned(),
        Missed::RunOnce => {
            "no worker fired it within a minute, and a later tick has the one job of `run_once`".to_owned()
        }
        Missed::RunAll(most) => format!("more ticks were missed than the {most} of `run_all({most})`"),
    }
}

#[cfg(test)]
mod tests;
