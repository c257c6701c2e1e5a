//! The application's hook that says who asks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::user::User;

type Answer = Pin<Box<dyn Future<Output = Result<User, Response>> + Send>>;

/// Says who asks.
#[derive(Clone)]
pub(crate) struct Auth {
    hook: Arc<dyn Fn(Parts) -> Answer + Send + Sync>,
    knows_users: bool,
}

impl Auth {
    /// The hook of the application.
    pub(crate) fn hook<F, Asked, E>(hook: F) -> Self
    where
        F: Fn(Parts) -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Result<User, E>> + Send + 'static,
        E: IntoResponse,
    {
        let hook = move |request| -> Answer {
            let asked = hook(request);
            Box::pin(async move { asked.await.map_err(IntoResponse::into_response) })
        };
        Self { hook: Arc::new(hook), knows_users: true }
    }

    /// Everybody may do everything.
    pub(crate) fn everyone() -> Self {
        let auth = Self::hook(|_| async { Ok::<_, Response>(User::administrator("everyone")) });
        Self { knows_users: false, ..auth }
    }

    /// Returns whether it tells one user from another.
    pub(crate) fn knows_users(&self) -> bool {
        self.knows_users
    }

    /// Returns the user, or the answer to somebody who is none.
    pub(crate) async fn user(&self, request: Parts) -> Result<User, Response> {
        (self.hook)(request).await
    }
}
