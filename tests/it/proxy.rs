//! A network between a client and the database, for tests to break.

use std::net::SocketAddr;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// A network between a client and the database. It lasts as long as this.
pub(crate) struct Proxy {
    address: SocketAddr,
    to: PgConnectOptions,
    network: watch::Sender<Network>,
    serving: AbortHandle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Whole,
    /// Every connection is broken, and none comes about.
    Cut,
    /// Nothing passes any more, and nobody is told: as when a cable is pulled.
    Silent,
}

impl Proxy {
    /// A whole network to the database of these options.
    pub(crate) async fn to(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = watch::Sender::new(Network::Whole);
        let serving = tokio::spawn(serve(listener, options.clone(), network.subscribe())).abort_handle();
        Self { address, to: options.clone(), network, serving }
    }

    /// How a client reaches the database through it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        through(self.address, &self.to)
    }

    /// Breaks every connection. What the server was told before, it still does.
    pub(crate) fn cut(&self) {
        self.network.send_replace(Network::Cut);
    }

    /// Lets nothing pass, and tells nobody.
    pub(crate) fn silence(&self) {
        self.network.send_replace(Network::Silent);
    }

    /// Lets new connections come about.
    pub(crate) fn mend(&self) {
        self.network.send_replace(Network::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// How a client reaches the database of these options at another address.
pub(crate) fn through(address: SocketAddr, to: &PgConnectOptions) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(to.get_username())
        .database(to.get_database().unwrap())
        .ssl_mode(sqlx::postgres::PgSslMode::Disable)
}

/// Bytes that go both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A connection to the server of these options, on which nothing has been said yet.
pub(crate) async fn dial(to: &PgConnectOptions) -> std::io::Result<Box<dyn Stream>> {
    Ok(match to.get_socket() {
        Some(folder) => {
            Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", to.get_port()))).await?)
        }
        None => Box::new(TcpStream::connect((to.get_host(), to.get_port())).await?),
    })
}

async fn serve(listener: TcpListener, to: PgConnectOptions, network: watch::Receiver<Network>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *network.borrow() == Network::Cut {
            continue; // Closed at once.
        }
        let (to, network) = (to.clone(), network.clone());
        connections.spawn(async move {
            pass(client, dial(&to).await, network).await;
        });
    }
}

/// Passes everything on for as long as the network is whole.
async fn pass(
    mut client: TcpStream,
    server: std::io::Result<Box<dyn Stream>>,
    mut network: watch::Receiver<Network>,
) {
    let Ok(mut server) = server else { return };
    tokio::select! {
        biased;
        _ = network.wait_for(|now| *now != Network::Whole) => {}
        _ = copy_bidirectional(&mut client, &mut server) => return,
    }
    // A silent connection stays, and is never heard of again.
    let _ = network.wait_for(|now| *now == Network::Cut).await;
}
