//! The settings of a server.

use std::ffi::OsString;
use std::fmt::Write as _;

use super::endpoint::Endpoint;

/// The options of a private server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    settings: Vec<(String, String)>,
    pub(super) variables: Vec<(String, OsString)>,
    pub(super) tcp: bool,
}

impl ServerOptions {
    /// Fast and forgetful: a server that is killed with the machine loses its data.
    #[must_use]
    pub fn fast() -> Self {
        let fast = [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
        fast.into_iter().fold(Self::durable(), |options, (name, value)| options.set(name, value))
    }

    /// As in production: what was committed survives.
    #[must_use]
    pub fn durable() -> Self {
        Self { settings: Vec::new(), variables: Vec::new(), tcp: false }
            .set("shared_buffers", "32MB")
            .set("max_connections", "200")
    }

    /// One setting, in place of an earlier one of that name.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.settings.retain(|(known, _)| *known != name);
        self.settings.push((name, value.into()));
        self
    }

    /// An environment variable of the server.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Listen on a free port of 127.0.0.1 in place of a socket. Every user of this machine can connect.
    #[must_use]
    pub fn over_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// The whole of `postgresql.conf`.
    pub(super) fn file(&self, endpoint: &Endpoint) -> String {
        let placed = match endpoint {
            Endpoint::Socket(folder) => {
                // A list, in which a comma would part two folders.
                let folder = format!("\"{}\"", folder.to_string_lossy().replace('"', "\"\""));
                self.clone()
                    .set("listen_addresses", "")
                    .set("unix_socket_directories", folder)
                    .set("port", "5432")
            }
            Endpoint::Tcp(port) => {
                let here = self.clone().set("listen_addresses", "127.0.0.1").set("port", port.to_string());
                if cfg!(unix) { here.set("unix_socket_directories", "") } else { here }
            }
        };
        let mut file = String::from("# Written by pgjobq at every start.\n");
        for (name, value) in &placed.settings {
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            // Writing to a string cannot fail.
            let _ = writeln!(file, "{name} = '{value}'");
        }
        file
    }
}
