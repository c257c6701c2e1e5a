//! A network between a client and the database that a test can interrupt.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Mutex, watch};
use tokio::task::{AbortHandle, JoinSet};

/// A network between a client and the database; dropping it closes the network.
pub(crate) struct Proxy {
    address: SocketAddr,
    to: PgConnectOptions,
    network: watch::Sender<Network>,
    serving: AbortHandle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    Whole,
    /// Every connection is closed, and no new one is accepted.
    Cut,
    /// No byte passes any more, and no connection is closed, as when a cable is pulled.
    Silent,
    /// This number of further client messages pass, with their answers; then it is silent. The last one is not answered.
    SilentAfter(usize),
}

impl Proxy {
    /// Starts a working network to the database of these options.
    pub(crate) async fn to(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = watch::Sender::new(Network::Whole);
        let serving = tokio::spawn(serve(listener, options.clone(), network.clone())).abort_handle();
        Self { address, to: options.clone(), network, serving }
    }

    /// Starts a network that carries at most `bytes_per_second` to the client, over all connections.
    pub(crate) async fn slow_to(options: &PgConnectOptions, bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve_slowly(listener, options.clone(), bytes_per_second)).abort_handle();
        Self { address, to: options.clone(), network: watch::Sender::new(Network::Whole), serving }
    }

    /// Returns the options with which a client connects through this network.
    pub(crate) fn options(&self) -> PgConnectOptions {
        through(self.address, &self.to)
    }

    /// Closes every connection. The server still executes the statements that it has received.
    pub(crate) fn cut(&self) {
        self.network.send_replace(Network::Cut);
    }

    /// Stops all traffic without closing a connection.
    pub(crate) fn silence(&self) {
        self.network.send_replace(Network::Silent);
    }

    /// Falls silent when `messages` more client messages have reached the server, before the last one is answered.
    pub(crate) fn silence_after(&self, messages: usize) {
        self.network.send_replace(Network::SilentAfter(messages));
    }

    /// Waits until no byte passes any more.
    pub(crate) async fn silent(&self) {
        let _ = self.network.subscribe().wait_for(|now| *now == Network::Silent).await;
    }

    /// Accepts new connections again.
    pub(crate) fn mend(&self) {
        self.network.send_replace(Network::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Returns these options with another address.
pub(crate) fn through(address: SocketAddr, to: &PgConnectOptions) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(to.get_username())
        .database(to.get_database().unwrap())
        .ssl_mode(sqlx::postgres::PgSslMode::Disable)
}

/// A stream of bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens a connection to the server of these options, without any message.
pub(crate) async fn dial(to: &PgConnectOptions) -> std::io::Result<Box<dyn Stream>> {
    Ok(match to.get_socket() {
        Some(folder) => {
            Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", to.get_port()))).await?)
        }
        None => Box::new(TcpStream::connect((to.get_host(), to.get_port())).await?),
    })
}

async fn serve(listener: TcpListener, to: PgConnectOptions, network: watch::Sender<Network>) {
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

async fn serve_slowly(listener: TcpListener, to: PgConnectOptions, bytes_per_second: u32) {
    let line = Arc::new(Mutex::new(()));
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (to, line) = (to.clone(), Arc::clone(&line));
        connections.spawn(async move {
            let (mut from_server, mut to_server) = tokio::io::split(dial(&to).await.unwrap());
            let (mut from_client, mut to_client) = client.into_split();
            let up = tokio::io::copy(&mut from_client, &mut to_server);
            let down = async {
                let mut bytes = vec![0; 64 << 10];
                while let Ok(some @ 1..) = from_server.read(&mut bytes).await {
                    let busy = line.lock().await;
                    tokio::time::sleep(Duration::from_secs(some as u64) / bytes_per_second).await;
                    drop(busy);
                    if to_client.write_all(&bytes[..some]).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                _ = up => {}
                () = down => {}
            }
        });
    }
}

/// Passes all bytes on while the network works.
async fn pass(
    mut client: TcpStream,
    server: std::io::Result<Box<dyn Stream>>,
    network: watch::Sender<Network>,
) {
    let Ok(mut server) = server else { return };
    let mut news = network.subscribe();
    tokio::select! {
        biased;
        _ = news.wait_for(|now| *now != Network::Whole) => {}
        _ = copy_bidirectional(&mut client, &mut server) => return,
    }
    let counting = matches!(*network.borrow(), Network::SilentAfter(_));
    if counting && count_messages(&mut client, &mut server, &network).await.is_none() {
        return;
    }
    // A silent connection stays open, and no byte passes on it again.
    let _ = news.wait_for(|now| *now == Network::Cut).await;
}

/// Passes messages on up to the last one allowed; `None` if the connection ends before.
async fn count_messages(
    client: &mut TcpStream,
    server: &mut Box<dyn Stream>,
    network: &watch::Sender<Network>,
) -> Option<()> {
    let (mut up, mut down) = ([0; 64 << 10], [0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let read = read.ok().filter(|read| *read > 0)?;
                server.write_all(&up[..read]).await.ok()?;
                network.send_modify(|now| match now {
                    Network::SilentAfter(more @ 2..) => *more -= 1,
                    _ => *now = Network::Silent,
                });
                if *network.borrow() == Network::Silent {
                    return Some(());
                }
            }
            read = server.read(&mut down) => {
                let read = read.ok().filter(|read| *read > 0)?;
                client.write_all(&down[..read]).await.ok()?;
            }
        }
    }
}
