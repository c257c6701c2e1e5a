//! Streams of events, which an open page reads without end: a server that ends must not wait for them.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

/// Ends each stream of events when the server ends.
pub(super) async fn end_streams(
    State(ending): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let content = response.headers().get(CONTENT_TYPE).map(|content| content.as_bytes());
    if !content.is_some_and(|content| content.starts_with(b"text/event-stream")) {
        return response;
    }
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(ending.cancelled_owned())))
}
