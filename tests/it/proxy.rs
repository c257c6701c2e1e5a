//! A network between a client and the database, for tests to break.

use std::net::SocketAddr;
use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// A network between a client and the database. It lasts as long as this.
pub(crate) struct Proxy {
    address: SocketAddr,
    username: String,
    database: String,
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
        let (username, database) =
            (options.get_username().to_owned(), options.get_database().unwrap().to_owned());
        Self { address, username, database, network, serving }
    }

    /// How a client reaches the database through it.
    pub(crate) fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host(&self.address.ip().to_string())
            .port(self.address.port())
            .username(&self.username)
            .database(&self.database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
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

async fn serve(listener: TcpListener, to: PgConnectOptions, network: watch::Receiver<Network>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        if *network.borrow() == Network::Cut {
            continue; // Closed at once.
        }
        let (to, network) = (to.clone(), network.clone());
        connections.spawn(async move {
            match to.get_socket() {
                Some(folder) => {
                    let path: PathBuf = folder.join(format!(".s.PGSQL.{}", to.get_port()));
                    pass(client, UnixStream::connect(path).await, network).await;
                }
                None => pass(client, TcpStream::connect((to.get_host(), to.get_port())).await, network).await,
            }
        });
    }
}

/// Passes everything on for as long as the network is whole.
async fn pass(
    mut client: TcpStream,
    server: std::io::Result<impl AsyncRead + AsyncWrite + Unpin>,
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
