//! An action that has been started.

use std::time::Duration;

use super::error::ActionError;
use super::report::{ActionId, ActionReport};
use crate::DatabaseError;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::jitter::jittered;
use crate::store::Acted;

/// The shortest pause after a batch that another session was at.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause without a look: the action may be stopped meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An action that has been started: from [`Action::start`](crate::Action::start) and [`Client::action`].
///
/// It is a row in the database. A client that waits for it does its batches, and so does every running worker: it goes on if the
/// process that started it dies.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::filter::kind;
///
/// let started = client.jobs(kind("send_receipt")).requeue().rate("500 per minute").start().await?;
/// println!("{}", started.progress().await?); // action 12 (requeue) goes on: 80 of 80 jobs changed
/// started.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "wait for it, look at it, or stop it"]
pub struct StartedAction<'c> {
    client: &'c Client,
    id: ActionId,
}

impl Client {
    /// Returns an action by its id. Sends nothing yet.
    pub fn action(&self, id: ActionId) -> StartedAction<'_> {
        StartedAction { client: self, id }
    }

    /// Returns the latest actions, the latest first, at most `limit`: who asked for what, and what became of it.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn actions(&self, limit: u32) -> Result<Vec<ActionReport>, DatabaseError> {
        self.read_actions(None, None, false, limit).await
    }

    /// Returns the latest actions before another one, as [`actions`](Self::actions) does.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn actions_before(
        &self,
        before: ActionId,
        limit: u32,
    ) -> Result<Vec<ActionReport>, DatabaseError> {
        self.read_actions(None, Some(before), false, limit).await
    }

    /// Returns the latest actions that go on, as [`actions`](Self::actions) does.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn running_actions(&self, limit: u32) -> Result<Vec<ActionReport>, DatabaseError> {
        self.read_actions(None, None, true, limit).await
    }

    async fn read_actions(
        &self,
        id: Option<ActionId>,
        before: Option<ActionId>,
        only_running: bool,
        limit: u32,
    ) -> Result<Vec<ActionReport>, DatabaseError> {
        let shared = self.shared();
        let (id, before) = (id.map(|id| id.0), before.map(|id| id.0));
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let values: [&dyn Literal; 4] = [&id, &before, &only_running, &most];
        let rows = shared.read(&shared.sql.actions, &values).await?;
        rows.iter().map(ActionReport::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }
}

impl StartedAction<'_> {
    /// The action's id.
    #[must_use]
    pub fn id(&self) -> ActionId {
        self.id
    }

    /// Returns how the action stands.
    ///
    /// # Errors
    ///
    /// [`ActionError::UnknownAction`] and [`ActionError::Database`].
    pub async fn progress(&self) -> Result<ActionReport, ActionError> {
        let found = self.client.read_actions(Some(self.id), None, false, 1).await?.pop();
        found.ok_or(ActionError::UnknownAction(self.id))
    }

    /// Does the batches of the action, in turn with the running workers, and returns when it has ended. If this is dropped, the
    /// workers go on.
    ///
    /// # Errors
    ///
    /// [`ActionError::UnknownAction`], and [`ActionError::Database`] if the database cannot be reached or refuses. Then the
    /// workers go on.
    pub async fn wait(&self) -> Result<ActionReport, ActionError> {
        loop {
            let acted = self.act().await?;
            let Some(wait) = acted.wait else { return self.progress().await };
            let pause = if acted.acted { wait } else { wait.max(jittered(BUSY_PAUSE)) };
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
    }

    /// Stops the action. The jobs that it has changed stay changed. Returns false if it has ended.
    ///
    /// # Errors
    ///
    /// [`ActionError::UnknownAction`] and [`ActionError::Database`].
    pub async fn stop(&self) -> Result<bool, ActionError> {
        let shared = self.client.shared();
        let row = shared.write(&shared.sql.stop_action, &[&self.id.0]).await?;
        let stopped: bool = sqlx::Row::try_get(&row, "stopped").map_err(DatabaseError::Refused)?;
        if !stopped {
            self.progress().await?; // Fails if there is no such action.
        }
        Ok(stopped)
    }

    /// Does the next batch, if it is due, and notifies those whom it concerns.
    async fn act(&self) -> Result<Acted, DatabaseError> {
        let shared = self.client.shared();
        let values: [&dyn Literal; 1] = [&self.id.0];
        let row = shared.write(&shared.sql.act, &values).await?;
        let acted = Acted::read(&row).map_err(DatabaseError::Refused)?;
        let notifications = self.client.notifications();
        notifications.wake(&acted.queues);
        notifications.cancelled(&acted.cancelled);
        shared.observe_ended(&acted.cancelled);
        if !acted.running.is_empty() {
            notifications.cancel();
        }
        Ok(acted)
    }
}
