//! The endpoint of a server, and the names by which a client reaches it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The name PostgreSQL gives its socket on the default port.
const SOCKET: &str = ".s.PGSQL.5432";
/// The longest path of a socket: 107 bytes on Linux, 103 on macOS.
const LONGEST: usize = 103;

/// The endpoint of a server: a folder that only its user can enter, or a port of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The folder of its socket.
    Socket(PathBuf),
    /// A port on 127.0.0.1. Every user of this machine can connect.
    Tcp(u16),
}

impl Endpoint {
    /// Returns a port on which no program listens now.
    pub(super) fn free_port() -> std::io::Result<Self> {
        let probe = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        Ok(Self::Tcp(probe.local_addr()?.port()))
    }

    /// Deletes the folder of the socket, if nothing else is in it.
    pub(super) fn clear(&self) {
        if let Self::Socket(folder) = self {
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// Returns the form that sqlx and libpq understand.
    pub(super) fn url(&self, database: &str) -> String {
        let database = percent_encode(database, "");
        match self {
            Self::Socket(folder) => {
                let folder = percent_encode(&folder.to_string_lossy(), "/");
                format!("postgres://postgres@localhost:5432/{database}?host={folder}")
            }
            Self::Tcp(port) => format!("postgres://postgres@127.0.0.1:{port}/{database}"),
        }
    }
}

/// The socket in that folder.
pub(super) fn socket_in(folder: &Path) -> PathBuf {
    folder.join(SOCKET)
}

/// Returns whether the operating system can name a socket in that folder.
pub(super) fn fits_socket(folder: &Path) -> bool {
    socket_in(folder).as_os_str().len() <= LONGEST
}

fn percent_encode(text: &str, kept: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-_.~".contains(c) || kept.contains(c) {
            encoded.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
