//! Queues, kinds and keys, to pause their jobs or to resume them.

use sqlx::Row;

use super::error::{PauseError, check_name};
use super::pausing::Pausing;
use super::scope::PauseScope;
use crate::DatabaseError;
use crate::admin::queue::Queue;
use crate::client::Client;

/// A kind by name, from [`Client::kind`].
#[derive(Clone, Debug)]
#[must_use = "enqueue a job of it, pause or resume it, or change its limits"]
pub struct JobKind<'c> {
    pub(crate) client: &'c Client,
    pub(crate) name: String,
}

/// A key that jobs share, from [`Client::key`].
#[derive(Debug)]
#[must_use = "pause or resume it"]
pub struct JobKey<'c> {
    client: &'c Client,
    key: String,
}

impl Client {
    /// Returns a kind by name, to enqueue a job of it, to pause its jobs, to resume them, or to change their limits.
    pub fn kind(&self, name: impl Into<String>) -> JobKind<'_> {
        JobKind { client: self, name: name.into() }
    }

    /// Returns a key, to pause its jobs or to resume them.
    pub fn key(&self, key: impl Into<String>) -> JobKey<'_> {
        JobKey { client: self, key: key.into() }
    }

    async fn resume(&self, scope: PauseScope, name: &str) -> Result<bool, PauseError> {
        check_name(scope, name)?;
        let shared = self.shared();
        let row = shared.write(&shared.sql.resume, &[&scope.as_str(), &name]).await?;
        let was_paused: bool = row.try_get("resumed").map_err(DatabaseError::Refused)?;
        if !was_paused && scope == PauseScope::Queue && self.queue_id(name).await?.is_none() {
            return Err(PauseError::UnknownQueue(name.to_owned()));
        }
        Ok(was_paused)
    }
}

/// Adds `pause` and `resume` to a type with a `client` and a name.
macro_rules! pausable {
    ($type:ident, $scope:ident, $name:ident) => {
        impl<'c> $type<'c> {
            /// Pauses its jobs, or changes their pause: see [`Pausing`].
            pub fn pause(&self) -> Pausing<'c> {
                Pausing::new(self.client, PauseScope::$scope, &self.$name)
            }

            /// Ends its pause, and notifies the workers. Returns false if it was not paused.
            ///
            /// # Errors
            ///
            /// [`PauseError::UnknownQueue`], [`PauseError::Name`], [`PauseError::Key`] and [`PauseError::Database`].
            pub async fn resume(&self) -> Result<bool, PauseError> {
                self.client.resume(PauseScope::$scope, &self.$name).await
            }
        }
    };
}

pausable!(Queue, Queue, name);
pausable!(JobKind, Kind, name);
pausable!(JobKey, Key, key);
