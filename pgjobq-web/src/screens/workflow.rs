//! One workflow: its graph, with the state of each step.

use askama::Template;
use pgjobq::{WorkflowHandle, WorkflowId, WorkflowStatus};
use serde::Serialize;

use super::badge::Badge;
use super::workflows::badge;
use crate::diagram::{Diagram, Graph, MOST_STEPS};
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "workflow.html")]
pub(crate) struct Workflow {
    #[serde(skip)]
    visit: Visit,
    id: String,
    name: String,
    state: Badge,
    states: Vec<(&'static str, Count)>,
    created_at: Moment,
    ended_at: Option<Moment>,
    deadline: Option<Moment>,
    cancelled_by: Option<String>,
    cancelled_for: Option<String>,
    /// The steps and their order. A page of a large workflow has none, because it would be loaded step by step.
    graph: Option<Graph>,
    #[serde(skip)]
    steps: Count,
    #[serde(skip)]
    diagram: Option<Diagram>,
    #[serde(skip)]
    is_live: bool,
    #[serde(skip)]
    has_failed: bool,
}

impl Screen for Workflow {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let id: WorkflowId = params.required("id")?;
        let (client, handle) = (&visit.board().client, WorkflowHandle::from_id(id));
        let missing = || Problem::NotFound(format!("there is no workflow {id}, or none any more"));
        let status = handle.status(client).await?.ok_or_else(missing)?;
        let steps: u64 = status.steps.values().sum();
        let graph = if visit.is_json() || steps <= MOST_STEPS as u64 {
            let graph = handle.graph(client).await?.ok_or_else(missing)?;
            let unreadable = |error| Problem::Invalid(format!("its graph cannot be drawn: {error}"));
            Some(serde_json::from_str(&graph.json()).map_err(unreadable)?)
        } else {
            None
        };
        Ok(Self::new(visit, status, graph))
    }
}

impl Workflow {
    fn new(visit: Visit, status: WorkflowStatus, graph: Option<Graph>) -> Self {
        let states = status.steps.iter().map(|(state, steps)| (state.as_str(), Count::exact(*steps)));
        Self {
            id: status.id.to_string(),
            state: badge(status.outcome),
            states: states.collect(),
            steps: Count::exact(status.steps.values().sum()),
            is_live: status.outcome.is_none(),
            has_failed: status
                .steps
                .keys()
                .any(|state| matches!(state.as_str(), "dead" | "cancelled" | "expired")),
            name: status.name,
            created_at: Moment(status.created_at),
            ended_at: status.ended_at.map(Moment),
            deadline: status.deadline.map(Moment),
            cancelled_by: status.cancelled_by,
            cancelled_for: status.cancelled_for,
            diagram: graph.as_ref().and_then(Diagram::of),
            graph,
            visit,
        }
    }

    fn json_link(&self) -> String {
        link("api/workflow", &[("id", &self.id)])
    }

    fn most_steps(&self) -> usize {
        MOST_STEPS
    }
}
