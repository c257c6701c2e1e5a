//! A network on which all messages pass except notifications.

use pgjobq::sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::proxy::{dial, through};

/// A network without notifications; dropping it closes the network.
pub(crate) struct Deaf {
    pub(crate) options: PgConnectOptions,
    serving: AbortHandle,
}

impl Deaf {
    pub(crate) async fn to(options: &PgConnectOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, options.clone())).abort_handle();
        Self { options: through(address, options), serving }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, to: PgConnectOptions) {
    let mut clients = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let to = to.clone();
        clients.spawn(async move {
            let _ = pass(client, &to).await; // It ends when either side disconnects.
        });
    }
}

/// Passes all bytes to the server, and all messages but notifications to the client.
async fn pass(client: TcpStream, to: &PgConnectOptions) -> std::io::Result<()> {
    let (mut from_server, mut to_server) = tokio::io::split(dial(to).await?);
    let (mut from_client, mut to_client) = client.into_split();
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = async {
        loop {
            let kind = from_server.read_u8().await?;
            let length = from_server.read_u32().await?;
            let mut body = vec![0; length as usize - 4];
            from_server.read_exact(&mut body).await?;
            if kind != b'A' {
                let head = [&[kind][..], &length.to_be_bytes(), &body].concat();
                to_client.write_all(&head).await?;
            }
        }
    };
    tokio::select! {
        ended = up => ended.map(drop),
        ended = down => ended,
    }
}
