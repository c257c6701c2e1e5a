//! The error of an enqueue.

use crate::job::name::InvalidName;
use crate::{DatabaseError, InvalidAttribute, JobId};

crate::debug_as_message!(EnqueueError);

/// The error of an enqueue: from [`NewJob::enqueue`](crate::NewJob::enqueue), and the short `my_job::enqueue(…)`. A
/// duplicate is not an error.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum EnqueueError {
    /// The arguments could not be written as JSON.
    #[error("the arguments of the `{kind}` job could not be written as JSON: {error}")]
    Args {
        /// The job's kind.
        kind: &'static str,
        /// The cause.
        error: serde_json::Error,
    },
    /// The arguments hold a NUL character, which PostgreSQL cannot store.
    #[error(
        "the arguments of the `{kind}` job hold a NUL character (\\u0000), which PostgreSQL cannot store in JSON: remove it, or encode the bytes"
    )]
    NulInArgs {
        /// The job's kind.
        kind: &'static str,
    },
    /// The arguments hold a number that PostgreSQL cannot store.
    #[error(
        "the arguments of the `{kind}` job hold the number {number}, which PostgreSQL cannot store: it has at most 131072 digits before the decimal point and 16383 after it"
    )]
    NumberInArgs {
        /// The job's kind.
        kind: &'static str,
        /// The number, or its beginning.
        number: String,
    },
    /// The arguments are nested so deeply that they could not be read back.
    #[error(
        "the arguments of the `{kind}` job are nested deeper than {deepest} arrays and objects, which serde_json does not read back: flatten them, or send them as text"
    )]
    NestedArgs {
        /// The job's kind.
        kind: &'static str,
        /// The deepest nesting that is allowed.
        deepest: usize,
    },
    /// The arguments are too large.
    #[error(
        "the arguments of the `{kind}` job are {bytes} bytes as PostgreSQL prints them, more than the limit of {limit}: store them elsewhere and enqueue their name, or raise the client's `max_args`"
    )]
    ArgsTooLarge {
        /// The job's kind.
        kind: &'static str,
        /// Their size as PostgreSQL prints them: numbers without exponents, and spaces after commas and colons.
        bytes: usize,
        /// The largest size that is allowed.
        limit: usize,
    },
    /// An attribute is invalid.
    #[error("the `{kind}` job has an invalid attribute: {error}")]
    Attribute {
        /// The job's kind.
        kind: &'static str,
        /// The mistake.
        error: InvalidAttribute,
    },
    /// The key is invalid.
    #[error(
        "the key of the `{kind}` job is empty, or too long, or holds a NUL character: write 1 to {limit} characters"
    )]
    Key {
        /// The job's kind.
        kind: &'static str,
        /// The largest number of characters.
        limit: usize,
    },
    /// The unique key is invalid.
    #[error(
        "the unique key of the `{kind}` job is empty, or holds a NUL character: write at least one character"
    )]
    UniqueKey {
        /// The job's kind.
        kind: &'static str,
    },
    /// A weight, or a time of its uniqueness, is zero.
    #[error("the {what} of the `{kind}` job is zero: write at least one")]
    Zero {
        /// The job's kind.
        kind: &'static str,
        /// The option: `weight`, or a time.
        what: &'static str,
    },
    /// The call says how long the job is unique, or what becomes of a duplicate, and the job is not unique.
    #[error(
        "the `{kind}` job is not unique, so `.unique_while(…)` and `.on_duplicate(…)` do nothing: add `.unique(\"…\")`, or `unique = args` to its `#[job]`"
    )]
    NotUnique {
        /// The job's kind.
        kind: &'static str,
    },
    /// The weight is larger than the smallest rate allows, so that the job would never start.
    #[error(
        "the weight of the `{kind}` job is {weight}, and at most {allowance} may start in one window of the rate in its code: split the job, or raise the rate there"
    )]
    Weight {
        /// The job's kind.
        kind: &'static str,
        /// The job's weight.
        weight: u32,
        /// The smallest number of the rates that its code states.
        allowance: u32,
    },
    /// The key or the weight of a step is computed from an argument that comes from another step, and is not known yet.
    #[error(
        "the {what} of the `{kind}` job is computed from an argument that comes from another step: set it on the step, with `.{what}(…)`"
    )]
    FromStep {
        /// The job's kind.
        kind: &'static str,
        /// The key of `#[job]` that computes it.
        what: &'static str,
    },
    /// The job is under a limit, or unique, and its id is on another shard than those with which it is compared. Nothing was enqueued,
    /// and a caller's transaction goes on.
    #[error(
        "the `{kind}` job is under a limit or unique, so that pgjobq must choose its id: in a database with several shards leave out `.id(…)`, and do not make it a step of a workflow"
    )]
    Misplaced {
        /// The job's kind.
        kind: &'static str,
    },
    /// The name of the kind or the queue is invalid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The job would start, expire, or be unique until then, in more than a hundred years.
    #[error(
        "the `{kind}` job was to start or expire in more than a hundred years, or to be unique for as long: a unit may be wrong"
    )]
    TooFar {
        /// The job's kind.
        kind: &'static str,
    },
    /// More retries or crashes than the database can store.
    #[error("the `{kind}` job has {count} retries or crashes, and can have at most 32767")]
    TooManyTries {
        /// The job's kind.
        kind: &'static str,
        /// The number that was asked for.
        count: u16,
    },
    /// The job would expire before it comes due, and so never run.
    #[error("the `{kind}` job would expire before it comes due: let it expire later, or run sooner")]
    ExpiresFirst {
        /// The job's kind.
        kind: &'static str,
    },
    /// There is no such queue. Nothing was enqueued, and a caller's transaction goes on.
    #[error(
        "there is no queue `{queue}`: create it once with `client.queue(\"{queue}\").save().await?`, or let `client.migrate()` record the queues of the jobs linked into the program"
    )]
    UnknownQueue {
        /// The queue's name.
        queue: String,
    },
    /// The queue has reached its bound. Nothing of the statement was enqueued, and a caller's transaction goes on.
    #[error(
        "queue `{queue}` is full: it is bounded at {bound} jobs; try again when jobs of it have ended, or raise the bound with `client.queue(\"{queue}\").bounded(…).save()`"
    )]
    QueueFull {
        /// The queue's name.
        queue: String,
        /// Its bound.
        bound: u32,
    },
    /// The job was to wait for a job that does not exist. Nothing was enqueued, and a caller's transaction goes on.
    #[error(
        "the `{kind}` job cannot wait for job {parent}, which does not exist in this schema: enqueue that one first, in the same transaction or committed before (of a completed job with `retain = \"0s\"` nothing is left: pass the handle from its enqueue)"
    )]
    UnknownParent {
        /// The kind of the job that was to be enqueued.
        kind: &'static str,
        /// The id that it was to wait for.
        parent: JobId,
    },
    /// The job was to wait for a job of another kind than its handle says, which was made from an id. Nothing was enqueued, and a
    /// caller's transaction goes on.
    #[error(
        "the `{kind}` job cannot wait for job {parent} with a handle of the kind `{expected}`, because that job is of the kind `{found}`: make the handle with the `handle(id)` of that job function, or pass only the id to `after`"
    )]
    ParentOfOtherKind {
        /// The kind of the job that was to be enqueued.
        kind: &'static str,
        /// The job that it was to wait for.
        parent: JobId,
        /// The kind of the handle.
        expected: &'static str,
        /// The kind of the job.
        found: String,
    },
    /// The job was to wait for itself.
    #[error("the `{kind}` job {id} was to wait for itself, and would never run: give it another id")]
    WaitsForItself {
        /// The id.
        id: JobId,
        /// The job's kind.
        kind: &'static str,
    },
    /// The id is live with another kind.
    #[error("job {id} is live already, and of another kind than `{kind}`")]
    OtherKind {
        /// The id.
        id: JobId,
        /// The kind that was to be enqueued.
        kind: &'static str,
    },
    /// The job was to be enqueued on a bare connection, which writes to the schema `pgjobq`, in a process whose clients use
    /// another one. Nothing was sent.
    #[error(
        "a bare connection or transaction writes to the schema `pgjobq`, but this program's client uses `{schema}`: enqueue with `client.within(&mut *tx)` (bare connections are allowed if this process has also built a client of `pgjobq`)"
    )]
    OtherSchema {
        /// The schema of a client.
        schema: String,
    },
    /// The context was made for a test, and has no client.
    #[error(
        "this context was made for a test, and has no client to enqueue with: use `JobContext::for_test_with(&client)`"
    )]
    NoClient,
    /// The client was closed. What was on its way may have been enqueued.
    #[error("the client was closed: enqueue before `client.close()`, or with another client")]
    Closed,
    /// The database has not answered within the timeout of an enqueue.
    #[error(
        "the enqueue was not answered within {limit:?} (`ClientBuilder::enqueue_timeout`): {}{}",
        if *maybe_enqueued {
            "the job may be enqueued all the same; trying again with the same id never enqueues a live job twice"
        } else {
            "nothing was enqueued"
        },
        last.as_ref().map(|last| format!("; the last error: {last}")).unwrap_or_default()
    )]
    TimedOut {
        /// The limit: see [`ClientBuilder::enqueue_timeout`](crate::ClientBuilder::enqueue_timeout).
        limit: std::time::Duration,
        /// True if a statement was sent and not answered, so that the jobs may be enqueued.
        maybe_enqueued: bool,
        /// The last error.
        last: Option<std::sync::Arc<DatabaseError>>,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
