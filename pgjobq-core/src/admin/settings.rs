//! The settings of a queue: what the code says, and what an operator has set instead.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::admin::asked::Asked;
use crate::admin::bounding::{check_bound, refused};
use crate::admin::queue::{EndedState, Queue, check_ageing, check_retention};
use crate::admin::queue_error::QueueError;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::time::{duration, time};
use crate::job::name;
use crate::{DatabaseError, WhenFull};

/// The highest limit. The schema has the same.
const HIGHEST_LIMIT: usize = 1_000_000;
/// The SQLSTATE of a change in a queue that does not exist.
const UNDEFINED: &str = "42704";

/// The settings of a queue: from [`Queue::settings`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSettings {
    /// The number of its jobs that run at a time in each worker. The code's is that of the worker that was built last.
    pub limit: Setting<usize>,
    /// The highest number of its live jobs; `None` if it has no bound.
    pub bound: Setting<usize>,
    /// What an enqueue does when the queue has reached its bound.
    pub when_full: Setting<WhenFull>,
    /// The time after which a waiting job moves up one priority; zero if it does not.
    pub ageing: Setting<Duration>,
    /// The retention of completed jobs. The `retain` of a job function outweighs it.
    pub keep_completed: Setting<Duration>,
    /// The retention of dead jobs.
    pub keep_dead: Setting<Duration>,
    /// The retention of cancelled jobs.
    pub keep_cancelled: Setting<Duration>,
    /// The retention of expired jobs.
    pub keep_expired: Setting<Duration>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting<T> {
    /// The code's value, or the default of pgjobq; `None` for the limit of a queue that no worker was built for.
    pub by_code: Option<T>,
    /// An operator's value, which wins until it is reset.
    pub by_operator: Option<Override<T>>,
}

/// A value that an operator has set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Override<T> {
    /// The value.
    pub value: T,
    /// The person who set it, in the words of the call.
    pub by: String,
    /// The database role that set it.
    pub role: String,
    /// The time of the change.
    pub at: SystemTime,
}

/// Changes to the settings of a queue: await it. From [`Queue::change`].
///
/// All running workers follow within seconds, and new ones obey it from the start, also if their code says otherwise. If a limit is lowered,
/// the jobs that run beyond it end before new ones begin.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use pgjobq::EndedState;
///
/// let day = Duration::from_secs(86_400);
/// client.queue("mail").change().limit(20).retain(EndedState::Dead, 90 * day).by("ada").await?;
///
/// let settings = client.queue("mail").settings().await?.expect("it exists");
/// if let Some(set) = &settings.limit.by_operator {
///     println!("{} at a time, says {}; the code says {:?}", set.value, set.by, settings.limit.by_code);
/// }
/// client.queue("mail").change().reset_limit().by("ada").await?; // As the code says again.
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct ChangeSettings<'c> {
    client: &'c Client,
    queue: String,
    limit: Option<Option<usize>>,
    pub(super) bound: Option<Option<usize>>,
    pub(super) when_full: Option<Option<WhenFull>>,
    ageing: Option<Option<Duration>>,
    /// By [`EndedState`].
    kept: [Option<Option<Duration>>; 4],
    asked: Asked,
}

impl<'c> Queue<'c> {
    /// Returns its settings: what the code says of each, and what an operator has set instead. Returns `None` if there is no such
    /// queue.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn settings(&self) -> Result<Option<QueueSettings>, DatabaseError> {
        let shared = self.client.shared();
        let rows = shared.read(&shared.sql.queue_settings, &[&self.name.as_str()]).await?;
        QueueSettings::read(&rows).map_err(DatabaseError::Refused)
    }

    /// Changes settings while workers run: see [`ChangeSettings`]. What the code says is set with [`retain`](Self::retain) and
    /// [`save`](crate::SaveQueue::save), and by each worker's builder; an operator's setting wins.
    pub fn change(&self) -> ChangeSettings<'c> {
        let (client, queue) = (self.client, self.name.clone());
        ChangeSettings {
            client,
            queue,
            limit: None,
            bound: None,
            when_full: None,
            ageing: None,
            kept: [None; 4],
            asked: Asked::default(),
        }
    }
}

impl ChangeSettings<'_> {
    /// Sets the number of jobs that run at a time in each worker: from 1 to 1,000,000.
    pub fn limit(mut self, jobs: usize) -> Self {
        self.limit = Some(Some(jobs));
        self
    }

    /// Lets the limit be what each worker's code says.
    pub fn reset_limit(mut self) -> Self {
        self.limit = Some(None);
        self
    }

    /// Sets the time after which a waiting job moves up one priority: see [`Queue::ageing`]. `Duration::ZERO` turns that off.
    pub fn ageing(mut self, time: Duration) -> Self {
        self.ageing = Some(Some(time));
        self
    }

    /// Lets ageing be what the code says.
    pub fn reset_ageing(mut self) -> Self {
        self.ageing = Some(None);
        self
    }

    /// Sets the retention of jobs that end in this state from now on: from one minute to ten years.
    pub fn retain(mut self, ended: EndedState, time: Duration) -> Self {
        self.kept[ended as usize] = Some(Some(time));
        self
    }

    /// Lets the retention be what the code says.
    pub fn reset_retention(mut self, ended: EndedState) -> Self {
        self.kept[ended as usize] = Some(None);
        self
    }

    /// Sets who changes them. Without it, the database role is shown.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    async fn send(mut self) -> Result<(), QueueError> {
        name::check("queue", &self.queue)?;
        if self.changes().is_empty() {
            return Err(QueueError::NoChange(self.queue));
        }
        if let Some(limit) = self.limit.flatten()
            && !(1..=HIGHEST_LIMIT).contains(&limit)
        {
            return Err(QueueError::Limit { queue: self.queue, limit });
        }
        if let Some(bound) = self.bound.flatten() {
            check_bound(&self.queue, bound)?;
        }
        check_retention(&self.queue, self.kept.map(Option::flatten))?;
        check_ageing(&self.queue, self.ageing.flatten())?;
        let written = match self.write().await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => self.write().await,
            written => written,
        };
        match written {
            Err(error) if error.code().as_deref() == Some(UNDEFINED) => {
                return Err(self.client.unknown_queue(self.queue).await);
            }
            Err(error) => return Err(refused(error, &self.queue, self.bound.flatten().unwrap_or_default())),
            Ok(()) => {}
        }
        if self.kept.iter().any(Option::is_some) {
            // Of the queue's retention the database knows.
            self.client.try_to_make_partitions(Duration::ZERO).await?.warn();
        }
        Ok(())
    }

    async fn write(&self) -> Result<(), DatabaseError> {
        let (names, values): (Vec<&str>, Vec<Option<i64>>) = self.changes().into_iter().unzip();
        let (shared, by) = (self.client.shared(), self.asked.by());
        let values: [&dyn Literal; 4] = [&self.queue.as_str(), &&names[..], &&values[..], &by];
        shared.write(&shared.sql.change_settings, &values).await.map(drop)
    }

    /// Returns the settings to change, each with its new value.
    fn changes(&self) -> Vec<(&'static str, Option<i64>)> {
        let limit = self.limit.map(|limit| ("limit", limit.and_then(|jobs| i64::try_from(jobs).ok())));
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let names = ["keep_completed", "keep_dead", "keep_cancelled", "keep_expired"];
        let kept = names.into_iter().zip(self.kept);
        let kept = kept.filter_map(|(name, time)| time.map(|time| (name, time.map(micros))));
        let bound = self.bound.map(|bound| ("bound", bound.and_then(|jobs| i64::try_from(jobs).ok())));
        let ageing = self.ageing.map(|time| ("ageing", time.map(micros)));
        let when_full = self.when_full.map(|policy| ("when_full", policy.map(WhenFull::number)));
        limit.into_iter().chain(bound).chain(when_full).chain(ageing).chain(kept).collect()
    }
}

impl<'c> IntoFuture for ChangeSettings<'c> {
    type Output = Result<(), QueueError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl<T> Setting<T> {
    /// The value that counts: the operator's, or else the code's.
    pub fn current(&self) -> Option<&T> {
        self.by_operator.as_ref().map(|set| &set.value).or(self.by_code.as_ref())
    }

    fn read(rows: &[PgRow], name: &str, value: fn(i64) -> T) -> Result<Self, sqlx::Error> {
        let mut found = Self { by_code: None, by_operator: None };
        for row in rows {
            if row.try_get::<&str, _>("setting")? == name {
                found.by_code = row.try_get::<Option<i64>, _>("by_code")?.map(value);
                if let Some(set) = row.try_get::<Option<i64>, _>("by_operator")? {
                    found.by_operator = Some(Override {
                        value: value(set),
                        by: row.try_get("set_by")?,
                        role: row.try_get("role")?,
                        at: time(row.try_get("set_at")?),
                    });
                }
            }
        }
        Ok(found)
    }
}

impl QueueSettings {
    fn read(rows: &[PgRow]) -> Result<Option<Self>, sqlx::Error> {
        if rows.is_empty() {
            return Ok(None);
        }
        let kept = |name| Setting::read(rows, name, duration);
        let jobs = |name| Setting::read(rows, name, |jobs| usize::try_from(jobs).unwrap_or_default());
        Ok(Some(Self {
            limit: jobs("limit")?,
            bound: jobs("bound")?,
            when_full: Setting::read(rows, "when_full", WhenFull::numbered)?,
            ageing: kept("ageing")?,
            keep_completed: kept("keep_completed")?,
            keep_dead: kept("keep_dead")?,
            keep_cancelled: kept("keep_cancelled")?,
            keep_expired: kept("keep_expired")?,
        }))
    }
}
