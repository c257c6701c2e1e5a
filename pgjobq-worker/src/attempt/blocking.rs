//! Detects job functions that block: a timeout takes effect only when its future yields.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;
use tokio::time::timeout;

/// Runs a future with a timeout, like tokio, and logs a warning if one poll of it took longer than the timeout.
pub(crate) async fn watched<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut longest = Duration::ZERO;
    let polled = std::future::poll_fn(|context| {
        let began = Instant::now();
        let polled = future.as_mut().poll(context);
        longest = longest.max(began.elapsed());
        polled
    });
    let ended = timeout(limit, polled).await;
    if longest > limit {
        tracing::warn!(
            "the job function did not await for {longest:.1?}, longer than its timeout of {limit:?}, so nothing could stop it: \
             move blocking work into `tokio::task::spawn_blocking`"
        );
    }
    ended
}
