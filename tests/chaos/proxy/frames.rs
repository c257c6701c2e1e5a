//! The messages of PostgreSQL's protocol, one at a time: a letter, a length, and a body.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More than any message here.
const LONGEST: usize = 64 << 20;

/// One message. The first one of a connection has no letter.
pub(super) struct Frame {
    pub(super) tag: Option<u8>,
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// The first message of a client.
    pub(super) async fn first(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        Ok(Self { tag: None, body: body(from).await? })
    }

    pub(super) async fn next(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let tag = from.read_u8().await?;
        Ok(Self { tag: Some(tag), body: body(from).await? })
    }

    pub(super) async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        if let Some(tag) = self.tag {
            to.write_u8(tag).await?;
        }
        to.write_u32(self.body.len() as u32 + 4).await?;
        to.write_all(&self.body).await
    }

    /// The texts, each with a zero behind it, that the body begins with.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.body.split(|byte| *byte == 0).map(|text| std::str::from_utf8(text).unwrap_or_default())
    }
}

async fn body(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await? as usize;
    if !(4..LONGEST).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut body = vec![0; length - 4];
    from.read_exact(&mut body).await?;
    Ok(body)
}
