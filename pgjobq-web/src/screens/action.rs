//! One action on many jobs: its progress.

use askama::Template;
use pgjobq::ActionId;
use serde::Serialize;

use super::actions::Row;
use crate::params::Params;
use crate::problem::Problem;
use crate::screen::Screen;
use crate::visit::Visit;

#[derive(Template, Serialize)]
#[template(path = "action.html")]
pub(crate) struct Action {
    #[serde(skip)]
    visit: Visit,
    #[serde(flatten)]
    action: Row,
    #[serde(skip)]
    no_workers: bool,
}

impl Screen for Action {
    async fn load(visit: Visit, params: Params) -> Result<Self, Problem> {
        let id = ActionId(params.required("id")?);
        let action = visit.board().client.action(id).progress().await?;
        let no_workers = visit.board().no_workers().await;
        Ok(Self { action: Row::new(&visit, action), no_workers, visit })
    }
}

impl Action {
    fn is_running(&self) -> bool {
        self.action.ended_at.is_none()
    }
}
