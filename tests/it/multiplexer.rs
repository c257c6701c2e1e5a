//! A minimal pooler in transaction mode: it lends a client a server connection for one transaction,
//! and then lends it to another client. It does not track prepared statements, and loses notifications.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use crate::proxy::{Stream, dial, through};

/// The order in which idle connections are lent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lends {
    /// The connection that was returned last.
    Last,
    /// The connection that has been idle for longest.
    Longest,
    /// A random connection.
    Any,
}

/// A running pooler in transaction mode; dropping it stops the pooler.
pub(crate) struct Multiplexer {
    pub(crate) options: PgConnectOptions,
    serving: AbortHandle,
}

impl Multiplexer {
    /// Starts a pooler for the database of these options, with at most `most` idle connections to it.
    pub(crate) async fn to(options: &PgConnectOptions, lends: Lends, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let servers = Arc::new(Servers { idle: Mutex::default(), free: Semaphore::new(0), lends, most });
        let serving = tokio::spawn(serve(listener, options.clone(), servers)).abort_handle();
        Self { options: through(address, options), serving }
    }
}

impl Drop for Multiplexer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The idle connections to the server.
struct Servers {
    idle: Mutex<VecDeque<Box<dyn Stream>>>,
    free: Semaphore,
    lends: Lends,
    most: usize,
}

impl Servers {
    async fn lend(&self) -> Box<dyn Stream> {
        self.free.acquire().await.unwrap().forget();
        let mut idle = self.idle.lock().unwrap();
        let place = match self.lends {
            Lends::Last => idle.len() - 1,
            Lends::Longest => 0,
            Lends::Any => fastrand::usize(..idle.len()),
        };
        idle.remove(place).unwrap()
    }

    fn give_back(&self, server: Box<dyn Stream>) {
        let mut idle = self.idle.lock().unwrap();
        if idle.len() < self.most {
            idle.push_back(server);
            self.free.add_permits(1);
        }
    }
}

async fn serve(listener: TcpListener, to: PgConnectOptions, servers: Arc<Servers>) {
    let mut clients = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        client.set_nodelay(true).unwrap();
        let (to, servers) = (to.clone(), Arc::clone(&servers));
        clients.spawn(async move {
            let _ = serve_client(client, &to, &servers).await; // It ends when either side disconnects.
        });
    }
}

async fn serve_client(mut client: TcpStream, to: &PgConnectOptions, servers: &Servers) -> io::Result<()> {
    let mut server = dial(to).await?;
    let ready = introduce(&mut client, &mut server).await;
    servers.give_back(server); // Each client opens one server connection, but another one may serve it.
    ready?;
    while let Some(first) = said(&mut client).await? {
        let mut server = servers.lend().await;
        transact(first, &mut client, &mut server).await?;
        servers.give_back(server);
    }
    Ok(())
}

/// Passes on the start-up messages of client and server, until the server is ready for a query.
async fn introduce(client: &mut TcpStream, server: &mut Box<dyn Stream>) -> io::Result<()> {
    let startup = packet(client, Vec::new()).await?;
    server.write_all(&startup).await?;
    loop {
        let message = message(server).await?;
        client.write_all(&message).await?;
        match message[0] {
            b'Z' => return Ok(()),
            b'E' => return Err(ErrorKind::ConnectionRefused.into()),
            // All but `AuthenticationOk` and the end of SASL wait for an answer.
            b'R' if !matches!(message[8], 0 | 12) => {
                let answer = self::message(client).await?;
                server.write_all(&answer).await?;
            }
            _ => {}
        }
    }
}

/// Passes on the messages of client and server until the transaction ends.
async fn transact(first: Vec<u8>, client: &mut TcpStream, server: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut asked = first;
    loop {
        server.write_all(&asked).await?;
        if matches!(asked[0], b'Q' | b'S') && answer(client, server).await? == b'I' {
            return Ok(());
        }
        asked = said(client).await?.ok_or(ErrorKind::UnexpectedEof)?;
    }
}

/// Passes on an answer, and returns the transaction status.
async fn answer(client: &mut TcpStream, server: &mut Box<dyn Stream>) -> io::Result<u8> {
    loop {
        let message = message(server).await?;
        if message[0] != b'A' {
            client.write_all(&message).await?; // A notification has no addressee, so it is dropped.
        }
        if message[0] == b'Z' {
            return Ok(message[5]);
        }
    }
}

/// Reads a client's next message; `None` when it disconnects.
async fn said(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let message = message(client).await?;
    Ok((message[0] != b'X').then_some(message))
}

/// Reads a message: its type, its length, its body.
async fn message(from: &mut (impl Stream + ?Sized)) -> io::Result<Vec<u8>> {
    let kind = from.read_u8().await?;
    packet(from, vec![kind]).await
}

/// Reads a length, which includes its own four bytes, and a body.
async fn packet(from: &mut (impl Stream + ?Sized), mut begun: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    begun.extend(length.to_be_bytes());
    let at = begun.len();
    begun.resize(at + length as usize - 4, 0);
    from.read_exact(&mut begun[at..]).await?;
    Ok(begun)
}
