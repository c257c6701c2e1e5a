//! What a program can read of the arguments of waiting jobs.

use std::fmt;

use crate::JobId;

/// The kinds of the jobs that have not ended, and how many of their arguments this program can read: from
/// [`check_waiting`](crate::check_waiting). `Display` prints a line for each kind and version, and the first unreadable jobs.
///
/// ```text
/// thumbnail, version 1: 1204 readable
/// thumbnail, version 2: 11 readable, 2 NOT readable
///     0197d2a0-1f4e-7000-8000-000000000001: the arguments do not fit the job function: missing field `size` at line 1 column 14
/// send_mail, version 3: 7 of a newer version, which newer workers take
/// resize, version 1: 3 of a kind that this program does not know
/// schedule `nightly` of `thumbnail`, version 1: NOT readable: the arguments of version 1 do not fit `ThumbnailV1`: …
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingReport {
    /// One element for each kind and version that has such jobs, in the order of their names.
    pub kinds: Vec<CheckedKind>,
    /// The schedules, set by name, whose jobs this program would not run, in the order of their names.
    pub schedules: Vec<CheckedSchedule>,
}

/// The jobs of one kind that were stored in one version of its arguments: from [`WaitingReport`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckedKind {
    /// The kind, or the alias, under which the jobs are stored.
    pub kind: String,
    /// The version of their arguments. 0: somebody has written something else into the row, which no worker takes.
    pub version: u16,
    /// Whether this program reads this version of this kind.
    pub readability: Readability,
    /// The number of jobs whose arguments this program can read.
    pub readable: u64,
    /// The number of jobs whose arguments it cannot read. They would die.
    pub unreadable: u64,
    /// The number of steps that cannot be read yet, because they wait for the outputs of other steps.
    pub incomplete: u64,
    /// The number of jobs that were not checked, because their arguments are longer than 8 MiB, as PostgreSQL prints them. Workers read
    /// them.
    pub unchecked: u64,
    /// The number of jobs that this program would leave to others, because of their kind or version.
    pub left: u64,
    /// The first five that are unreadable.
    pub examples: Vec<UnreadableJob>,
}

/// Whether a program reads a version of a kind: from [`CheckedKind::readability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readability {
    /// It reads this version.
    Readable,
    /// The version is newer than this program: newer workers take such jobs.
    NewerVersion,
    /// The version is older than the oldest one in `upcast_from`: no worker takes such jobs once the older workers are gone.
    OlderVersion,
    /// This program has no job function of this kind. If others have, such jobs are theirs.
    UnknownKind,
}

/// A schedule whose jobs this program would not run: from [`WaitingReport::schedules`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedSchedule {
    /// The name of the schedule.
    pub name: String,
    /// The kind of its jobs.
    pub kind: String,
    /// The version of their arguments.
    pub version: u16,
    /// Whether this program reads this version of this kind.
    pub readability: Readability,
    /// The reason why it cannot read the arguments, if it reads the version.
    pub reason: Option<String>,
}

/// A job whose arguments cannot be read: from [`CheckedKind::examples`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnreadableJob {
    /// The job.
    pub id: JobId,
    /// The reason, as its worker would record it.
    pub reason: String,
}

/// Some waiting jobs would not survive this program: from [`WaitingReport::into_result`]. It prints the report.
#[derive(Clone, thiserror::Error)]
#[error("{} would die or be left behind in this version:\n{report}", report.lost())]
#[non_exhaustive]
pub struct UnreadableArgs {
    /// The report.
    pub report: WaitingReport,
}

crate::debug_as_message!(UnreadableArgs);

impl WaitingReport {
    /// Returns the report, or an error if jobs would die, or are of a version that this program no longer reads.
    ///
    /// Jobs of newer versions and unknown kinds are no error, because other workers take them: look at
    /// [`kinds`](Self::kinds) if your program is the only one.
    ///
    /// # Errors
    ///
    /// [`UnreadableArgs`], which has the report.
    pub fn into_result(self) -> Result<Self, UnreadableArgs> {
        let lost = self.lost();
        if lost.jobs + lost.schedules == 0 { Ok(self) } else { Err(UnreadableArgs { report: self }) }
    }

    /// Counts the jobs that would die, or that no worker of this program takes although it knows their kind; and the schedules of which
    /// each job would.
    fn lost(&self) -> Lost {
        let jobs = self.kinds.iter().map(|kind| match kind.readability {
            Readability::OlderVersion => kind.left,
            Readability::Readable => kind.unreadable,
            Readability::NewerVersion | Readability::UnknownKind => 0,
        });
        let is_lost = |schedule: &&CheckedSchedule| match schedule.readability {
            Readability::OlderVersion | Readability::Readable => true,
            Readability::NewerVersion | Readability::UnknownKind => false,
        };
        Lost { jobs: jobs.sum(), schedules: self.schedules.iter().filter(is_lost).count() as u64 }
    }
}

/// The jobs and schedules that a program would lose.
struct Lost {
    jobs: u64,
    schedules: u64,
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: u64, what: &str| match count {
            0 => None,
            1 => Some(format!("one {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let parts = [counted(self.jobs, "waiting job"), counted(self.schedules, "schedule")];
        out.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }
}

impl CheckedKind {
    pub(super) fn new(kind: String, version: u16, readability: Readability) -> Self {
        Self {
            kind,
            version,
            readability,
            readable: 0,
            unreadable: 0,
            incomplete: 0,
            unchecked: 0,
            left: 0,
            examples: Vec::new(),
        }
    }
}

impl fmt::Display for WaitingReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.iter().map(ToString::to_string);
        let lines: Vec<_> = kinds.chain(self.schedules.iter().map(ToString::to_string)).collect();
        out.write_str(if lines.is_empty() { "no job waits" } else { "" })?;
        out.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for CheckedKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, version, readable, unreadable, incomplete, unchecked, left, .. } = self;
        write!(out, "{kind}, version {version}: ")?;
        match why_left(self.readability, *version) {
            Some(why) => write!(out, "{left} {why}")?,
            None => {
                write!(out, "{readable} readable")?;
                let rest = [
                    (incomplete, "that wait for outputs of other steps"),
                    (unchecked, "not checked, because they are longer than 8 MiB"),
                    (unreadable, "NOT readable"),
                ];
                for (count, what) in rest.into_iter().filter(|(count, _)| **count > 0) {
                    write!(out, ", {count} {what}")?;
                }
            }
        }
        for UnreadableJob { id, reason } in &self.examples {
            write!(out, "\n    {id}: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CheckedSchedule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, version, readability, reason } = self;
        write!(out, "schedule `{name}` of `{kind}`, version {version}: ")?;
        match (why_left(*readability, *version), reason) {
            (Some(why), _) => out.write_str(why),
            (None, Some(reason)) => write!(out, "NOT readable: {reason}"),
            (None, None) => out.write_str("readable"),
        }
    }
}

/// The words for arguments that a program leaves to others; `None` if it reads them.
fn why_left(readability: Readability, version: u16) -> Option<&'static str> {
    match readability {
        Readability::Readable => None,
        Readability::UnknownKind => Some("of a kind that this program does not know"),
        Readability::NewerVersion => Some("of a newer version, which newer workers take"),
        Readability::OlderVersion if version == 0 => {
            Some("NOT readable: somebody has written a `version` into the row that is none")
        }
        Readability::OlderVersion => Some("NOT readable: their version is no longer in `upcast_from`"),
    }
}
