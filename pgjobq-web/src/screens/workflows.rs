//! The workflows.

use askama::Template;
use pgjobq::{ListedWorkflow, WorkflowId, WorkflowOutcome};
use serde::Serialize;

use super::badge::Badge;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The number of workflows on a page.
const PAGE: u32 = 50;

#[derive(Template, Serialize)]
#[template(path = "workflows.html")]
pub(crate) struct Workflows {
    #[serde(skip)]
    visit: Visit,
    workflows: Vec<Row>,
    /// The last workflow of this page, for the parameter `before` of the next one.
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    state: Badge,
    live: Count,
    failed: Count,
    created_at: Moment,
    ended_at: Option<Moment>,
}

impl Screen for Workflows {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let before: Option<WorkflowId> = params.parsed("before")?;
        let workflows = visit.board().client.workflows(before, PAGE).await?;
        let next =
            workflows.last().filter(|_| workflows.len() == PAGE as usize).map(|last| last.id.to_string());
        Ok(Self { visit, workflows: workflows.into_iter().map(Row::new).collect(), next })
    }
}

impl Workflows {
    fn next_link(&self) -> Option<String> {
        self.next.as_ref().map(|before| link("workflows", &[("before", before)]))
    }
}

impl Row {
    fn new(flow: ListedWorkflow) -> Self {
        Self {
            id: flow.id.to_string(),
            name: flow.name,
            state: badge(flow.outcome),
            live: Count::exact(flow.live),
            failed: Count::exact(flow.failed),
            created_at: Moment(flow.created_at),
            ended_at: flow.ended_at.map(Moment),
        }
    }

    fn link(&self) -> String {
        link("workflow", &[("id", &self.id)])
    }
}

/// The state of a workflow.
pub(crate) fn badge(outcome: Option<WorkflowOutcome>) -> Badge {
    match outcome {
        None => Badge::new("running", "running"),
        Some(WorkflowOutcome::Completed) => Badge::new("completed", "completed"),
        Some(WorkflowOutcome::Failed) => Badge::new("failed", "dead"),
        Some(WorkflowOutcome::Cancelled) => Badge::new("cancelled", "over"),
    }
}
