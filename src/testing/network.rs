//! A network between a client and the database that a test can hurt.

use std::net::SocketAddr;
use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::wire::{Fate, Sent, Wire, frame, startup};
use crate::{Client, DatabaseError};

/// The largest number of connections over the network.
const CONNECTIONS: u32 = 10;

/// Another way to the database, over a network that loses what a test says: from [`TestQueue::network`](super::TestQueue::network).
/// Dropping it closes the network.
///
/// ```no_run
/// use pgjobq::prelude::*;
/// use pgjobq::testing::{TestQueue, assert_enqueued};
///
/// #[job]
/// async fn send_welcome(user: String) {}
///
/// # async fn example(pg: TestQueue) -> std::result::Result<(), pgjobq::Error> {
/// let network = pg.network().await?;
/// network.lose_reply();
/// send_welcome::enqueue(network.client(), "ada".to_owned()).await?; // The client asks again.
/// assert_enqueued!(pg, send_welcome, user == "ada", count = 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Network {
    client: Client,
    wire: Arc<Wire>,
    serving: AbortHandle,
}

impl Network {
    /// Opens a network to the database of this pool.
    pub(super) async fn open(pool: &PgPool) -> Result<Self, DatabaseError> {
        let to = pool.connect_options().as_ref().clone();
        let broken = |error| DatabaseError::Unavailable { at: None, error: sqlx::Error::Io(error) };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(broken)?;
        let address = listener.local_addr().map_err(broken)?;
        let wire = Arc::new(Wire::default());
        let serving = tokio::spawn(serve(listener, to.clone(), Arc::clone(&wire))).abort_handle();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS);
        let pool = pool.connect_lazy_with(through(address, &to));
        Ok(Self { client: Client::new(pool), wire, serving })
    }

    /// The client that uses the network. It runs nothing inline.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Loses the reply to the next enqueue, completion or commit: the database does it, and the connection breaks before the client
    /// hears of it.
    pub fn lose_reply(&self) {
        self.wire.lose_reply();
    }

    /// Returns whether a reply that is to be lost has not come yet.
    #[must_use]
    pub fn is_reply_due(&self) -> bool {
        self.wire.is_reply_due()
    }

    /// Drops all notifications from now on.
    pub fn drop_notifications(&self) {
        self.wire.drop_notifications();
    }

    /// The number of notifications that were dropped.
    #[must_use]
    pub fn dropped_notifications(&self) -> usize {
        self.wire.dropped()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns these options with another address.
fn through(address: SocketAddr, to: &PgConnectOptions) -> PgConnectOptions {
    // A socket would win over the host, and cannot be removed. Who connects by one needs no password.
    let options = match (to.get_socket(), to.get_database()) {
        (None, _) => to.clone(),
        (Some(_), None) => PgConnectOptions::new_without_pgpass().username(to.get_username()),
        (Some(_), Some(database)) => {
            PgConnectOptions::new_without_pgpass().username(to.get_username()).database(database)
        }
    };
    options.host(&address.ip().to_string()).port(address.port()).ssl_mode(PgSslMode::Disable)
}

async fn serve(listener: TcpListener, to: PgConnectOptions, wire: Arc<Wire>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (to, wire) = (to.clone(), Arc::clone(&wire));
        connections.spawn(async move {
            // However it ends, both ends are closed.
            let _ = connect(client, &to, &wire).await;
        });
    }
}

async fn connect(client: TcpStream, to: &PgConnectOptions, wire: &Wire) -> std::io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = to.get_socket() {
        let socket = folder.join(format!(".s.PGSQL.{}", to.get_port()));
        return pass(client, tokio::net::UnixStream::connect(socket).await?, wire).await;
    }
    pass(client, TcpStream::connect((to.get_host(), to.get_port())).await?, wire).await
}

/// Passes frames on until a connection ends, or its reply is lost.
async fn pass(client: TcpStream, server: impl AsyncRead + AsyncWrite, wire: &Wire) -> std::io::Result<()> {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    let sent = Sent::default();
    tokio::select! {
        ended = pass_up(from_client, to_server, wire, &sent) => ended,
        ended = pass_down(from_server, to_client, wire, &sent) => ended,
    }
}

async fn pass_up(
    mut client: impl AsyncRead + Unpin,
    mut server: impl AsyncWrite + Unpin,
    wire: &Wire,
    sent: &Sent,
) -> std::io::Result<()> {
    server.write_all(&startup(&mut client).await?).await?;
    loop {
        let frame = frame(&mut client).await?;
        wire.client_sends(sent, &frame);
        server.write_all(&frame).await?;
    }
}

async fn pass_down(
    mut server: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    wire: &Wire,
    sent: &Sent,
) -> std::io::Result<()> {
    loop {
        let frame = frame(&mut server).await?;
        match wire.server_sends(sent, &frame) {
            Fate::Arrives => client.write_all(&frame).await?,
            Fate::Lost => {}
            Fate::BreaksConnection => return Ok(()),
        }
    }
}
