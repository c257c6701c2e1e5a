//! What usually tells a process to end.

/// Returns when the process is told to end: by Ctrl-C, or, on Unix, by SIGTERM, as process managers send it. For
/// [`Worker::run_until`](crate::Worker::run_until).
///
/// From the first call on, neither ends the process by itself any more. Should the signals not be listened to at all, it
/// waits for ever.
pub async fn shutdown_signal() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
