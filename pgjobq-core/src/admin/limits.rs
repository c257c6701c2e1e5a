//! The limits of a kind or a queue over the whole fleet: what the code says, and what an operator has set instead.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::admin::change_limits::{ChangeLimits, LimitError};
use crate::admin::limit_scope::LimitScope;
use crate::admin::pause::subject::JobKind;
use crate::admin::queue::{Queue, SaveQueue};
use crate::admin::settings::{Override, Setting};
use crate::client::Client;
use crate::db::time::time;
use crate::{DatabaseError, Rate};

/// The limits of a kind or a queue over the whole fleet: from [`JobKind::limits`] and [`Queue::limits`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitSettings {
    /// The number of its jobs that are in line or run at a time, for each key on its own if the kind has a key. `None`: any number.
    pub concurrency: Setting<u16>,
    /// The rates at which its jobs start, also the one that a burst is. `None`: at any rate.
    pub rates: Setting<Vec<Rate>>,
}

impl<'c> JobKind<'c> {
    /// Returns its limits: what the code says of each, and what an operator has set instead.
    ///
    /// # Errors
    ///
    /// [`LimitError::Unknown`] if it does not exist, and [`LimitError::Database`].
    pub async fn limits(&self) -> Result<LimitSettings, LimitError> {
        LimitSettings::of(self.client, LimitScope::Kind, &self.name).await
    }

    /// Changes its limits while workers run: see [`ChangeLimits`].
    pub fn change_limits(&self) -> ChangeLimits<'c> {
        ChangeLimits::new(self.client, LimitScope::Kind, self.name.clone())
    }
}

impl<'c> Queue<'c> {
    /// Limits the number of its jobs that run at a time in all workers together, from 1 to 10,000. It takes effect with
    /// [`save`](SaveQueue::save), for jobs that are enqueued from then on. It needs a database with one shard.
    ///
    /// This is what the code says; what an operator sets with [`change_limits`](Self::change_limits) wins.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::QueueError> {
    /// client.queue("api").concurrency(10).rate("100 per minute").save().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn concurrency(self, jobs: u16) -> SaveQueue<'c> {
        self.with_options().concurrency(jobs)
    }

    /// Limits the rate at which its jobs start in all workers together: a text such as `100 per minute`, or a [`Rate`](crate::Rate). See
    /// [`concurrency`](Self::concurrency).
    pub fn rate(self, rate: impl Into<String>) -> SaveQueue<'c> {
        self.with_options().rate(rate)
    }

    /// Removes the number that the code has set with [`concurrency`](Self::concurrency).
    pub fn no_concurrency(self) -> SaveQueue<'c> {
        self.with_options().no_concurrency()
    }

    /// Removes the rates that the code has set with [`rate`](Self::rate).
    pub fn no_rate(self) -> SaveQueue<'c> {
        self.with_options().no_rate()
    }

    /// Returns its limits over the whole fleet: what the code says of each, and what an operator has set instead.
    ///
    /// # Errors
    ///
    /// [`LimitError::Unknown`] if it does not exist, and [`LimitError::Database`].
    pub async fn limits(&self) -> Result<LimitSettings, LimitError> {
        LimitSettings::of(self.client, LimitScope::Queue, &self.name).await
    }

    /// Changes its limits while workers run: see [`ChangeLimits`]. What the code says is set with
    /// [`concurrency`](Self::concurrency), [`rate`](Self::rate) and [`save`](crate::SaveQueue::save).
    pub fn change_limits(&self) -> ChangeLimits<'c> {
        ChangeLimits::new(self.client, LimitScope::Queue, self.name.clone())
    }
}

impl SaveQueue<'_> {
    /// Sets the number of its jobs that run at a time in all workers together: see [`Queue::concurrency`].
    pub fn concurrency(mut self, jobs: u16) -> Self {
        self.limit.concurrency = Some(Some(jobs));
        self
    }

    /// Removes the number that the code has set.
    pub fn no_concurrency(mut self) -> Self {
        self.limit.concurrency = Some(None);
        self
    }

    /// Sets the rate at which its jobs start: see [`Queue::rate`]. With several calls, all of the rates hold.
    pub fn rate(mut self, rate: impl Into<String>) -> Self {
        self.limit.rates.get_or_insert_default().push(rate.into());
        self
    }

    /// Removes the rates that the code has set.
    pub fn no_rate(mut self) -> Self {
        self.limit.rates = Some(Vec::new());
        self
    }
}

impl LimitSettings {
    async fn of(client: &Client, scope: LimitScope, name: &str) -> Result<Self, LimitError> {
        let shared = client.shared();
        let rows = shared.read(&shared.sql.limit_settings, &[&scope.as_str(), &name]).await?;
        let known: Result<Vec<bool>, _> = rows.iter().map(|row| row.try_get("known")).collect();
        if known.map_err(DatabaseError::Refused)?.contains(&false) {
            return Err(LimitError::unknown(client, scope, name.to_owned()).await);
        }
        Ok(Self::read(&rows).map_err(DatabaseError::Refused)?)
    }

    fn read(rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let number = |json: &str| serde_json::from_str(json).ok();
        let rates = |json: &str| {
            let stored = serde_json::from_str::<Vec<(u32, u64)>>(json).ok()?;
            let rate = |(count, micros)| Rate::new(count, Duration::from_micros(micros));
            Some(stored.into_iter().map(rate).collect())
        };
        Ok(Self { concurrency: setting(rows, "concurrency", number)?, rates: setting(rows, "rates", rates)? })
    }
}

/// Reads a setting. A value that a later version wrote, and that cannot be read, is absent.
fn setting<T>(
    rows: &[PgRow],
    name: &str,
    value: impl Fn(&str) -> Option<T>,
) -> Result<Setting<T>, sqlx::Error> {
    let mut found = Setting { by_code: None, by_operator: None };
    for row in rows {
        if row.try_get::<&str, _>("setting")? != name {
            continue;
        }
        found.by_code = row.try_get::<Option<&str>, _>("by_code")?.and_then(&value);
        if let Some(value) = row.try_get::<Option<&str>, _>("by_operator")?.and_then(&value) {
            let (by, role, at) = (row.try_get("set_by")?, row.try_get("role")?, time(row.try_get("set_at")?));
            found.by_operator = Some(Override { value, by, role, at });
        }
    }
    Ok(found)
}
