//! A job among others.

use pgjobq::ListedJob;
use serde::Serialize;

use super::badge::Badge;
use crate::show::link::link;
use crate::show::moment::Moment;

/// The largest number of characters of a text in the list.
const MOST_CHARACTERS: usize = 160;

/// A job among others.
#[derive(Serialize)]
pub(crate) struct JobRow {
    pub(crate) id: String,
    pub(crate) state: Badge,
    pub(crate) kind: String,
    pub(crate) queue: Option<String>,
    pub(crate) priority: &'static str,
    pub(crate) key: Option<String>,
    pub(crate) attributes: String,
    pub(crate) attempts: u32,
    pub(crate) failures: u32,
    pub(crate) crashes: u32,
    pub(crate) created_at: Moment,
    pub(crate) run_at: Option<Moment>,
    pub(crate) finished_at: Option<Moment>,
    pub(crate) error: Option<String>,
    pub(crate) cancelled_for: Option<String>,
}

impl JobRow {
    pub(crate) fn new(job: ListedJob) -> Self {
        let attributes = match job.attributes.is_empty() {
            true => String::new(),
            false => serde_json::to_string(&job.attributes).unwrap_or_default(),
        };
        Self {
            id: job.id.to_string(),
            state: Badge::of(job.state),
            kind: job.kind,
            queue: job.queue,
            priority: job.priority.as_str(),
            key: job.key,
            attributes: shortened(&attributes),
            attempts: job.attempts,
            failures: job.failures,
            crashes: job.crashes,
            created_at: Moment(job.created_at),
            run_at: job.run_at.map(Moment),
            finished_at: job.finished_at.map(Moment),
            error: job.error.as_deref().map(first_line),
            cancelled_for: job.cancelled_for.as_deref().map(first_line),
        }
    }

    /// The reason of its cancellation, or else its last error.
    pub(crate) fn cause(&self) -> Option<&String> {
        self.cancelled_for.as_ref().or(self.error.as_ref())
    }

    pub(crate) fn link(&self) -> String {
        link("job", &[("id", &self.id)])
    }

    /// The end of the id, in which jobs that were enqueued together differ.
    pub(crate) fn short(&self) -> &str {
        self.id.rsplit('-').next().unwrap_or(&self.id)
    }
}

fn first_line(text: &str) -> String {
    shortened(text.lines().next().unwrap_or_default())
}

pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
