//! The drawing of a workflow: steps in layers from left to right, and curves between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::show::link::link;

/// The largest number of steps that a page draws and lists.
pub(crate) const MOST_STEPS: usize = 400;
const STEP_WIDTH: usize = 184;
const STEP_HEIGHT: usize = 40;
const LAYER_WIDTH: usize = 248;
const ROW_HEIGHT: usize = 56;
const MARGIN: usize = 12;
/// The most characters of a name in its box.
const MOST_CHARACTERS: usize = 20;

/// The graph of a workflow, in the words of the JSON of [`pgjobq::Graph`].
#[derive(Deserialize, Serialize)]
pub(crate) struct Graph {
    pub(crate) steps: Vec<Step>,
    pub(crate) edges: Vec<Edge>,
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Step {
    pub(crate) n: u32,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) role: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) job: Option<String>,
}

impl Step {
    pub(crate) fn job_link(&self) -> Option<String> {
        self.job.as_ref().map(|id| link("job", &[("id", id)]))
    }
}

#[derive(Deserialize, Serialize)]
pub(crate) struct Edge {
    pub(crate) parent: u32,
    pub(crate) child: u32,
    pub(crate) demand: String,
}

/// A drawing, in units of its view box.
pub(crate) struct Diagram {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) boxes: Vec<Drawn>,
    pub(crate) curves: Vec<Curve>,
}

/// A step in its box.
pub(crate) struct Drawn {
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) state: String,
}

/// An edge. One that does not demand that the parent completes is dashed.
pub(crate) struct Curve {
    pub(crate) path: String,
    pub(crate) dashed: bool,
}

impl Drawn {
    pub(crate) fn width(&self) -> usize {
        STEP_WIDTH
    }

    pub(crate) fn height(&self) -> usize {
        STEP_HEIGHT
    }
}

impl Diagram {
    /// Draws a graph, unless it is too large.
    pub(crate) fn of(graph: &Graph) -> Option<Self> {
        if graph.steps.is_empty() || graph.steps.len() > MOST_STEPS {
            return None;
        }
        let layers = layers(graph);
        let mut rows = BTreeMap::<usize, usize>::new();
        let mut places = BTreeMap::new();
        let mut boxes = Vec::new();
        for step in &graph.steps {
            let layer = layers.get(&step.n).copied().unwrap_or(0);
            let row = rows.entry(layer).or_default();
            let (x, y) = (MARGIN + layer * LAYER_WIDTH, MARGIN + *row * ROW_HEIGHT);
            *row += 1;
            places.insert(step.n, (x, y));
            boxes.push(Drawn::new(step, x, y));
        }
        let columns = layers.values().max().map_or(1, |last| last + 1);
        let most_rows = rows.values().max().copied().unwrap_or(1);
        Some(Self {
            width: 2 * MARGIN + (columns - 1) * LAYER_WIDTH + STEP_WIDTH,
            height: 2 * MARGIN + (most_rows - 1) * ROW_HEIGHT + STEP_HEIGHT,
            boxes,
            curves: graph.edges.iter().filter_map(|edge| Curve::new(edge, &places)).collect(),
        })
    }
}

impl Drawn {
    fn new(step: &Step, x: usize, y: usize) -> Self {
        let label = match step.name.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}…", &step.name[..end]),
            None => step.name.clone(),
        };
        let state = step.state.clone().unwrap_or_default();
        Self { x, y, label, name: step.name.clone(), kind: step.kind.clone(), state }
    }
}

impl Curve {
    fn new(edge: &Edge, places: &BTreeMap<u32, (usize, usize)>) -> Option<Self> {
        let ((from_x, from_y), (to_x, to_y)) = (*places.get(&edge.parent)?, *places.get(&edge.child)?);
        let (x, y) = (from_x + STEP_WIDTH, from_y + STEP_HEIGHT / 2);
        let (end_x, end_y) = (to_x, to_y + STEP_HEIGHT / 2);
        let middle = x + (LAYER_WIDTH - STEP_WIDTH) / 2;
        let before_end = end_x.saturating_sub((LAYER_WIDTH - STEP_WIDTH) / 2);
        let path = format!("M{x} {y}C{middle} {y} {before_end} {end_y} {end_x} {end_y}");
        Some(Self { path, dashed: edge.demand != "completed" })
    }
}

/// The layer of each step: one behind the last of its parents. A step for the end of the workflow comes behind all others.
fn layers(graph: &Graph) -> BTreeMap<u32, usize> {
    let mut layers: BTreeMap<u32, usize> = graph.steps.iter().map(|step| (step.n, 0)).collect();
    // Parents mostly come before their children, so that few rounds change anything. A graph has no circle; if one had, the number of
    // rounds ends it.
    for _ in 0..graph.steps.len() {
        let mut changed = false;
        for edge in &graph.edges {
            let behind = layers.get(&edge.parent).map_or(0, |layer| layer + 1);
            if let Some(layer) = layers.get_mut(&edge.child).filter(|layer| **layer < behind) {
                *layer = behind.min(graph.steps.len());
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let last = layers.values().max().copied().unwrap_or(0);
    for step in graph.steps.iter().filter(|step| step.role.is_some()) {
        layers.insert(step.n, last + 1);
    }
    layers
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn graph(steps: u32, edges: &[(u32, u32)]) -> Graph {
        let step =
            |n| Step { n, name: format!("step {n}"), kind: "k".into(), role: None, state: None, job: None };
        let edge = |(parent, child): &(u32, u32)| Edge {
            parent: *parent,
            child: *child,
            demand: "completed".into(),
        };
        Graph { steps: (1..=steps).map(step).collect(), edges: edges.iter().map(edge).collect() }
    }

    #[test]
    fn children_stand_behind_their_parents() {
        let layers = layers(&graph(4, &[(3, 4), (1, 2), (2, 3), (1, 3)]));
        assert_eq!(layers.into_values().collect::<Vec<_>>(), [0, 1, 2, 3]);
    }

    #[test]
    fn circle_is_drawn_and_ends() {
        assert_eq!(Diagram::of(&graph(2, &[(1, 2), (2, 1)])).unwrap().boxes.len(), 2);
        assert!(Diagram::of(&graph(401, &[])).is_none() && Diagram::of(&graph(0, &[])).is_none());
    }
}
