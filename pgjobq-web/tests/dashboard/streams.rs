//! Streams of events are bounded, and one that its browser closes is over.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use pgjobq_web::router;
use tower::ServiceExt as _;

use crate::stage::Stage;

async fn open(app: &Router) -> Response {
    app.clone().oneshot(Request::get("/events").body(Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test]
async fn streams_are_bounded() {
    Stage::run(async |stage| {
        let app: Router = router(&stage.client).open_to_everyone();
        let mut streams = Vec::new();
        for number in 0..256 {
            let stream = open(&app).await;
            assert_eq!(stream.status(), StatusCode::OK, "stream {number}");
            streams.push(stream);
        }
        assert_eq!(open(&app).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        streams.pop();
        assert_eq!(open(&app).await.status(), StatusCode::OK);
    })
    .await;
}
