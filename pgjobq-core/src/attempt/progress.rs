//! The progress that a running job reports.

use std::time::Duration;

use tokio::time::sleep;

use crate::DatabaseError;
use crate::attempt::held::Held;
use crate::db::text::to_ascii;
use crate::pump::{Pump, Running, Work};

/// The least time between two writes of one attempt's progress.
const WRITE_INTERVAL: Duration = Duration::from_millis(250);
/// The timeout of one write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest message that is stored, in characters; longer ones are cut.
const MAX_MESSAGE_CHARS: usize = 500;

/// The last progress that an attempt reported and that is not written yet. A newer report replaces an older one.
#[derive(Clone, Debug, Default)]
#[doc(hidden)]
pub struct Progress(Pump<Reported>);

#[derive(Debug, Default)]
struct Reported(Option<(u8, String)>);

impl Work for Reported {}

impl Progress {
    pub(crate) fn report(&self, held: &Held, percent: u8, message: String) {
        let message = message.replace('\0', "\u{FFFD}").chars().take(MAX_MESSAGE_CHARS).collect();
        let report = |reported: &mut Reported| reported.0 = Some((percent.min(100), message));
        let to = held.clone();
        self.0.add(&held.client.shared().tasks, report, |running| write_all(to, running));
    }
}

/// Writes until nothing new was reported.
async fn write_all(held: Held, mut running: Running<Reported>) {
    while let Some((percent, message)) = running.next(|reported| reported.0.take()) {
        let mut written = write(&held, percent, &message).await;
        if written.as_ref().is_err_and(DatabaseError::is_untranslatable)
            && let Some(ascii) = to_ascii(&message)
        {
            written = write(&held, percent, &ascii).await;
        }
        if let Err(error) = written {
            tracing::debug!(%error, "progress was not written");
        }
        tokio::select! {
            () = held.client.shared().stop.cancelled() => {}
            () = sleep(WRITE_INTERVAL) => {}
        }
    }
}

async fn write(held: &Held, percent: u8, message: &str) -> Result<(), DatabaseError> {
    let shared = held.client.shared();
    let reported = held.hold.bind(sqlx::query(shared.sql.say_progress.clone()));
    let written = reported.bind(i16::from(percent)).bind(message);
    shared.rows_within(WRITE_TIMEOUT, written).await.map(drop)
}
