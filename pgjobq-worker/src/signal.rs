//! What usually tells a process to end.

use std::sync::LazyLock;

use tokio::sync::watch;

/// Changes with each signal after the first.
static ANOTHER: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// Returns when the process is told to end: by Ctrl-C, or, on Unix, by SIGTERM, as process managers send it. For
/// [`Worker::run_until`](crate::Worker::run_until). Another one hastens the end: the grace of each worker of this process that
/// is shutting down is over.
///
/// From the first call on, neither ends the process by itself any more. Should the signals not be listened to at all, it
/// waits for ever.
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

/// Returns a future that is ready when a signal comes after this call, and after the first: also if it comes before the future
/// is awaited.
pub(crate) fn another() -> impl Future<Output = ()> + Send + use<> {
    let mut signals = ANOTHER.subscribe();
    async move {
        if signals.changed().await.is_err() {
            std::future::pending().await // The sender is never dropped.
        }
    }
}

/// The signals that tell a process to end, heard from the moment on that this is made.
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
