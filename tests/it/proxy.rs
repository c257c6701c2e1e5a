//! A network between a client and the database, for tests to break.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{Mutex, watch};
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
    /// As many more messages of clients pass, with their answers, and then it is silent. The last one is not answered.
    SilentAfter(usize),
}

impl Proxy {
    /// A whole network to the database of these options.
    pub(crate) async fn to(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let network = watch::Sender::new(Network::Whole);
        let serving = tokio::spawn(serve(listener, options.clone(), network.clone())).abort_handle();
        Self { address, to: options.clone(), network, serving }
    }

    /// A network that carries so many bytes a second to the client, over all connections.
    pub(crate) async fn slow_to(options: &PgConnectOptions, bytes_per_second: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve_slowly(listener, options.clone(), bytes_per_second)).abort_handle();
        Self { address, to: options.clone(), network: watch::Sender::new(Network::Whole), serving }
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

    /// Falls silent when so many more messages of clients have reached the server, before the last one is answered.
    pub(crate) fn silence_after(&self, messages: usize) {
        self.network.send_replace(Network::SilentAfter(messages));
    }

    /// Returns when nothing passes any more.
    pub(crate) async fn silent(&self) {
        let _ = self.network.subscribe().wait_for(|now| *now == Network::Silent).await;
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

/// Passes everything on for as long as the network is whole.
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
    // A silent connection stays, and is never heard of again.
    let _ = news.wait_for(|now| *now == Network::Cut).await;
}

/// Passes messages on until the last one that is to pass; `None` when the connection has ended before.
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
