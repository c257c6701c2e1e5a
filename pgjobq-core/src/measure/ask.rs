//! Asks for the state of the fleet.

use std::time::Duration;

use sqlx::Row as _;

use crate::DatabaseError;
use crate::client::Client;
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
        let max_age = i64::try_from(max_age.as_micros()).unwrap_or(i64::MAX).min(MAX_AGE_MICROS);
        let row = shared.write(&shared.sql.fleet_state, &[&max_age]).await?;
        let state: Option<String> = row.try_get("state").map_err(DatabaseError::Refused)?;
        let Some(state) = state else { return Ok(None) };
        let decoded = serde_json::from_str(&state).map_err(|error| sqlx::Error::Decode(error.into()));
        let fleet: FleetState = decoded.map_err(DatabaseError::Refused)?;
        let age: i64 = row.try_get("age").map_err(DatabaseError::Refused)?;
        let is_new = row.try_get("is_new").map_err(DatabaseError::Refused)?;
        Ok(Some(FleetState { age: Duration::from_micros(age.max(0).unsigned_abs()), is_new, ..fleet }))
    }
}
