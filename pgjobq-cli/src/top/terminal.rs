//! The terminal: its screen, its keys, and its state before, which comes back whatever happens.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

/// The time after which the reader of keys looks if it should stop.
const STOP_CHECK: Duration = Duration::from_millis(50);
/// The number of keys that wait at most: whoever leans on a key fills it.
const WAITING_KEYS: usize = 64;

/// The screen. Dropping it restores the terminal; so does a panic.
pub(super) struct Screen(DefaultTerminal);

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.0.draw(draw).map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The keys, read on a thread of their own, because reading them blocks.
pub(super) struct Input {
    events: Receiver<Event>,
    stop: Arc<AtomicBool>,
    reading: JoinHandle<()>,
}

impl Input {
    pub(super) fn open() -> Self {
        let (send, events) = channel(WAITING_KEYS);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let reading = tokio::task::spawn_blocking(move || {
            while !stopped.load(Ordering::Relaxed) {
                match event::poll(STOP_CHECK) {
                    Ok(false) => {}
                    Ok(true) => match event::read() {
                        Ok(event) => drop(send.try_send(event)),
                        Err(_) => return,
                    },
                    Err(_) => return, // The terminal is gone.
                }
            }
        });
        Self { events, stop, reading }
    }

    /// Returns the next key; `None` if the terminal is gone.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    pub(super) async fn close(self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.reading.await;
    }
}

/// Returns when the process is asked to end.
#[cfg(unix)]
pub(super) async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = hang_up.recv() => {}
    }
}

/// Returns when the process is asked to end.
#[cfg(not(unix))]
pub(super) async fn terminated() {
    let _ = tokio::signal::ctrl_c().await;
}
