//! `pgjobq serve`: the dashboard without an application.

mod access;
mod credentials;
mod local;
mod streams;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use clap::Args;
use pgjobq::shutdown_signal;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use self::access::Access;
use self::local::is_loopback;
use self::streams::end_streams;
use crate::failure::Failure;
use crate::session::Session;
use crate::values::address;

/// The time that requests have to end after a signal: longer than a statement of the dashboard may take.
const GRACE: Duration = Duration::from_secs(8);

/// Serve the dashboard, without an application around it
#[derive(Args)]
#[command(
    long_about = "Serves the dashboard, without an application around it, until it gets SIGINT or SIGTERM.\n\nWithout a user it \
                  listens on this machine alone, and answers only under the names of this machine, so that no page of another site \
                  reaches it. Nothing encrypts its connections: put a proxy with TLS before it if others reach it.",
    after_help = "PGJOBQ_PASSWORD='…' pgjobq serve --listen 10.0.0.5:8080 --user ada"
)]
pub(crate) struct Serve {
    /// The address and the port; port 0 stands for any free one
    #[arg(long, default_value = "127.0.0.1:8080", value_parser = address, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Only show: refuse each action, and run read-only transactions. The role of an observer suffices
    #[arg(long)]
    read_only: bool,
    /// Ask for this name and the password in the variable PGJOBQ_PASSWORD
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Take the first line of this file as the password
    #[arg(long, requires = "user", value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Admit everybody who reaches the address, because something before it decides who does
    #[arg(long, conflicts_with_all = ["user", "password_file"])]
    open_to_everyone: bool,
    /// Answer at this name as well, such as that of a proxy; without a user, names of other sites are refused
    #[arg(long = "host", requires = "open_to_everyone", value_name = "NAME")]
    hosts: Vec<String>,
    /// The title of the pages, such as the name of the environment
    #[arg(long, default_value = "Jobs")]
    title: String,
}

#[derive(Serialize)]
struct ServingJson<'s> {
    url: &'s str,
    read_only: bool,
}

impl Serve {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let password = access::password(self.password_file.as_deref())?;
        let access = Access::decide(self.listen, self.user, password, self.open_to_everyone)?;
        let refused = |error: io::Error| {
            let instead = "write another address with --listen";
            Failure::Refused(format!("`serve` cannot listen on {}: {error}; {instead}", self.listen))
        };
        let listener = TcpListener::bind(self.listen).await.map_err(refused)?;
        let listens = listener.local_addr().map_err(refused)?;
        tracing_subscriber::fmt().with_max_level(LevelFilter::WARN).with_writer(io::stderr).init();
        let mut dashboard = pgjobq_web::router(&session.client).title(self.title).hosts(self.hosts);
        if self.read_only {
            dashboard = dashboard.read_only();
        }
        let ending = CancellationToken::new();
        let app = access.router(dashboard).layer(from_fn_with_state(ending.clone(), end_streams));
        let signalled = tokio::spawn({
            let ending = ending.clone();
            async move {
                shutdown_signal().await;
                ending.cancel();
            }
        });
        let url = format!("http://{listens}/");
        session.out.print(&ServingJson { url: &url, read_only: self.read_only }, || &url)?;
        if !is_loopback(listens) {
            session.out.note("nothing encrypts these connections: put a proxy with TLS before them");
        }
        let serving = axum::serve(listener, app).with_graceful_shutdown(ending.clone().cancelled_owned());
        let served = tokio::select! {
            served = serving.into_future() => served,
            () = async { ending.cancelled().await; tokio::time::sleep(GRACE).await } => Ok(()),
        };
        signalled.abort();
        served.map_err(|error| Failure::Refused(format!("the server failed: {error}")))
    }
}
