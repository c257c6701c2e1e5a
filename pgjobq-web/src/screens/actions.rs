//! Actions on many jobs, and what became of them.

use askama::Template;
use pgjobq::{ActionId, ActionReport, ActionState};
use serde::Serialize;

use super::badge::Badge;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::show::count::Count;
use crate::show::link::link;
use crate::show::moment::Moment;
use crate::visit::Visit;

/// The number of actions on a page.
const PAGE: u32 = 50;
/// The largest number of actions that go on, and stand before the others.
const MOST_RUNNING: u32 = 100;
/// Stands for the text of an error.
const HIDDEN: &str = "the log of the worker has the details";

#[derive(Template, Serialize)]
#[template(path = "actions.html")]
pub(crate) struct Actions {
    #[serde(skip)]
    visit: Visit,
    /// On the first page, those that go on come first.
    actions: Vec<Row>,
    /// The last action of this page, for the parameter `before` of the next one.
    next: Option<String>,
    #[serde(skip)]
    is_first: bool,
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
    /// The error of the last batch that failed. Those who may only look do not see its text, which is of the database.
    pub(crate) problem: Option<String>,
    pub(crate) rate: Option<String>,
    pub(crate) by: String,
    pub(crate) role: String,
    pub(crate) reason: Option<String>,
    pub(crate) created_at: Moment,
    pub(crate) ended_at: Option<Moment>,
}

impl Screen for Actions {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let (client, before) = (&visit.board().client, params.parsed("before")?.map(ActionId));
        let (mut actions, page) = match before {
            Some(before) => (Vec::new(), client.actions_before(before, PAGE).await?),
            None => (client.running_actions(MOST_RUNNING).await?, client.actions(PAGE).await?),
        };
        let next = page.last().filter(|_| page.len() == PAGE as usize).map(|last| last.id.to_string());
        for action in page {
            if actions.iter().all(|running| running.id != action.id) {
                actions.push(action);
            }
        }
        let actions = actions.into_iter().map(|action| Row::new(&visit, action)).collect();
        Ok(Self { actions, next, is_first: before.is_none(), visit })
    }
}

impl Actions {
    fn next_link(&self) -> Option<String> {
        self.next.as_ref().map(|before| link("actions", &[("before", before)]))
    }
}

impl Row {
    pub(crate) fn new(visit: &Visit, report: ActionReport) -> Self {
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
            problem: report
                .problem
                .map(|text| if visit.may_do_something() { text } else { HIDDEN.to_owned() }),
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
