//! A queue among others.

use pgjobq::JobState;
use pgjobq::filter::{queue, state, states};
use pgjobq::measure::QueueState;
use serde::Serialize;

use crate::show::count::Count;
use crate::show::link::{jobs as jobs_link, link};
use crate::show::span::Span;
use crate::statistics::Snapshot;

/// A queue among others.
#[derive(Serialize)]
pub(crate) struct QueueRow {
    pub(crate) name: String,
    pub(crate) states: Vec<StateCount>,
    /// False if one of these numbers is an estimate, or the dead jobs are a part of all.
    pub(crate) exact: bool,
    pub(crate) slots: Count,
    pub(crate) oldest: Option<Span>,
    pub(crate) workers: Count,
    /// True if jobs are ready and no worker serves the queue.
    pub(crate) unserved: bool,
    pub(crate) paused: bool,
    /// The share of its slots that are in use, in percent.
    pub(crate) load: u64,
    #[serde(skip)]
    pub(crate) link: String,
}

/// The number of a queue's jobs in a state.
#[derive(Serialize)]
pub(crate) struct StateCount {
    pub(crate) state: &'static str,
    pub(crate) jobs: Count,
    #[serde(skip)]
    pub(crate) link: String,
}

impl StateCount {
    /// Makes the number of a queue's jobs in a state, and the link to them. Held jobs are among the blocked ones.
    pub(crate) fn new(name: &str, in_state: JobState, jobs: Count) -> Self {
        let in_states = match in_state {
            JobState::Blocked => states([JobState::Blocked, JobState::Held]),
            in_state => state(in_state),
        };
        Self { state: in_state.as_str(), jobs, link: jobs_link(&queue(name).and(in_states)) }
    }
}

impl QueueRow {
    /// Returns the queues of a snapshot.
    pub(crate) fn all(snapshot: &Snapshot) -> Vec<Self> {
        snapshot.fleet.queues.iter().map(|queue| Self::new(queue, snapshot)).collect()
    }

    fn new(of: &QueueState, snapshot: &Snapshot) -> Self {
        let count = |in_state: JobState, number: u64| {
            // The walks for these two serve all queues.
            let is_shared = matches!(in_state, JobState::Scheduled | JobState::Dead);
            let exact = of.exact || !is_shared && number < 10_000;
            StateCount::new(&of.queue, in_state, Count::new(number, exact))
        };
        let states = vec![
            count(JobState::Ready, of.ready),
            count(JobState::Running, of.running),
            count(JobState::Scheduled, of.scheduled),
            count(JobState::Limited, of.limited),
            count(JobState::Blocked, of.blocked),
            count(JobState::Dead, of.dead),
        ];
        Self {
            link: link("queue", &[("name", &of.queue)]),
            name: of.queue.clone(),
            states,
            exact: of.exact,
            slots: Count::exact(of.slots),
            oldest: of.oldest.map(Span),
            workers: Count::exact(of.workers),
            unserved: of.workers == 0 && of.ready > 0,
            paused: snapshot.is_paused(&of.queue),
            load: (of.running * 100).checked_div(of.slots).unwrap_or(0).min(100),
        }
    }
}
