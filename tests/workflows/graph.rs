//! Random graphs of steps. A seed repeats its graph.

use serde::{Deserialize, Serialize};

/// A workflow to be.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) seed: u64,
    /// In an order in which parents precede their children. Those that a running step adds are the last.
    pub(crate) nodes: Vec<Node>,
    pub(crate) roles: Vec<Role>,
    /// True if a person cancels the whole workflow while it runs.
    pub(crate) is_cancelled: bool,
}

/// A step to be.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) way: Way,
    /// At most a few edges go to one parent; their demands add up.
    pub(crate) edges: Vec<(usize, Edge)>,
    pub(crate) holds: bool,
    /// True if a person cancels this step while the workflow runs.
    pub(crate) is_cancelled: bool,
    /// The step that adds this one to its workflow while it runs.
    pub(crate) grown_by: Option<usize>,
}

/// A step for the end of the workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    OnComplete,
    OnFailure,
}

/// The way in which a step's attempts end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    Complete,
    /// It fails this many times, and then completes.
    Later(u32),
    Exhaust,
    Panic,
    Fatal,
    Cancel,
}

/// An edge from a parent, as its child writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Output,
    Result,
    After,
    AfterAnyEnd,
}

impl Edge {
    pub(crate) fn demands_completion(self) -> bool {
        matches!(self, Self::Output | Self::After)
    }
}

impl Graph {
    /// Makes a graph of 1 to `most` steps. Small ones are more frequent.
    pub(crate) fn random(seed: u64, most: usize) -> Self {
        let dice = &mut fastrand::Rng::with_seed(seed);
        let size = 1 + ((most as f64) * dice.f64().powi(3)) as usize;
        // Some graphs have few edges and others many; some fail often, and others seldom.
        let (edges, trouble) = (dice.usize(1..=6), dice.u32(2..40));
        let mut nodes: Vec<Node> = (0..size).map(|n| Node::random(dice, n, edges, trouble)).collect();
        for n in 0..size {
            if dice.u8(..20) == 0 {
                grow(&mut nodes, n, dice, trouble);
            }
        }
        let roles = [Role::OnComplete, Role::OnFailure];
        let roles = roles.into_iter().filter(|_| dice.u8(..4) == 0).collect();
        Self { seed, nodes, roles, is_cancelled: dice.u8(..12) == 0 }
    }

    /// The steps that a step adds to its workflow. The last of them takes the results of the others.
    pub(crate) fn grown(&self, n: usize) -> Vec<(usize, Way)> {
        let nodes = self.nodes.iter().enumerate().filter(|(_, node)| node.grown_by == Some(n));
        nodes.map(|(grown, node)| (grown, node.way)).collect()
    }

    /// The parents of a step, each once: its number, and whether it must complete.
    pub(crate) fn parents(&self, n: usize) -> Vec<(usize, bool)> {
        let edges = &self.nodes[n].edges;
        let mut parents: Vec<_> = edges.iter().map(|(parent, _)| *parent).collect();
        parents.sort_unstable();
        parents.dedup();
        let must_complete =
            |parent| edges.iter().any(|&(from, edge)| from == parent && edge.demands_completion());
        parents.into_iter().map(|parent| (parent, must_complete(parent))).collect()
    }
}

/// Lets a step add a few others, and one that takes their results.
fn grow(nodes: &mut Vec<Node>, n: usize, dice: &mut fastrand::Rng, trouble: u32) {
    let grown = |way, edges| Node { way, edges, holds: false, is_cancelled: false, grown_by: Some(n) };
    let mut results = Vec::new();
    for _ in 0..dice.usize(1..=4) {
        results.push((nodes.len(), Edge::Result));
        nodes.push(grown(Way::random(dice, trouble), vec![(n, Edge::After)]));
    }
    nodes.push(grown(Way::Complete, results));
}

impl Node {
    fn random(dice: &mut fastrand::Rng, n: usize, most_edges: usize, trouble: u32) -> Self {
        let edges = if n == 0 { 0 } else { dice.usize(..=most_edges) };
        // Near parents make long chains, and far ones wide fans.
        let span = if dice.bool() { n.min(5) } else { n };
        let edges = (0..edges).map(|_| (n - dice.usize(1..=span), Edge::random(dice))).collect();
        let way = Way::random(dice, trouble);
        Self { way, edges, holds: dice.u8(..5) == 0, is_cancelled: dice.u8(..60) == 0, grown_by: None }
    }
}

impl Way {
    fn random(dice: &mut fastrand::Rng, trouble: u32) -> Self {
        match dice.u32(..trouble) {
            0 => [Self::Exhaust, Self::Panic, Self::Fatal, Self::Cancel][dice.usize(..4)],
            1 => Self::Later(dice.u32(1..=2)),
            _ => Self::Complete,
        }
    }
}

impl Edge {
    fn random(dice: &mut fastrand::Rng) -> Self {
        [Self::Output, Self::Output, Self::Result, Self::After, Self::AfterAnyEnd][dice.usize(..5)]
    }
}
