//! One stream of events for each open page: the script loads the page anew when the statistics have changed.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream;
use tokio::time::sleep;

use crate::visit::Visit;

/// The length of a stream, after which the browser opens another one. So a server that shuts down waits no longer than this.
const LONGEST_STREAM: Duration = Duration::from_secs(25);
/// The time after which the browser opens another stream.
const RECONNECT: Duration = Duration::from_secs(1);

/// Sends an event for each interval of the statistics.
pub(crate) async fn stream(Extension(visit): Extension<Visit>) -> impl IntoResponse {
    let until = Instant::now() + LONGEST_STREAM;
    let begin = Event::default().retry(RECONNECT).comment("");
    let ticks = stream::unfold((visit, Some(begin)), move |(visit, begin)| async move {
        if let Some(begin) = begin {
            return Some((Ok::<_, Infallible>(begin), (visit, None)));
        }
        if Instant::now() >= until {
            return None;
        }
        sleep(visit.board().interval).await;
        Some((Ok(Event::default().event("tick").data("")), (visit, None)))
    });
    Sse::new(ticks)
}
