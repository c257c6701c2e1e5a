//! A pooler in transaction mode, as small as can be: it lends a client a connection of the server's for one transaction,
//! and then lends it to somebody else. It knows nothing of prepared statements, and loses notifications.

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

/// Which of the idle connections is lent next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lends {
    /// The one that was given back last.
    Last,
    /// The one that has been idle for longest.
    Longest,
    /// Any.
    Any,
}

/// A pooler in transaction mode. It lasts as long as this.
pub(crate) struct Multiplexer {
    pub(crate) options: PgConnectOptions,
    serving: AbortHandle,
}

impl Multiplexer {
    /// One to the database of these options, with at most so many connections to it at rest.
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

/// The connections to the server that no client has.
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
            let _ = serve_client(client, &to, &servers).await; // It ends when either side has gone.
        });
    }
}

async fn serve_client(mut client: TcpStream, to: &PgConnectOptions, servers: &Servers) -> io::Result<()> {
    let mut server = dial(to).await?;
    let ready = introduce(&mut client, &mut server).await;
    servers.give_back(server); // Each client brings one along, which need not be the one that serves it.
    ready?;
    while let Some(first) = said(&mut client).await? {
        let mut server = servers.lend().await;
        transact(first, &mut client, &mut server).await?;
        servers.give_back(server);
    }
    Ok(())
}

/// Lets a client and a server come to terms, until the server is ready for a query.
async fn introduce(client: &mut TcpStream, server: &mut Box<dyn Stream>) -> io::Result<()> {
    let startup = packet(client, Vec::new()).await?;
    server.write_all(&startup).await?;
    loop {
        let message = message(server).await?;
        client.write_all(&message).await?;
        match message[0] {
            b'Z' => return Ok(()),
            b'E' => return Err(ErrorKind::ConnectionRefused.into()),
            // All but "it is you" and the end of SASL wait for an answer.
            b'R' if !matches!(message[8], 0 | 12) => {
                let answer = self::message(client).await?;
                server.write_all(&answer).await?;
            }
            _ => {}
        }
    }
}

/// Passes on what client and server say until a transaction is over.
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

/// Passes on an answer, and gives how the transaction stands.
async fn answer(client: &mut TcpStream, server: &mut Box<dyn Stream>) -> io::Result<u8> {
    loop {
        let message = message(server).await?;
        if message[0] != b'A' {
            client.write_all(&message).await?; // A notification is for nobody in particular.
        }
        if message[0] == b'Z' {
            return Ok(message[5]);
        }
    }
}

/// What a client says next; nothing when it takes its leave.
async fn said(client: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let message = message(client).await?;
    Ok((message[0] != b'X').then_some(message))
}

/// A message: its type, its length, its body.
async fn message(from: &mut (impl Stream + ?Sized)) -> io::Result<Vec<u8>> {
    let kind = from.read_u8().await?;
    packet(from, vec![kind]).await
}

/// A length, which counts itself, and a body.
async fn packet(from: &mut (impl Stream + ?Sized), mut begun: Vec<u8>) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    begun.extend(length.to_be_bytes());
    let at = begun.len();
    begun.resize(at + length as usize - 4, 0);
    from.read_exact(&mut begun[at..]).await?;
    Ok(begun)
}
