//! `pgjobq actions`

use clap::Args;
use pgjobq::ActionId;

use crate::confirm::Asked;
use crate::failure::Failure;
use crate::json::{ActionJson, state_name};
use crate::session::Session;
use crate::table::Table;
use crate::text::{first_line, moment};

/// Show who changed which jobs and why, or stop an action that goes on
#[derive(Args)]
pub(crate) struct Actions {
    /// Only this action
    #[arg(value_name = "ID")]
    id: Option<i64>,
    /// Stop it. The jobs that it has changed stay changed
    #[arg(long, requires = "id")]
    stop: bool,
    /// Who stops it; the database role by default
    #[arg(long, requires = "stop", value_name = "NAME")]
    by: Option<String>,
    /// The reason, which `pgjobq audit` shows
    #[arg(long, requires = "stop", value_name = "REASON")]
    because: Option<String>,
    /// The most actions to show, the latest first
    #[arg(long, short, default_value_t = 20, value_name = "ACTIONS")]
    limit: u32,
}

impl Actions {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(id) = self.id.map(ActionId) else { return self.list(session).await };
        let stopped = if self.stop { self.stop(session, id).await } else { Ok(()) };
        let report = session.client.action(id).progress().await?;
        Failure::verdict(session.out.print(&ActionJson::from(&report), || &report), stopped)
    }

    async fn stop(self, session: &Session, id: ActionId) -> Result<(), Failure> {
        let stop = async {
            match session.client.action(id).stop().await? {
                true => Ok(((), "the action is stopped".to_owned())),
                false => Err(Failure::Refused(format!("action {id} had ended already"))),
            }
        };
        let asked = Asked { by: self.by, because: self.because };
        session.recorded("stop", format!("action {id}"), &asked, stop).await
    }

    async fn list(self, session: &Session) -> Result<(), Failure> {
        let actions = session.client.actions(self.limit).await?;
        let json: Vec<_> = actions.iter().map(ActionJson::from).collect();
        session.out.print(&json, || {
            let mut table = Table::new(&[
                ">ID", "STARTED", "BY", "ACTION", "STATE", ">CHANGED", ">OF", "FILTER", "REASON",
            ]);
            for action in &actions {
                table.row([
                    action.id.to_string(),
                    moment(action.created_at),
                    action.asked_by.clone(),
                    action.action.clone(),
                    state_name(action.state).to_owned(),
                    action.changed.to_string(),
                    action.matched.to_string(),
                    first_line(&action.filter, 50),
                    first_line(action.reason.as_deref().unwrap_or_default(), 40),
                ]);
            }
            table
        })
    }
}
