//! Asks for the state of the fleet.

use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::time::duration;
use crate::measure::fleet::FleetState;

/// A year. An interval cannot be much longer.
const MAX_AGE_MICROS: i64 = 366 * 24 * 60 * 60 * 1_000_000;

impl Client {
    /// Returns the state of the whole fleet, at most `max_age` old if nothing fails. It is measured once for all processes that ask:
    /// whoever finds it too old measures it anew, and all others get that answer. While another process measures, this one gets the
    /// state before, or `None` if there is none.
    ///
    /// It takes some milliseconds for each queue, and at most about a second. The role needs the rights of a producer.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::DatabaseError> {
    /// use std::time::Duration;
    ///
    /// if let Some(fleet) = client.fleet_state(Duration::from_secs(30)).await? {
    ///     for queue in fleet.queues {
    ///         println!("{}: {} ready, {} of {} slots", queue.queue, queue.ready, queue.running, queue.slots);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn fleet_state(&self, max_age: Duration) -> Result<Option<FleetState>, DatabaseError> {
        let shared = self.shared();
        let row = shared.write(&shared.sql.fleet_state, &[&micros_of(max_age)]).await?;
        FleetState::read(&row).map_err(DatabaseError::Refused)
    }

    /// Returns the same as [`fleet_state`](Self::fleet_state) and writes nothing: for a role or a transaction that may only read. If the
    /// stored state is too old, it is measured for this caller alone. So ask seldom, or keep the answer.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn fleet_state_unstored(&self, max_age: Duration) -> Result<FleetState, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.fleet_now, &[&micros_of(max_age)]).await?;
        let state = rows.first().map(FleetState::read).transpose().map_err(DatabaseError::Refused)?;
        state.flatten().ok_or(DatabaseError::Refused(sqlx::Error::RowNotFound))
    }
}

fn micros_of(max_age: Duration) -> i64 {
    i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX).min(MAX_AGE_MICROS)
}

impl FleetState {
    fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(state) = row.try_get::<Option<String>, _>("state")? else { return Ok(None) };
        let decoded = serde_json::from_str(&state).map_err(|error| sqlx::Error::Decode(error.into()));
        let age = duration(row.try_get("age")?);
        Ok(Some(Self { age, is_new: row.try_get("is_new")?, ..decoded? }))
    }
}
