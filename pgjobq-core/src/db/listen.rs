//! The one connection of a process that listens for notifications.
//!
//! A notification is a hint that there is something to do before the next poll; a lost one costs delay and nothing
//! else. The listener has an operating-system thread of its own, so that job functions which block every thread of
//! the application's runtime do not stop it. (A connection that listens and does not read delays the vacuuming of the
//! whole database.)

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgNotification};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::chain::chain;
use crate::db::ids::QueueId;
use crate::db::listen_connect::{ANSWER_TIMEOUT, Connected, connect};
use crate::db::shared::Shared;
use crate::jitter::jittered;
use crate::lock::lock;

/// The time after which a silent connection is checked. Otherwise a half-open one would stay unnoticed.
const PING_AFTER: Duration = Duration::from_secs(10);
const FIRST_RECONNECT_PAUSE: Duration = Duration::from_millis(100);
const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(5);

/// An entry among the queues of a wake-up that means: a job was scheduled. No queue has this id.
#[doc(hidden)]
pub const SCHEDULED: QueueId = QueueId(0);

/// A signal that the listener received.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub enum Signal {
    /// There may be work in these queues; [`SCHEDULED`] among them means that a job was scheduled.
    Wake(Arc<[QueueId]>),
    /// These jobs have ended.
    Ended(Arc<[Uuid]>),
    /// Jobs were requested to be cancelled.
    Cancel,
    /// There are edges to confirm.
    Edges,
    /// There are unique jobs that have met another one with their key.
    Unique,
    /// A queue was deleted, or its settings have changed.
    Queues,
    /// A pause has ended.
    Resumed,
    /// These jobs wait for permits; or, if there are none, permits may be free.
    Limited(Arc<[Uuid]>),
    /// There may be room in these queues.
    Room(Arc<[QueueId]>),
    /// Anything may have happened: the connection is new, or there was too much to list.
    Anything,
}

/// The one connection of a process that listens for notifications; it starts when the first subscriber comes.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    shared: Arc<Shared>,
    signals: broadcast::Sender<Signal>,
    thread: Arc<Mutex<Option<thread::JoinHandle<()>>>>,
}

impl Listener {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, signals: broadcast::Sender::new(1024), thread: Arc::default() }
    }

    /// Subscribes to all signals from now on. There are none if notifications are off.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Signal> {
        let signals = self.signals.subscribe();
        let mut thread = lock(&self.thread);
        if thread.is_none() && self.shared.limits.notifications {
            let (shared, sender) = (Arc::clone(&self.shared), self.signals.clone());
            let spawned = thread::Builder::new()
                .name("pgjobq-listen".into())
                .spawn(move || listen_on_thread(&shared, &sender));
            match spawned {
                Ok(handle) => *thread = Some(handle),
                Err(error) => tracing::warn!(%error, "no thread for the listener: polling only"),
            }
        }
        signals
    }

    /// Waits until the thread has ended, which happens when the client stops.
    pub(crate) async fn join(&self) {
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn listen_on_thread(shared: &Shared, signals: &broadcast::Sender<Signal>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = listen_until_stopped(shared, signals) => {}
            }
        }),
        Err(error) => tracing::warn!(%error, "no runtime for the listener: polling only"),
    }
}

async fn listen_until_stopped(shared: &Shared, signals: &broadcast::Sender<Signal>) {
    let (mut pause, mut first) = (FIRST_RECONNECT_PAUSE, true);
    loop {
        match timeout(ANSWER_TIMEOUT, connect(shared, first)).await {
            Ok(Ok(Connected::Listens(mut listener))) => {
                (pause, first) = (FIRST_RECONNECT_PAUSE, false);
                // LISTEN before the poll: in the other order, notifications in between would be lost.
                let _ = signals.send(Signal::Anything);
                let error = hear(&mut listener, signals).await;
                tracing::debug!(error, "the listener's connection broke; connecting again");
            }
            Ok(Ok(Connected::Pooler)) => {
                tracing::warn!(
                    "a pooler in transaction mode stands before the database, through which nobody can listen: polling only; \
                     give the client a `listen_url` that is direct, or say `.notifications(false)`"
                );
                return;
            }
            // Logged as a warning only once, because it may last.
            Ok(Err(error)) if pause == FIRST_RECONNECT_PAUSE => {
                tracing::warn!(error = chain(&error), "the listener cannot connect: polling until it can");
            }
            Ok(Err(error)) => tracing::debug!(error = chain(&error), "the listener still cannot connect"),
            Err(_) => tracing::debug!("the listener cannot connect in time"),
        }
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(MAX_RECONNECT_PAUSE);
    }
}

/// Passes on notifications until the connection breaks. Returns the reason.
async fn hear(listener: &mut PgListener, signals: &broadcast::Sender<Signal>) -> String {
    loop {
        match timeout(PING_AFTER, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                let _ = signals.send(parse(&notification));
            }
            Ok(Ok(None)) => return "closed by the server".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => match timeout(ANSWER_TIMEOUT, sqlx::query("select 1").execute(&mut *listener)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "silent".to_owned(),
            },
        }
    }
}

/// Reads a notification. Anybody may send one, so an unreadable one only means that something happened.
fn parse(notification: &PgNotification) -> Signal {
    fn list<T: std::str::FromStr>(text: &str) -> Option<Arc<[T]>> {
        text.split(',').map(|item| item.parse().ok()).collect()
    }
    let known = match notification.payload().split_once(' ') {
        Some(("wake", queues)) => list(queues).map(Signal::Wake),
        Some(("ended", jobs)) => list(jobs).map(Signal::Ended),
        Some(("cancel", _)) => Some(Signal::Cancel),
        Some(("edges", _)) => Some(Signal::Edges),
        Some(("unique", _)) => Some(Signal::Unique),
        Some(("queues", _)) => Some(Signal::Queues),
        Some(("resumed", _)) => Some(Signal::Resumed),
        Some(("limited", "some")) => Some(Signal::Limited(Arc::default())),
        Some(("limited", jobs)) => list(jobs).map(Signal::Limited),
        Some(("room", queues)) => list(queues).map(Signal::Room),
        _ => None,
    };
    known.unwrap_or(Signal::Anything)
}
