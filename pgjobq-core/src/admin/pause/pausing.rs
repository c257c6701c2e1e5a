//! A pause to make.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::SystemTime;

use super::error::{PauseError, check_name};
use super::scope::PauseScope;
use crate::DatabaseError;
use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::db::time::micros;
use crate::job::policy::LONGEST_DELAY;

/// The SQLSTATE of a pause of a queue that does not exist.
const UNDEFINED: &str = "42704";
/// The SQLSTATE of a pause that would be over at once.
const OVER: &str = "22008";
/// The SQLSTATE of a pause that would last for too long.
const TOO_LONG: &str = "22003";

/// A pause to make: await it. From `pause()` of a [`Queue`](crate::Queue), a
/// [`JobKind`](crate::JobKind) or a [`JobKey`](crate::JobKey).
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
/// client.kind("send_receipt").pause().await?; // In all queues, until it is resumed.
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
    asked: Asked,
}

impl<'c> Pausing<'c> {
    pub(super) fn new(client: &'c Client, scope: PauseScope, name: &str) -> Self {
        Self { client, scope, name: name.to_owned(), until: None, asked: Asked::default() }
    }

    /// Sets the time at which the pause ends by itself, at most a hundred years from now. Without it, it lasts until it is resumed.
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }

    /// Sets the reason.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    /// Sets who pauses it. Without it, the database role is shown.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    async fn send(mut self) -> Result<(), PauseError> {
        check_name(self.scope, &self.name)?;
        if self.until.is_some_and(|until| until > SystemTime::now() + LONGEST_DELAY) {
            return Err(PauseError::TooLong { scope: self.scope, name: self.name });
        }
        let written = match self.write().await {
            Err(error) if error.is_untranslatable() && self.asked.escape() => self.write().await,
            written => written,
        };
        written.map_err(|error| match error.code().as_deref() {
            Some(UNDEFINED) if self.scope == PauseScope::Queue => PauseError::UnknownQueue(self.name),
            Some(OVER) => PauseError::Over { scope: self.scope, name: self.name },
            Some(TOO_LONG) => PauseError::TooLong { scope: self.scope, name: self.name },
            _ => error.into(),
        })
    }

    async fn write(&self) -> Result<(), DatabaseError> {
        let shared = self.client.shared();
        let (until, reason, by) = (self.until.map(micros), self.asked.reason(), self.asked.by());
        let values: [&dyn Literal; 5] = [&self.scope.as_str(), &self.name.as_str(), &until, &reason, &by];
        shared.write(&shared.sql.pause, &values).await.map(drop)
    }
}

impl<'c> IntoFuture for Pausing<'c> {
    type Output = Result<(), PauseError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
