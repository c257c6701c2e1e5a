//! What the screen shows, and which row is selected.

use std::fmt;

use pgjobq::JobId;

use super::snapshot::Snapshot;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Panel {
    Queues,
    Running,
    Dead,
    Workers,
}

impl Panel {
    pub(super) const ALL: [Self; 4] = [Self::Queues, Self::Running, Self::Dead, Self::Workers];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queues => "Queues",
            Self::Running => "Running",
            Self::Dead => "Dead",
            Self::Workers => "Workers",
        }
    }
}

/// A change that a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Pause(String),
    Resume(String),
    Cancel(JobId),
    Requeue(JobId),
}

impl fmt::Display for Act {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause(queue) => write!(out, "pause the queue `{queue}`"),
            Self::Resume(queue) => write!(out, "resume the queue `{queue}`"),
            Self::Cancel(job) => write!(out, "cancel the job {job}"),
            Self::Requeue(job) => write!(out, "requeue the job {job}"),
        }
    }
}

/// The state of the screen.
pub(super) struct Model {
    pub(super) snapshot: Option<Snapshot>,
    pub(super) panel: Panel,
    /// The selected row of each panel.
    rows: [usize; 4],
    /// A change that waits for `y`.
    pub(super) asked: Option<Act>,
    /// What the last change has done.
    pub(super) said: Option<String>,
    /// The error of the last look.
    pub(super) trouble: Option<String>,
    pub(super) is_held: bool,
    pub(super) is_read_only: bool,
    pub(super) shows_help: bool,
}

impl Model {
    pub(super) fn new(is_read_only: bool) -> Self {
        Self {
            snapshot: None,
            panel: Panel::Queues,
            rows: [0; 4],
            asked: None,
            said: None,
            trouble: None,
            is_held: false,
            is_read_only,
            shows_help: false,
        }
    }

    /// Shows a new look. The selection stays within the rows.
    pub(super) fn show(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(snapshot);
        self.trouble = None;
        for panel in Panel::ALL {
            self.rows[panel as usize] = self.row(panel).min(self.count(panel).saturating_sub(1));
        }
    }

    /// The number of rows of a panel.
    pub(super) fn count(&self, panel: Panel) -> usize {
        self.snapshot.as_ref().map_or(0, |now| match panel {
            Panel::Queues => now.queues.len(),
            Panel::Running => now.running.len(),
            Panel::Dead => now.dead.len(),
            Panel::Workers => now.workers.len(),
        })
    }

    pub(super) fn row(&self, panel: Panel) -> usize {
        self.rows[panel as usize]
    }

    /// Selects another row of the panel, this many further down.
    pub(super) fn move_by(&mut self, rows: isize) {
        let last = self.count(self.panel).saturating_sub(1);
        let row = self.row(self.panel).saturating_add_signed(rows).min(last);
        self.rows[self.panel as usize] = row;
    }

    /// Selects the panel that is this many further on.
    pub(super) fn turn_by(&mut self, panels: usize) {
        self.panel = Panel::ALL[(self.panel as usize + panels) % Panel::ALL.len()];
    }
}
