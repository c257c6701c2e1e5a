//! The signals by which a process is usually asked to end.

use std::sync::LazyLock;

use tokio::sync::watch;

/// Changes with each signal after the first.
static ANOTHER: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// Waits for a signal to end: Ctrl-C or, on Unix, SIGTERM, which process managers send. For
/// [`Worker::run_until`](crate::Worker::run_until). Another signal hastens the end: it ends the grace of each worker of this process
/// that is shutting down.
///
/// From the first call on, these signals no longer end the process by themselves. If the process cannot listen for signals, this
/// never returns.
pub async fn shutdown_signal() {
    let mut signals = Signals::listen();
    signals.next().await;
    tokio::spawn(async move {
        loop {
            signals.next().await;
            ANOTHER.send_replace(());
        }
    });
}

/// Returns a future that waits for a signal after the first one. A signal that comes after this call, but before the future is
/// awaited, is not lost.
pub(crate) fn another() -> impl Future<Output = ()> + Send + use<> {
    let mut signals = ANOTHER.subscribe();
    async move {
        if signals.changed().await.is_err() {
            std::future::pending().await // The sender is never dropped.
        }
    }
}

/// The signals by which a process is asked to end, from the moment on when this is made.
struct Signals {
    #[cfg(unix)]
    terminated: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self { terminated: signal(SignalKind::terminate()).ok() }
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self {}
    }

    async fn next(&mut self) {
        let interrupted = async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = interrupted => {}
            () = self.terminated() => {}
        }
    }

    #[cfg(unix)]
    async fn terminated(&mut self) {
        match &mut self.terminated {
            Some(signals) => drop(signals.recv().await),
            None => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    async fn terminated(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn signal_is_kept_until_it_is_awaited() {
        let another = another();
        ANOTHER.send_replace(());
        assert_eq!(another.now_or_never(), Some(()));
        assert_eq!(super::another().now_or_never(), None, "it came before");
    }
}
