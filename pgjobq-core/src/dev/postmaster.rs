//! The content of `postmaster.pid`, the file about the server of a data directory, and whether it is still true.

use std::fs;
use std::path::Path;

use super::endpoint::Endpoint;
use super::platform;

/// The server of a data directory, as it described itself.
#[derive(Clone, Debug)]
pub(super) struct Postmaster {
    pub(super) endpoint: Endpoint,
    /// Returns whether it accepts connections, and is neither starting nor stopping.
    pub(super) ready: bool,
}

impl Postmaster {
    /// The server that listens right now, if any: a killed one leaves its file behind.
    pub(super) fn of(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        Self::parse(&text).filter(|server| platform::listens(&server.endpoint))
    }

    /// Lines: pid, data directory, start time, port, socket folder, address, shared memory, status.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let &[_, _, _, port, sockets, address, ref rest @ ..] = lines.as_slice() else { return None };
        let endpoint = if address.is_empty() {
            Endpoint::Socket(sockets.into())
        } else {
            Endpoint::Tcp(port.parse().ok()?)
        };
        Some(Self { endpoint, ready: rest.get(1) == Some(&"ready") })
    }
}

/// Removes the file of a dead server whose process number went to another program. After a restart of the machine,
/// PostgreSQL would mistake that program for its own server and refuse to start.
pub(super) fn forget_reused_pid(data: &Path) {
    let file = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else { return };
    let Some(pid) = text.lines().next() else { return };
    let name = fs::read_to_string(format!("/proc/{}/comm", pid.trim()));
    if name.is_ok_and(|name| name.trim() != "postgres") {
        // If this fails, PostgreSQL reports the reason.
        let _ = fs::remove_file(file);
    }
}
