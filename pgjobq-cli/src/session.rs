//! A connected command: its client, and where it prints.

use std::time::Duration;

use pgjobq::Client;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::Output;

/// The timeout of closing the connections.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connected command.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) schema: String,
    pub(crate) out: Output,
}

impl Session {
    /// Connects, with at most this many connections.
    pub(crate) async fn open(connection: &Connection, most: u32, out: Output) -> Result<Self, Failure> {
        Ok(Self { client: connection.client(most).await?, schema: connection.schema.clone(), out })
    }

    /// Closes the connections, so that the server logs no broken one. A statement that was given up may hold one of them for longer,
    /// on a silent network for ever: the end of the process closes it.
    pub(crate) async fn close(self) {
        let closed = async {
            self.client.close().await;
            self.client.pool().close().await;
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
    }
}
