//! A graph in the language of Graphviz.

use std::fmt::Write;

use crate::JobState;
use crate::enqueue::edge::Demand;
use crate::workflow::graph::Graph;

pub(super) fn of(graph: &Graph) -> String {
    let mut out = format!("digraph \"{}\" {{\n", escaped(&graph.name));
    out.push_str("    node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for node in &graph.nodes {
        let (n, mut label) = (node.n, escaped(&node.name));
        node.notes().for_each(|note| label += &format!("\\n{note}"));
        let style = if node.role.is_some() { ", style=\"rounded,dashed\"" } else { "" };
        let color = node.state.map(|state| format!(", color=\"{}\"", color(state))).unwrap_or_default();
        let _ = writeln!(out, "    s{n} [label=\"{label}\"{style}{color}];");
    }
    for edge in &graph.edges {
        let style = match edge.demand {
            Demand::Completed => "",
            Demand::CompletedOrHeld => " [label=\"or hold\"]",
            Demand::AnyEnd => " [style=dashed]",
        };
        let _ = writeln!(out, "    s{} -> s{}{style};", edge.parent, edge.child);
    }
    out.push_str("}\n");
    out
}

fn color(state: JobState) -> &'static str {
    match state {
        JobState::Completed => "green3",
        JobState::Running => "dodgerblue",
        JobState::Dead | JobState::Cancelled | JobState::Expired | JobState::Held => "red3",
        JobState::Blocked | JobState::Scheduled | JobState::Limited | JobState::Ready => "gray40",
    }
}

fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}
