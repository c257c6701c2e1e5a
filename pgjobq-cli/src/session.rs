//! A connected command: its client, and where it prints.

use pgjobq::Client;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::Output;

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

    /// Closes the connections, so that the server logs no broken one.
    pub(crate) async fn close(self) {
        self.client.close().await;
        self.client.pool().close().await;
    }
}
