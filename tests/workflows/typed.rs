//! A graph as a workflow of typed steps.

use pgjobq::prelude::*;

use crate::graph::{Edge, Graph, Role};
use crate::log::{last, node};

/// Makes a workflow of a graph. Returns its steps, too, without those that other steps add.
pub(crate) fn workflow(graph: &Graph) -> (Workflow, Vec<Step<u64>>) {
    let mut flow = Workflow::new(format!("graph {}", graph.seed));
    let mut steps: Vec<Step<u64>> = Vec::new();
    for (n, plan) in graph.nodes.iter().enumerate().filter(|(_, plan)| plan.grown_by.is_none()) {
        let from =
            |wanted| plan.edges.iter().filter(move |(_, edge)| *edge == wanted).map(|(parent, _)| *parent);
        let outputs: Vec<_> = from(Edge::Output).map(|parent| steps[parent].output()).collect();
        let results: Vec<_> = from(Edge::Result).map(|parent| steps[parent].result()).collect();
        let (seed, way, grown) = (graph.seed, plan.way, graph.grown(n));
        let mut step = match (outputs.is_empty(), results.is_empty()) {
            (true, true) => node::step(seed, n, way, Vec::new(), Vec::new(), grown),
            (true, false) => node::step(seed, n, way, Vec::new(), gather(results), grown),
            (false, true) => node::step(seed, n, way, gather(outputs), Vec::new(), grown),
            (false, false) => node::step(seed, n, way, gather(outputs), gather(results), grown),
        };
        for parent in from(Edge::After) {
            step = step.after(&steps[parent]);
        }
        for parent in from(Edge::AfterAnyEnd) {
            step = step.after_any_end(&steps[parent]);
        }
        if plan.holds {
            step = step.hold_on_failure();
        }
        steps.push(flow.add(step.named(n.to_string())));
    }
    for role in &graph.roles {
        let _ = match role {
            Role::OnComplete => flow.on_complete(last::step()),
            Role::OnFailure => flow.on_failure(last::step()),
        };
    }
    (flow, steps)
}
