//! Changing the arguments of one job that does not run.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use sqlx::Row;

use crate::admin::asked::Asked;
use crate::client::Client;
use crate::db::literal::Literal;
use crate::enqueue::row::checked_args;
use crate::job::descriptor::names_of;
use crate::job::json;
use crate::job::other_kind::OtherKind;
use crate::{DatabaseError, EnqueueError, JobId, NewJob};

/// A change of a job's arguments, from [`Job::set_args`](crate::Job::set_args) and
/// [`JobHandle::set_args`](crate::JobHandle::set_args): add who asks and why, and await it. It fails with [`SetArgsError`].
///
/// The job must not run: it waits, or is dead, cancelled or expired, and can be requeued then. Its key, its unique key, its queue
/// and its times stay. Who changed it last is stored with the job, and [`explain`](crate::Job::explain) shows it; an earlier change is
/// not kept. The same call may be made again: it sets the same arguments.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # mod thumbnail { pub fn job(_: i64, _: u32) -> pgjobq_core::NewJob<()> { unimplemented!() } }
/// # async fn example(client: pgjobq::Client, id: pgjobq::JobId) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::SetArgsOutcome;
///
/// let job = client.job(id);
/// match job.set_args(thumbnail::job(7, 320)).by("ada").because("the picture has another id now").await? {
///     SetArgsOutcome::Changed => println!("{:?}", job.requeue().await?), // If it had died of its arguments.
///     other => println!("not changed: {other:?}"),
/// }
/// // Without the job function's types: a JSON object, in the version that the job already has.
/// job.set_args(serde_json::json!({"image": 7, "width": 320})).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "await it"]
pub struct SetArgs<'c> {
    client: &'c Client,
    job: JobId,
    /// The kind that the job must have.
    kind: Option<&'static str>,
    args: ArgsOf,
    version: Option<u16>,
    asked: Asked,
}

/// The result of changing the arguments of a job: from [`SetArgs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetArgsOutcome {
    /// The job has the new arguments.
    Changed,
    /// The job runs, and keeps its arguments: wait for its end, or cancel it.
    Running,
    /// Another transaction has locked the job, and may complete it: try again.
    Locked,
    /// The job has completed.
    Completed,
    /// There is no such job, or none any more.
    NotFound,
}

/// The error of changing the arguments of a job: from [`SetArgs`]. Nothing was changed, unless the connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SetArgsError {
    /// The job is of another kind than the new arguments, or than its handle.
    #[error(transparent)]
    OtherKind(#[from] OtherKind),
    /// The database cannot store the new arguments.
    #[error(transparent)]
    Args(#[from] EnqueueError),
    /// The new arguments are no JSON object.
    #[error(
        "the arguments of a job are a JSON object with their names, such as {{\"user_id\": 7}}, and not {0}"
    )]
    NoObject(serde_json::Value),
    /// The version is 0, or above 32767.
    #[error(
        "the version of arguments is 1 to 32767, not {0}: write that of the job function which reads them"
    )]
    Version(u16),
    /// The database could not be reached, or refused. If the connection broke, the arguments may be changed all the same: make the call
    /// again.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(SetArgsError);

/// New arguments for a job: a [`NewJob`] of its kind, or a [`serde_json::Value`] that is an object.
pub trait NewArgs: Sized {
    #[doc(hidden)]
    fn into_args(self) -> ArgsOf;
}

/// The arguments of a job, not checked yet.
#[doc(hidden)]
#[derive(Debug)]
pub struct ArgsOf(Content);

#[derive(Debug)]
enum Content {
    /// Those of a new job, with its attributes, which are computed from them.
    Typed(Box<crate::enqueue::new_row::NewRow>),
    Json(serde_json::Value),
}

impl<T> NewArgs for NewJob<T> {
    fn into_args(self) -> ArgsOf {
        ArgsOf(Content::Typed(Box::new(self.row)))
    }
}

impl NewArgs for serde_json::Value {
    fn into_args(self) -> ArgsOf {
        ArgsOf(Content::Json(self))
    }
}

/// What the database gets.
struct Checked {
    args: String,
    version: Option<i32>,
    attributes: Option<String>,
    kind: Option<&'static str>,
}

impl<'c> SetArgs<'c> {
    pub(crate) fn new(
        client: &'c Client,
        job: JobId,
        kind: Option<&'static str>,
        args: impl NewArgs,
    ) -> Self {
        let args = args.into_args();
        Self { client, job, kind, args, version: None, asked: Asked::default() }
    }

    /// Sets the version in which a JSON value is written; otherwise it is the version that the job has. A [`NewJob`] knows its own.
    pub fn version(mut self, version: u16) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets who changes them. The first 100 characters are stored. Without it, the database role is shown.
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.asked.set_by(who.into());
        self
    }

    /// Sets the reason. The first 100 characters are stored.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.asked.set_reason(reason.into());
        self
    }

    async fn send(self) -> Result<SetArgsOutcome, SetArgsError> {
        let Self { client, job, kind, args, version, mut asked } = self;
        let checked = check(args, version, kind, client.limits().max_args)?;
        let (answer, found) = match write(client, job, &checked, &asked).await {
            Err(error) if error.is_untranslatable() && asked.escape() => {
                write(client, job, &checked, &asked).await?
            }
            answered => answered?,
        };
        Ok(match answer.as_str() {
            "changed" => SetArgsOutcome::Changed,
            "running" => SetArgsOutcome::Running,
            "busy" => SetArgsOutcome::Locked,
            "completed" => SetArgsOutcome::Completed,
            "other_kind" => {
                let (id, expected) = (job, checked.kind.unwrap_or_default());
                return Err(OtherKind { id, found: found.unwrap_or_default(), expected }.into());
            }
            _ => SetArgsOutcome::NotFound,
        })
    }
}

/// Checks everything about the arguments that the database could not store.
fn check(
    args: ArgsOf,
    version: Option<u16>,
    kind: Option<&'static str>,
    max_args: usize,
) -> Result<Checked, SetArgsError> {
    if let Some(wrong) = version.filter(|version| !(1..=32_767).contains(version)) {
        return Err(SetArgsError::Version(wrong));
    }
    match args.0 {
        Content::Typed(row) => {
            let kind = kind.unwrap_or(row.kind);
            let attributes = row.attributes.to_json();
            let attributes = attributes.map_err(|error| EnqueueError::Attribute { kind, error })?;
            Ok(Checked {
                version: Some(row.meta.version().into()),
                args: checked_args(row.kind, row.args, max_args)?,
                attributes: Some(attributes.unwrap_or_else(|| "{}".to_owned())),
                kind: Some(kind),
            })
        }
        Content::Json(value) if !value.is_object() => Err(SetArgsError::NoObject(value)),
        Content::Json(value) => Ok(Checked {
            version: version.map(i32::from),
            args: checked_args(kind.unwrap_or("changed"), json::encode(&value), max_args)?,
            attributes: None,
            kind,
        }),
    }
}

/// Changes the arguments, unless the job runs. Returns the answer, and the kind that was found.
async fn write(
    client: &Client,
    job: JobId,
    new: &Checked,
    asked: &Asked,
) -> Result<(String, Option<String>), DatabaseError> {
    let shared = client.shared();
    let kinds = new.kind.map(names_of);
    let (by, reason, id) = (asked.by(), asked.reason(), job.as_uuid());
    let (args, attributes) = (new.args.as_str(), new.attributes.as_deref());
    let values: [&dyn Literal; 7] = [&id, &args, &new.version, &attributes, &kinds.as_deref(), &by, &reason];
    let row = shared.write(&shared.sql.change_args, &values).await?;
    let read = || Ok((row.try_get("answer")?, row.try_get("kind")?));
    read().map_err(DatabaseError::Refused)
}

impl<'c> IntoFuture for SetArgs<'c> {
    type Output = Result<SetArgsOutcome, SetArgsError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
