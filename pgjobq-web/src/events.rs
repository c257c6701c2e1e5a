//! One stream of events for each page that somebody looks at: the script loads the page anew when the statistics have changed.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::{Instant, sleep};

use crate::screen::answer_problem;
use crate::visit::Visit;

/// The length of a stream, after which the browser opens another one. A server that shuts down waits no longer than this.
const LONGEST_STREAM: Duration = Duration::from_secs(25);
/// The time after which the browser opens another stream.
const RECONNECT: Duration = Duration::from_secs(1);

/// Sends an event for each interval of the statistics, and one at the end, so that a page is loaded anew also if the interval is longer
/// than a stream.
pub(crate) async fn stream(Extension(visit): Extension<Visit>) -> Response {
    let place = match visit.board().stream() {
        Ok(place) => place,
        Err(problem) => return answer_problem(&visit, problem),
    };
    let (interval, until) = (visit.board().interval, Instant::now() + LONGEST_STREAM);
    let begin = Event::default().retry(RECONNECT).comment("");
    // The place is free again when the stream is dropped.
    let ticks = stream::unfold((place, Some(begin)), move |(place, begin)| async move {
        if let Some(begin) = begin {
            return Some((Ok::<_, Infallible>(begin), (place, None)));
        }
        sleep(until_tick(interval, until.saturating_duration_since(Instant::now()))?).await;
        // With empty data, axum writes no field of it, and browsers drop an event without one.
        Some((Ok(Event::default().event("tick").data("-")), (place, None)))
    });
    Sse::new(ticks).into_response()
}

/// Returns the time until the next event of a stream that has this time left, or `None` at its end.
fn until_tick(interval: Duration, left: Duration) -> Option<Duration> {
    (!left.is_zero()).then(|| interval.min(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ends_in_time_with_any_interval() {
        for interval in [1, 5, 24, 25, 26, 86_400].map(Duration::from_secs) {
            let (mut left, mut ticks) = (LONGEST_STREAM, 0);
            while let Some(wait) = until_tick(interval, left) {
                left = left.checked_sub(wait).expect("a stream waits beyond its end");
                ticks += 1;
            }
            assert!(left.is_zero() && ticks > 0, "{interval:?}");
        }
    }
}
