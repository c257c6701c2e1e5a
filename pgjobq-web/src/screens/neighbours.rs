//! The steps of a workflow beside one of them.

use pgjobq::{WorkflowHandle, WorkflowId};
use serde::Serialize;

use crate::board::Board;
use crate::diagram::{Graph, MOST_STEPS, Step};
use crate::problem::Problem;

/// The steps of a workflow beside one of them.
#[derive(Serialize)]
pub(crate) struct Neighbours {
    /// The steps for which it waits.
    parents: Vec<Step>,
    /// The steps that wait for it.
    children: Vec<Step>,
}

impl Neighbours {
    /// Returns those of a step, or `None` if the workflow has more steps than a page draws.
    pub(crate) async fn of(board: &Board, workflow: WorkflowId, n: u32) -> Result<Option<Self>, Problem> {
        let handle = WorkflowHandle::from_id(workflow);
        let status = handle.status(&board.client).await?;
        if status.is_none_or(|status| status.steps.values().sum::<u64>() > MOST_STEPS as u64) {
            return Ok(None);
        }
        let graph = handle.graph(&board.client).await?;
        let graph = graph.and_then(|graph| serde_json::from_str(&graph.json()).ok());
        Ok(graph.map(|graph| Self::in_graph(graph, n)))
    }

    fn in_graph(Graph { steps, edges }: Graph, n: u32) -> Self {
        let has_edge = |parent, child| edges.iter().any(|edge| (edge.parent, edge.child) == (parent, child));
        let (parents, others): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| has_edge(step.n, n));
        Self { parents, children: others.into_iter().filter(|step| has_edge(n, step.n)).collect() }
    }

    /// Returns both lists with what a page calls them, unless they are empty.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&'static str, &[Step])> {
        let lists = [("Steps before it", &*self.parents), ("Steps behind it", &*self.children)];
        lists.into_iter().filter(|(_, steps)| !steps.is_empty())
    }
}
