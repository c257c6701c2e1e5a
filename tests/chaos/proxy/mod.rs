//! A proxy between one client and the database that understands PostgreSQL's frames. It can break a connection at the
//! moments that matter: before a statement is sent, and after it was executed but before its answer arrives.

mod faults; // The current faults of the network.
mod frames; // The messages of the protocol, one at a time.
mod pass; // One connection, and what happens to its messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use faults::{Counts, Cut, Faults, Link, Moment, Verb};
use pgjobq::sqlx::postgres::PgConnectOptions;
use tokio::net::{TcpListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

/// One network. It ends when this is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
    serving: AbortHandle,
}

impl Proxy {
    /// Creates a network, without faults, to the server at this URL, which listens on a socket.
    pub(crate) async fn to(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let folder = options.get_socket().expect("a private server listens on a socket");
        let socket = folder.join(format!(".s.PGSQL.{}", options.get_port()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Faults::default());
        let serving = tokio::spawn(serve(listener, socket, Arc::clone(&faults))).abort_handle();
        Self { address, faults, serving }
    }

    /// The URL through which a client reaches the database over this network.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres?sslmode=disable", self.address)
    }

    pub(crate) fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let (socket, faults) = (socket.clone(), Arc::clone(&faults));
                connections.spawn(async move {
                    // While the server is down, the connection is closed at once.
                    if let Ok(server) = UnixStream::connect(socket).await {
                        pass::pass(client, server, &faults).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
