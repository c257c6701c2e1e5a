//! Actions on many jobs, and what became of them.

use askama::Template;
use pgjobq::{ActionReport, ActionState};
use serde::Serialize;

use super::badge::Badge;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The largest number of actions on the page.
const MOST_ACTIONS: u32 = 100;

#[derive(Template, Serialize)]
#[template(path = "actions.html")]
pub(crate) struct Actions {
    #[serde(skip)]
    visit: Visit,
    actions: Vec<Row>,
}

/// An action on many jobs.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) filter: String,
    pub(crate) state: Badge,
    pub(crate) matched: Count,
    pub(crate) changed: Count,
    pub(crate) left: Vec<String>,
    pub(crate) problem: Option<String>,
    pub(crate) rate: Option<String>,
    pub(crate) by: String,
    pub(crate) role: String,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: Moment,
    pub(crate) ended_at: Option<Moment>,
}

impl Screen for Actions {
    async fn load(visit: Visit, _: Params) -> Result<Self, Problem> {
        let actions = visit.board().client.actions(MOST_ACTIONS).await?;
        Ok(Self { visit, actions: actions.into_iter().map(Row::new).collect() })
    }
}

impl Row {
    pub(crate) fn new(report: ActionReport) -> Self {
        let state = match report.state {
            ActionState::Running => Badge::new("running", "running"),
            ActionState::Done => Badge::new("done", "completed"),
            _ => Badge::new("stopped", "over"),
        };
        Self {
            id: report.id.to_string(),
            action: report.action,
            filter: report.filter,
            state,
            matched: Count::exact(report.matched),
            changed: Count::exact(report.changed),
            left: report.left.iter().map(|(why, count)| format!("{} {why}", Count::exact(*count))).collect(),
            problem: report.problem,
            rate: report.rate,
            by: report.asked_by,
            role: report.role,
            reason: report.reason,
            created_at: Moment(report.created_at),
            ended_at: report.ended_at.map(Moment),
        }
    }

    fn link(&self) -> String {
        link("action", &[("id", &self.id)])
    }

    pub(crate) fn jobs_link(&self) -> String {
        link("jobs", &[("filter", &self.filter)])
    }
}
