//! Changes to the limits of a kind or a queue.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde_json::{Map, Value, json};

use crate::admin::asked::Asked;
use crate::admin::existing::listed;
use crate::admin::limit_scope::LimitScope;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::record::stored_rates;
use crate::job::name;
use crate::{DatabaseError, InvalidName, InvalidRate, Rate};

/// The highest concurrency. The schema has the same.
const HIGHEST_CONCURRENCY: u16 = 10_000;
/// The SQLSTATE of a change of a kind or a queue that does not exist.
const UNDEFINED: &str = "42704";
/// The SQLSTATE of a limit of jobs that lie on several shards.
pub(super) const SHARDED: &str = "0A000";

/// Changes to the limits of a kind or a queue over the whole fleet: await it. From [`JobKind::change_limits`](crate::JobKind::change_limits)
/// and [`Queue::change_limits`](crate::Queue::change_limits).
///
/// It takes effect at once, in all processes, and wins over the code of every deploy until it is reset. If a concurrency is lowered, the jobs
/// that run beyond it end before new ones begin. A limit where the code has none holds for jobs that are enqueued from then on.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// client.kind("sync").change_limits().concurrency(5).rate("10 per second").by("ada").await?;
///
/// let limits = client.kind("sync").limits().await?;
/// println!("now {:?}, the code says {:?}", limits.concurrency.current(), limits.concurrency.by_code);
///
/// client.kind("sync").change_limits().reset_concurrency().reset_rate().by("ada").await?; // As the code says again.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct ChangeLimits<'c> {
    client: &'c Client,
    scope: LimitScope,
    name: String,
    concurrency: Option<Option<u16>>,
    /// Each rate as text; empty to reset them.
    rates: Option<Vec<String>>,
    asked: Asked,
}

/// The error of a limit: from [`ChangeLimits`], and from the limits of a [`SaveQueue`](crate::SaveQueue).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// No kind or queue can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A concurrency is out of range.
    #[error(
        "a concurrency of {0} is not possible; write 1 to {HIGHEST_CONCURRENCY}, or stop the jobs with `.pause()`"
    )]
    Concurrency(u16),
    /// A text is no rate.
    #[error(transparent)]
    Rate(#[from] InvalidRate),
    /// Two rates have the same window.
    #[error("`{0}`: there is a rate for this window already: keep the lower one")]
    SameWindow(Rate),
    /// The change has no setting.
    #[error("nothing is changed; add a setting, such as `.concurrency(5)` or `.reset_concurrency()`")]
    NoChange,
    /// There is no such queue, or no program has recorded the kind.
    #[error(
        "the {scope} `{name}` does not exist; a worker or `client.migrate()` records the kinds of its program, and `client.queue(…).save()` a queue{list}",
        list = listed(.existing)
    )]
    Unknown {
        /// The jobs of the limit.
        scope: LimitScope,
        /// Its name.
        name: String,
        /// The first twenty names of those that exist.
        existing: Vec<String>,
    },
    /// The jobs lie on several shards, and a limit compares jobs of one shard.
    #[error(
        "the {scope} `{name}` cannot have a limit, because the database has several shards: write one in the code of its kinds, `#[job(concurrency = 10)]`"
    )]
    Shards {
        /// The jobs of the limit.
        scope: LimitScope,
        /// Its name.
        name: String,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(LimitError);

impl<'c> ChangeLimits<'c> {
    pub(super) fn new(client: &'c Client, scope: LimitScope, name: String) -> Self {
        Self { client, scope, name, concurrency: None, rates: None, asked: Asked::default() }
    }

    /// Sets the number of jobs that are in line or run at a time, for each key on its own if the kind has a key: from 1 to 10,000.
    pub fn concurrency(mut self, jobs: u16) -> Self {
        self.concurrency = Some(Some(jobs));
        self
    }

    /// Lets the concurrency be what the code says.
    pub fn reset_concurrency(mut self) -> Self {
        self.concurrency = Some(None);
        self
    }

    /// Sets the rate at which jobs start, such as `100 per minute`. With several calls, all of the rates hold.
    pub fn rate(mut self, rate: impl Into<String>) -> Self {
        self.rates.get_or_insert_default().push(rate.into());
        self
    }

    /// Lets the rates be what the code says.
    pub fn reset_rate(mut self) -> Self {
        self.rates = Some(Vec::new());
        self
    }

    /// Sets who changes them. Without it, the database role is shown.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    async fn send(mut self) -> Result<(), LimitError> {
        name::check(self.scope.as_str(), &self.name)?;
        let changes = self.changes()?;
        let written = match self.write(&changes).await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => self.write(&changes).await,
            written => written,
        };
        match written {
            Err(error) if error.code().as_deref() == Some(UNDEFINED) => {
                Err(LimitError::unknown(self.client, self.scope, self.name).await)
            }
            written => written.map_err(|error| LimitError::of(error, self.scope, self.name)),
        }
    }

    async fn write(&self, changes: &str) -> Result<(), DatabaseError> {
        let (shared, by) = (self.client.shared(), self.asked.by());
        let values: [&dyn Literal; 4] = [&self.scope.as_str(), &self.name.as_str(), &changes, &by];
        shared.write(&shared.sql.change_limits, &values).await.map(drop)
    }

    /// Returns the settings to change, each with its new value, as JSON.
    fn changes(&self) -> Result<String, LimitError> {
        let mut changes = Map::new();
        if let Some(concurrency) = self.concurrency {
            changes.insert("concurrency".to_owned(), json!(checked_concurrency(concurrency)?));
        }
        if let Some(rates) = &self.rates {
            changes.insert("rates".to_owned(), json!(stored_rates(&parsed_rates(rates)?)));
        }
        if changes.is_empty() { Err(LimitError::NoChange) } else { Ok(Value::Object(changes).to_string()) }
    }
}

impl LimitError {
    /// The error about a queue or a kind that does not exist.
    pub(super) async fn unknown(client: &Client, scope: LimitScope, name: String) -> Self {
        match client.existing(scope).await {
            Ok(existing) => Self::Unknown { scope, name, existing },
            Err(error) => error.into(),
        }
    }

    pub(super) fn of(error: DatabaseError, scope: LimitScope, name: String) -> Self {
        match error.code().as_deref() {
            Some(SHARDED) => Self::Shards { scope, name },
            _ => Self::Database(error),
        }
    }
}

/// Checks a concurrency, if there is one.
pub(super) fn checked_concurrency(jobs: Option<u16>) -> Result<Option<u16>, LimitError> {
    match jobs {
        Some(jobs) if !(1..=HIGHEST_CONCURRENCY).contains(&jobs) => Err(LimitError::Concurrency(jobs)),
        jobs => Ok(jobs),
    }
}

pub(super) fn parsed_rates(texts: &[String]) -> Result<Vec<Rate>, LimitError> {
    let mut rates: Vec<Rate> = Vec::with_capacity(texts.len());
    for text in texts {
        let rate: Rate = text.parse()?;
        if rates.iter().any(|other| other.window() == rate.window()) {
            return Err(LimitError::SameWindow(rate));
        }
        rates.push(rate);
    }
    Ok(rates)
}

impl<'c> IntoFuture for ChangeLimits<'c> {
    type Output = Result<(), LimitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
