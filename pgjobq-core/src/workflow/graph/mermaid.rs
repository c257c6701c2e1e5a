//! A graph as Mermaid text.

use std::fmt::Write;

use crate::JobState;
use crate::enqueue::edge::Demand;
use crate::workflow::graph::Graph;

/// The colors of the states, for light and dark pages.
const COLORS: [(&[JobState], &str, &str); 3] = [
    (&[JobState::Completed], "good", "stroke:#2da44e"),
    (&[JobState::Running], "active", "stroke:#0969da"),
    (&[JobState::Dead, JobState::Cancelled, JobState::Expired, JobState::Held], "bad", "stroke:#cf222e"),
];

pub(super) fn of(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    let class = |state| COLORS.iter().find(|(states, ..)| states.contains(&state));
    for node in &graph.nodes {
        let (n, mut label) = (node.n, escaped(&node.name));
        node.notes().for_each(|note| label += &format!("<br/>{note}"));
        let class = node.state.and_then(class).map(|(_, class, _)| format!(":::{class}")).unwrap_or_default();
        let (open, close) = if node.role.is_some() { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(out, "    s{n}{open}\"{label}\"{close}{class}");
    }
    for edge in &graph.edges {
        let arrow = match edge.demand {
            Demand::Completed => "-->",
            Demand::CompletedOrHeld => "-->|or hold|",
            Demand::AnyEnd => "-.->",
        };
        let _ = writeln!(out, "    s{} {arrow} s{}", edge.parent, edge.child);
    }
    if graph.nodes.iter().any(|node| node.state.is_some()) {
        for (_, class, style) in COLORS {
            let _ = writeln!(out, "    classDef {class} {style},stroke-width:2px");
        }
    }
    out
}

/// Writes what Mermaid would read as its own, or the page as HTML, as entities.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out
}
