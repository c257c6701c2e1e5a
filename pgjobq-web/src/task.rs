//! Work that goes on if the browser closes the connection.

use std::future::Future;
use std::panic::resume_unwind;
use std::time::Duration;

use pgjobq::with_statement_timeout;
use tracing::Instrument as _;

use crate::turns::Turn;

/// Does work in a task of its own, in which each statement takes at most this long, and gives its turn back at the end.
///
/// A connection that is closed ends the handler wherever it is, and the server goes on with the statement. If the work ended with the
/// handler, an action would be done without its outcome in the audit trail; and if the turn did, one browser, which loads a slow page again and
/// again, could use any number of connections of the database at once.
pub(crate) async fn to_its_end<T: Send + 'static>(
    turn: Turn,
    statement_timeout: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> T {
    let done = async move {
        let done = with_statement_timeout(statement_timeout, work).await;
        drop(turn);
        done
    };
    // It is never aborted, so it fails only with a panic.
    tokio::spawn(done.in_current_span()).await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
