//! Samples of the plans of our statements.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use crate::lock::lock;

/// Samples of the plans of our statements: set it with
/// [`ClientBuilder::explain_sampler`](crate::ClientBuilder::explain_sampler).
///
/// It never executes a statement twice, and never changes its result. A plan goes to each
/// [`TelemetryHook`](super::TelemetryHook), to `tracing` (at DEBUG, with the target `pgjobq::plan`), and to files if
/// [`write_to`](Self::write_to) names a folder.
///
/// # What it can see
///
/// **With `auto_explain`**, if the server has loaded it and the role may set it (superusers, or `grant set on parameter …`, see
/// below): the sampled statement runs in a transaction of its own, in which `auto_explain` sends its plan, as executed, with times,
/// buffers and WAL; and the plans of all statements *inside* our functions, where nearly all the work is. The sampled statement takes
/// three round trips instead of one, and holds its locks one round trip longer.
///
/// **Without it**: the sampler sends a plain `EXPLAIN` of the same text with the same parameters just before the statement. That executes
/// nothing. It shows the plan of the outer statement alone: for most of ours a call of a function, into which it cannot see.
///
/// A role that may do neither is logged once, and its statements run without samples.
///
/// It samples statements that a worker or a client sends alone, which are all hot ones. It leaves out statements in a caller's
/// transaction, those that are sent as one message together with their transaction (as `cancel`), and migrations. Plans may contain
/// values that a statement has as parameters.
///
/// ```sql
/// grant set on parameter auto_explain.log_min_duration, auto_explain.log_analyze, auto_explain.log_buffers,
///     auto_explain.log_wal, auto_explain.log_timing, auto_explain.log_format, auto_explain.log_level,
///     auto_explain.log_nested_statements, auto_explain.sample_rate to jobs;
/// ```
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # fn example(pool: sqlx::PgPool) -> Result<(), pgjobq::ClientError> {
/// use pgjobq::Client;
/// use pgjobq::observe::ExplainSampler;
///
/// let client = Client::builder(pool).explain_sampler(ExplainSampler::one_in(1000).write_to("/var/tmp/plans")).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "give it to `.explain_sampler(…)`"]
pub struct ExplainSampler {
    when: When,
    pub(super) folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum When {
    OneIn(u64),
    SlowerThan(Duration),
}

impl ExplainSampler {
    /// Samples the first of each name, and then one in this many of each name. 1 samples every statement, which is for tests.
    pub fn one_in(statements: u64) -> Self {
        Self { when: When::OneIn(statements.max(1)), folder: None }
    }

    /// Samples the statement of the same name that follows one which took longer than this. Fast statements cost nothing.
    pub fn slower_than(limit: Duration) -> Self {
        Self { when: When::SlowerThan(limit), folder: None }
    }

    /// Also writes each plan to a file in this folder, the last thousand of them.
    pub fn write_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }
}

/// The way in which this process gets plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It has not tried yet.
    Unknown,
    /// `auto_explain` sends them.
    Analyze,
    /// A plain `EXPLAIN` before the statement.
    Plan,
    /// It may do neither.
    Off,
}

/// The state of sampling.
#[derive(Debug)]
pub(crate) struct Sampling {
    when: When,
    mode: AtomicU8,
    /// By name: the statements that were seen, or the slow ones that were not followed by a sample yet.
    counts: Mutex<BTreeMap<&'static str, u64>>,
    warned: AtomicBool,
}

impl Sampling {
    pub(crate) fn new(sampler: &ExplainSampler) -> Self {
        Self {
            when: sampler.when,
            mode: AtomicU8::new(Mode::Unknown as u8),
            counts: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    /// Returns whether the next statement of this name is sampled.
    pub(crate) fn wants(&self, name: &'static str) -> bool {
        if self.mode() == Mode::Off {
            return false;
        }
        let mut counts = lock(&self.counts);
        match self.when {
            When::OneIn(each) => {
                let count = counts.entry(name).or_default();
                *count += 1;
                *count % each == 1 % each
            }
            When::SlowerThan(_) => counts.remove(name).is_some(),
        }
    }

    /// Takes note of a statement that was not sampled.
    pub(crate) fn took(&self, name: &'static str, duration: Duration) {
        if matches!(self.when, When::SlowerThan(limit) if duration > limit) {
            lock(&self.counts).insert(name, 1);
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        let modes = [Mode::Unknown, Mode::Analyze, Mode::Plan, Mode::Off];
        modes[usize::from(self.mode.load(Ordering::Relaxed)).min(3)]
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// Takes note that this way returns no plans, and reports it once.
    pub(crate) fn cannot(&self, mode: Mode, error: &dyn std::fmt::Display) {
        self.set_mode(mode);
        if mode == Mode::Off && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the database role may not explain statements: none is sampled");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_then_one_in_n_of_each_name_is_wanted() {
        let sampling = Sampling::new(&ExplainSampler::one_in(3));
        let wanted = Vec::from_iter((0..7).map(|_| sampling.wants("claim")));
        assert_eq!(wanted, [true, false, false, true, false, false, true]);
        assert!(sampling.wants("finish"));
        let all = Sampling::new(&ExplainSampler::one_in(1));
        assert!((0..5).all(|_| all.wants("claim")));
    }

    #[test]
    fn slow_statement_arms_one_sample_of_its_name() {
        let sampling = Sampling::new(&ExplainSampler::slower_than(Duration::from_millis(10)));
        sampling.took("claim", Duration::from_millis(9));
        assert!(!sampling.wants("claim"));
        sampling.took("claim", Duration::from_millis(11));
        assert!(!sampling.wants("finish") && sampling.wants("claim") && !sampling.wants("claim"));
    }
}
