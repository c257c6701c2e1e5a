//! The way in: a builder that becomes a router once it is decided who may use it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use pgjobq::Client;

use crate::auth::Auth;
use crate::board::{Board, STATEMENT_TIMEOUT, Settings};
use crate::hosts::Hosts;
use crate::statistics::INTERVAL;
use crate::user::User;
use crate::{acts, assets, enter, events, headers, screens};

/// Returns a dashboard of the jobs of this client, which becomes an [`axum::Router`] with [`auth`](RouterWithoutAuth::auth) or
/// [`open_to_everyone`](RouterWithoutAuth::open_to_everyone).
///
/// ```no_run
/// # use pgjobq::Client;
/// # async fn who(_: &axum::http::HeaderMap) -> Option<String> { None }
/// # fn example(client: Client) -> axum::Router {
/// use axum::http::StatusCode;
/// use axum::http::request::Parts;
/// use pgjobq_web::User;
///
/// let jobs = pgjobq_web::router(&client).auth(async |request: Parts| {
///     let name = who(&request.headers).await.ok_or(StatusCode::UNAUTHORIZED)?;
///     Ok::<_, StatusCode>(User::operator(name))
/// });
/// axum::Router::new().nest("/admin/jobs", jobs)
/// # }
/// ```
///
/// Without a decision it is no router, and does not compile:
///
/// ```compile_fail,E0308
/// # fn example(client: pgjobq::Client) {
/// let app: axum::Router = axum::Router::new().nest("/admin/jobs", pgjobq_web::router(&client));
/// # }
/// ```
pub fn router(client: &Client) -> RouterWithoutAuth {
    let settings = Settings {
        title: "Jobs".to_owned(),
        read_only: false,
        origins: Vec::new(),
        interval: INTERVAL,
        statement_timeout: STATEMENT_TIMEOUT,
    };
    RouterWithoutAuth { client: client.clone(), hosts: Vec::new(), settings }
}

/// A dashboard of which it is not decided yet who may use it: from [`router`]. End it with [`auth`](Self::auth) or
/// [`open_to_everyone`](Self::open_to_everyone).
#[must_use = "it is a router only after `.auth(…)` or `.open_to_everyone()`"]
pub struct RouterWithoutAuth {
    client: Client,
    hosts: Vec<String>,
    settings: Settings,
}

impl RouterWithoutAuth {
    /// Sets the title, for instance the name of the environment; `Jobs` by default.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.settings.title = title.into();
        self
    }

    /// Refuses every request that could change something: all methods but GET and HEAD. What remains runs in read-only
    /// transactions.
    pub fn read_only(mut self) -> Self {
        self.settings.read_only = true;
        self
    }

    /// Accepts forms of pages with this origin, such as `http://jobs.example.com:8080`, beside the host of the request. Needed only
    /// behind a proxy that changes the header `Host`, for browsers that send no `Sec-Fetch-Site`, as they do without TLS.
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.settings.origins.push(origin.into());
        self
    }

    /// Answers at these hosts, such as `jobs.example.com`, and refuses requests for others: another site can let a name of its own lead to
    /// this program. A host without a port means every port. `localhost`, names below it, and addresses such as `10.0.0.7` are always
    /// admitted.
    ///
    /// With [`open_to_everyone`](Self::open_to_everyone) it is necessary for every other name at which a browser opens the dashboard. With
    /// [`auth`](Self::auth) all hosts are admitted unless some are named: a browser sends another name no cookies of yours. Name them if the
    /// hook believes something else than cookies and headers, such as an address of the network.
    ///
    /// ```no_run
    /// # fn example(client: pgjobq::Client) -> axum::Router {
    /// pgjobq_web::router(&client).hosts(["jobs.example.com"]).open_to_everyone()
    /// # }
    /// ```
    pub fn hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Sets the age at which the statistics are measured anew, for all viewers at once; 5 seconds by default, and at least one.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval.max(Duration::from_secs(1));
        self
    }

    /// Sets the timeout of each statement; 5 seconds by default.
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.settings.statement_timeout = limit;
        self
    }

    /// Returns the router. The hook is asked for each request, except those of the style sheet, the script and the icon, and returns the
    /// user, or the answer to somebody who is none: a status, or a redirect to the log-in.
    ///
    /// ```no_run
    /// # use pgjobq::Client;
    /// # fn example(client: Client) -> axum::Router {
    /// use axum::http::request::Parts;
    /// use axum::response::Redirect;
    /// use pgjobq_web::{Permission, User};
    ///
    /// /// Behind a proxy that authenticates, and that nobody can pass by.
    /// async fn user(request: Parts) -> Result<User, Redirect> {
    ///     let name = request.headers.get("x-forwarded-user").and_then(|name| name.to_str().ok());
    ///     let name = name.ok_or(Redirect::to("/login"))?;
    ///     Ok(User::viewer(name).allow(Permission::SeeArguments).allow(Permission::Retry))
    /// }
    ///
    /// pgjobq_web::router(&client).auth(user)
    /// # }
    /// ```
    pub fn auth<S, F, Asked, E>(mut self, hook: F) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(Parts) -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Result<User, E>> + Send + 'static,
        E: IntoResponse,
    {
        let hosts = Hosts::any_unless_named(std::mem::take(&mut self.hosts));
        self.decided(Auth::hook(hook), hosts)
    }

    /// Returns the router, in which everybody who can reach it may do everything. Right on a developer's machine, or where something before
    /// it decides who reaches it. With [`read_only`](Self::read_only) everybody sees everything. It answers at `localhost`, at addresses, and
    /// at the [`hosts`](Self::hosts) that are named.
    pub fn open_to_everyone<S: Clone + Send + Sync + 'static>(mut self) -> Router<S> {
        let hosts = Hosts::only_named(std::mem::take(&mut self.hosts));
        self.decided(Auth::everyone(), hosts)
    }

    fn decided<S: Clone + Send + Sync + 'static>(self, auth: Auth, hosts: Hosts) -> Router<S> {
        let board = Board::new(self.client, auth, hosts, self.settings);
        let guarded = acts::routes(screens::routes(Router::new()))
            .route("/events", get(events::stream))
            .fallback(screens::other)
            .layer(from_fn_with_state(Arc::clone(&board), enter::enter));
        let public = Router::new().route("/assets/{name}", get(assets::asset));
        guarded.merge(public).layer(from_fn(headers::add)).with_state(board)
    }
}
