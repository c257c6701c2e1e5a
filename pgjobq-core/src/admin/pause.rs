//! Pauses of queues, kinds and keys: no worker starts a job of them.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::admin::queue::Queue;
use crate::client::Client;
use crate::db::time::{micros, time};
use crate::job::name;
use crate::{DatabaseError, InvalidName};

/// The most characters of a key.
const LONGEST_KEY: usize = 200;
/// The SQLSTATE of a pause of a queue that does not exist.
const UNDEFINED: &str = "42704";
/// The SQLSTATE of a pause that would be over at once.
const OVER: &str = "22008";

/// The jobs that a [`Pause`] stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PauseScope {
    /// The jobs of a queue.
    Queue,
    /// The jobs of a kind, in any queue.
    Kind,
    /// The jobs with a key, of any kind and in any queue.
    Key,
}

/// A pause that is not over: from [`Client::pauses`]. Its `Display` is one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pause {
    /// What `name` names.
    pub scope: PauseScope,
    /// The name of the queue or the kind, or the key.
    pub name: String,
    /// The time at which it ends by itself; `None` if it lasts until somebody resumes.
    pub until: Option<SystemTime>,
    /// The reason.
    pub reason: Option<String>,
    /// The person who paused it, in the words of the call.
    pub by: String,
    /// The database role that paused it.
    pub role: String,
    /// The start of the pause, or its last change.
    pub since: SystemTime,
}

/// The error of a pause: from [`Queue::pause`], [`JobKind::pause`] and [`JobKey::pause`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PauseError {
    /// There is no such queue.
    #[error("queue `{0}` does not exist, so it cannot be paused; `client.queue(\"{0}\").save()` creates it")]
    UnknownQueue(String),
    /// No queue or kind can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// No job can have this key.
    #[error("a key has 1 to 200 characters without NUL, but this one has {0}")]
    Key(usize),
    /// The pause would be over at once.
    #[error(
        "the {scope} `{name}` cannot be paused until a time that has passed; write a time to come, or none"
    )]
    Over {
        /// What `name` names.
        scope: PauseScope,
        /// The name.
        name: String,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(PauseError);

/// A pause to make: await it. From [`Queue::pause`], [`JobKind::pause`] and [`JobKey::pause`].
///
/// Once it has returned, no claim takes such a job. A worker may begin the ones that it has claimed before for at most another
/// second. Running jobs go on, and waiting ones still expire. The pause outlives every process.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::PauseError> {
/// use std::time::{Duration, SystemTime};
///
/// let hour = Duration::from_secs(3600);
/// client.queue("mail").pause().until(SystemTime::now() + hour).because("the provider is down").by("ada").await?;
/// client.kind("send_receipt").pause().await?; // In all queues, until somebody resumes.
/// client.key("tenant:42").pause().because("it floods us").await?;
///
/// for pause in client.pauses().await? {
///     println!("{pause}");
/// }
/// client.queue("mail").resume().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct Pausing<'c> {
    client: &'c Client,
    scope: PauseScope,
    name: String,
    until: Option<SystemTime>,
    reason: Option<String>,
    by: Option<String>,
}

/// A kind by name, from [`Client::kind`].
#[derive(Debug)]
#[must_use = "pause or resume it"]
pub struct JobKind<'c> {
    client: &'c Client,
    name: String,
}

/// A key that jobs share, from [`Client::key`].
#[derive(Debug)]
#[must_use = "pause or resume it"]
pub struct JobKey<'c> {
    client: &'c Client,
    key: String,
}

impl Client {
    /// Returns a kind by name, to pause its jobs or to resume them.
    pub fn kind(&self, name: impl Into<String>) -> JobKind<'_> {
        JobKind { client: self, name: name.into() }
    }

    /// Returns a key, to pause its jobs or to resume them.
    pub fn key(&self, key: impl Into<String>) -> JobKey<'_> {
        JobKey { client: self, key: key.into() }
    }

    /// Returns the pauses that are not over, the oldest first.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn pauses(&self) -> Result<Vec<Pause>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.pauses, &[]).await?;
        rows.iter().map(Pause::read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
    }

    async fn resume(&self, scope: PauseScope, name: &str) -> Result<bool, DatabaseError> {
        let shared = self.shared();
        let row = shared.write(&shared.sql.resume, &[&scope.as_str(), &name]).await?;
        row.try_get("resumed").map_err(DatabaseError::Refused)
    }
}

/// Adds `pause` and `resume` to a type with a `client` and a name.
macro_rules! pausable {
    ($type:ident, $scope:ident, $name:ident) => {
        impl<'c> $type<'c> {
            /// Pauses its jobs, or changes their pause: see [`Pausing`].
            pub fn pause(self) -> Pausing<'c> {
                Pausing::new(self.client, PauseScope::$scope, self.$name)
            }

            /// Ends its pause, and notifies the workers. Returns false if it was not paused.
            ///
            /// # Errors
            ///
            /// If the database cannot be reached, or refuses the statement.
            pub async fn resume(self) -> Result<bool, DatabaseError> {
                self.client.resume(PauseScope::$scope, &self.$name).await
            }
        }
    };
}

pausable!(Queue, Queue, name);
pausable!(JobKind, Kind, name);
pausable!(JobKey, Key, key);

impl<'c> Pausing<'c> {
    fn new(client: &'c Client, scope: PauseScope, name: String) -> Self {
        Self { client, scope, name, until: None, reason: None, by: None }
    }

    /// Sets the time at which the pause ends by itself.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Sets the reason.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into().replace('\0', ""));
        self
    }

    /// Sets who pauses it. Without it, the database role is shown.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into().replace('\0', ""));
        self
    }

    async fn send(self) -> Result<(), PauseError> {
        self.check_name()?;
        let (until, shared) = (self.until.map(micros), self.client.shared());
        let (by, reason) = (self.by.as_deref(), self.reason.as_deref());
        let values: [&dyn crate::db::literal::Literal; 5] =
            [&self.scope.as_str(), &self.name.as_str(), &until, &reason, &by];
        match shared.write(&shared.sql.pause, &values).await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.code().as_deref() {
                Some(UNDEFINED) if self.scope == PauseScope::Queue => PauseError::UnknownQueue(self.name),
                Some(OVER) => PauseError::Over { scope: self.scope, name: self.name },
                _ => error.into(),
            }),
        }
    }

    fn check_name(&self) -> Result<(), PauseError> {
        match self.scope {
            PauseScope::Queue => name::check("queue", &self.name)?,
            PauseScope::Kind => name::check("kind", &self.name)?,
            PauseScope::Key => {
                let length = self.name.chars().count();
                if !(1..=LONGEST_KEY).contains(&length) || self.name.contains('\0') {
                    return Err(PauseError::Key(length));
                }
            }
        }
        Ok(())
    }
}

impl<'c> IntoFuture for Pausing<'c> {
    type Output = Result<(), PauseError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl PauseScope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Kind => "kind",
            Self::Key => "key",
        }
    }
}

impl fmt::Display for PauseScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Pause {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let scope: String = row.try_get("scope")?;
        Ok(Self {
            scope: match &*scope {
                "queue" => PauseScope::Queue,
                "kind" => PauseScope::Kind,
                _ => PauseScope::Key,
            },
            name: row.try_get("name")?,
            until: row.try_get::<Option<i64>, _>("until")?.map(time),
            reason: row.try_get("reason")?,
            by: row.try_get("paused_by")?,
            role: row.try_get("role")?,
            since: time(row.try_get("paused_at")?),
        })
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, name, by, .. } = self;
        write!(out, "the {scope} `{name}` is paused by {by}")?;
        if let Some(reason) = &self.reason {
            write!(out, ", because {reason}")?;
        }
        let Some(until) = self.until else { return write!(out, ", until somebody resumes it") };
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        write!(out, ", for another {:?}", Duration::from_secs(left.as_secs()))
    }
}
