//! The policies of missed ticks.

use std::fmt;

/// The highest number in [`Missed::RunAll`].
pub(crate) const MOST_RUNS: u16 = 1000;

/// The policy of a schedule for its missed ticks: those that no worker looked at within a minute, because none was running or the
/// database was down. A tick that is fired within a minute is not missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Missed {
    /// Missed ticks have no jobs. The default.
    #[default]
    Skip,
    /// One job runs for all ticks that were missed in a row, unless a later tick is due by then: its job is that one.
    RunOnce,
    /// One job runs for each missed tick, but at most for this many of them, the last ones; 1 to 1000. With
    /// [`Overlap::Skip`](crate::Overlap::Skip) only the first of these has a job, and with
    /// [`Overlap::CancelRunning`](crate::Overlap::CancelRunning) each cancels the one before.
    RunAll(u16),
}

impl Missed {
    /// Returns the policy of this text, as `Display` writes it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "skip" => Some(Self::Skip),
            "run_once" => Some(Self::RunOnce),
            _ => {
                let most = text.strip_prefix("run_all(")?.strip_suffix(')')?.trim().parse().ok()?;
                (1..=MOST_RUNS).contains(&most).then_some(Self::RunAll(most))
            }
        }
    }
}

/// Writes it as `#[job]` has it: `skip`, `run_once`, `run_all(10)`.
impl fmt::Display for Missed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skip => out.write_str("skip"),
            Self::RunOnce => out.write_str("run_once"),
            Self::RunAll(most) => write!(out, "run_all({most})"),
        }
    }
}
