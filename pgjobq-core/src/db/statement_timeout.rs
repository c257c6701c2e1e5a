//! The timeout of statements, and a shorter one for those of a part of the program.

use std::time::Duration;

/// The default timeout of a statement.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(35);

tokio::task_local! {
    static LIMIT: Duration;
}

/// The timeout that the server has for a statement that people run now and then, unless a shorter one was set.
const ON_SERVER: Duration = Duration::from_secs(30);
/// The time that the client waits for longer than the server: the way to it and back.
const ON_THE_WAY: Duration = STATEMENT_TIMEOUT.saturating_sub(ON_SERVER);

/// Runs a future in which each statement of the administration (lists, counts, explanations, pauses, actions) takes at most this long. Use
/// it for what people can trigger: a web page must not keep the database busy after its reader has gone.
///
/// Without it the limit is 30 seconds, and it cannot be raised above that. The database cancels a statement that takes longer. A database
/// that is away is not waited for: the call fails with [`DatabaseError::Unavailable`], within a second if the connection is refused, and
/// after about five seconds of silence, or later if other calls of the client ask at the same time.
///
/// None of this concerns enqueues and waits, which outlast a restart, nor tasks that the future spawns.
///
/// [`DatabaseError::Unavailable`]: crate::DatabaseError::Unavailable
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::ActionError> {
/// use std::time::Duration;
/// use pgjobq::filter::queue;
///
/// let mail = client.jobs(queue("mail"));
/// let count = pgjobq::with_statement_timeout(Duration::from_secs(2), mail.count()).await?;
/// # Ok(())
/// # }
/// ```
pub async fn with_statement_timeout<F: Future>(limit: Duration, future: F) -> F::Output {
    LIMIT.scope(limit.clamp(Duration::from_millis(1), ON_SERVER), future).await
}

/// Returns whether somebody waits for the answer, as [`with_statement_timeout`] says.
pub(crate) fn somebody_waits() -> bool {
    LIMIT.try_with(|_| ()).is_ok()
}

/// The timeout of a statement on the server.
pub(crate) fn on_server() -> Duration {
    LIMIT.try_with(|limit| *limit).unwrap_or(ON_SERVER)
}

/// The time that the client waits for the answer, and tries again after an interruption.
pub(crate) fn in_client() -> Duration {
    on_server() + ON_THE_WAY
}
