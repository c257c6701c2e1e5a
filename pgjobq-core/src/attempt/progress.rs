//! What a running job says of how far it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::DatabaseError;
use crate::attempt::held::Held;
use crate::db::text::to_ascii;

/// How often an attempt's word is written at most.
const SPACING: Duration = Duration::from_millis(250);
const WRITE_WITHIN: Duration = Duration::from_secs(5);
/// How much of a message is kept, in characters.
const MESSAGE_CHARS: usize = 500;

/// The last word of an attempt. While one is being written, the next ones replace each other.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct Progress(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    last: Option<(u8, String)>,
    writing: bool,
}

impl Progress {
    pub(crate) fn say(&self, held: &Held, percent: u8, message: String) {
        let message = message.replace('\0', "\u{FFFD}").chars().take(MESSAGE_CHARS).collect();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.last = Some((percent.min(100), message));
        if !std::mem::replace(&mut said.writing, true) {
            let (progress, held) = (self.clone(), held.clone());
            let tasks = held.client.shared().tasks.clone();
            tasks.spawn(async move { progress.write(&held).await });
        }
    }

    /// Writes until nothing more was said.
    async fn write(&self, held: &Held) {
        while let Some((percent, message)) = self.take() {
            let mut written = write(held, percent, &message).await;
            if written.as_ref().is_err_and(DatabaseError::is_untranslatable)
                && let Some(ascii) = to_ascii(&message)
            {
                written = write(held, percent, &ascii).await;
            }
            if let Err(error) = written {
                tracing::debug!(%error, "progress was not written");
            }
            tokio::select! {
                () = held.client.shared().stop.cancelled() => {}
                () = sleep(SPACING) => {}
            }
        }
    }

    fn take(&self) -> Option<(u8, String)> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.writing = said.last.is_some();
        said.last.take()
    }
}

async fn write(held: &Held, percent: u8, message: &str) -> Result<(), DatabaseError> {
    let shared = held.client.shared();
    let said = held.hold.bind(sqlx::query(shared.sql.say_progress.clone()));
    let written = said.bind(i16::from(percent)).bind(message);
    shared.rows_within(WRITE_WITHIN, written).await.map(drop)
}
