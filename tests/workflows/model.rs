//! The model: how a step ends, and what it returns, if its parents have ended in a certain way.

use pgjobq::JobState;

use crate::graph::{Edge, Graph, Node, Role, Way};

/// The retries of a step.
const RETRIES: u32 = 2;

/// The decision of a person about a held step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Resumed,
    Cancelled,
}

/// The end of a step: its output, or the state in which it ended without one.
pub(crate) type End = Result<u64, JobState>;

/// The inputs of a step from its parents: outputs, and results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    pub(crate) outputs: Vec<u64>,
    pub(crate) results: Vec<End>,
}

impl Inputs {
    /// Takes what the edges of a step say. `None` if an output does not exist.
    pub(crate) fn of(node: &Node, ends: &[End]) -> Option<Self> {
        let from = |wanted| {
            node.edges.iter().filter(move |(_, edge)| *edge == wanted).map(|(parent, _)| ends[*parent])
        };
        let outputs = from(Edge::Output).collect::<Result<_, _>>().ok()?;
        Some(Self { outputs, results: from(Edge::Result).collect() })
    }

    /// Computes what the step returns: a number that depends on all of them, and on their order.
    pub(crate) fn digest(&self, n: usize) -> u64 {
        let results = self.results.iter().map(|end| match end {
            Ok(output) => output.wrapping_add(1),
            Err(state) => state.as_str().len() as u64,
        });
        let mix = |all: u64, next: u64| (all ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.outputs.iter().copied().chain([7]).chain(results).fold(n as u64, mix)
    }
}

/// The end of a step that nobody cancels, and the number of its attempts.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) end: End,
    pub(crate) attempts: usize,
}

/// Returns what is expected of a step. `ends` are those of its parents at least. With `repaired` no attempt fails.
pub(crate) fn expected(
    graph: &Graph,
    n: usize,
    ends: &[End],
    decision: Option<Decision>,
    repaired: bool,
) -> Expected {
    let node = &graph.nodes[n];
    let is_met = |&(parent, must_complete): &(usize, bool)| !must_complete || ends[parent].is_ok();
    let is_resumed = node.holds && decision == Some(Decision::Resumed);
    match Inputs::of(node, ends) {
        Some(inputs) if is_resumed || graph.parents(n).iter().all(is_met) => {
            let way = if repaired { Way::Complete } else { node.way };
            Expected { end: way.end(inputs.digest(n)), attempts: way.attempts() }
        }
        // Also a step that a person would resume without an output that it takes.
        _ => Expected { end: Err(JobState::Cancelled), attempts: 0 },
    }
}

impl Way {
    fn end(self, output: u64) -> End {
        match self {
            Self::Complete | Self::Later(_) => Ok(output),
            Self::Exhaust | Self::Panic | Self::Fatal => Err(JobState::Dead),
            Self::Cancel => Err(JobState::Cancelled),
        }
    }

    /// The number of attempts, each of which runs once.
    fn attempts(self) -> usize {
        match self {
            Self::Complete | Self::Fatal | Self::Cancel => 1,
            Self::Later(failures) => failures as usize + 1,
            Self::Exhaust | Self::Panic => RETRIES as usize + 1,
        }
    }
}

/// The end of a step for the end of the workflow.
pub(crate) fn end_of_role(role: Role, ends: &[End]) -> JobState {
    let completed = ends.iter().all(Result::is_ok);
    if completed == (role == Role::OnComplete) { JobState::Completed } else { JobState::Cancelled }
}
