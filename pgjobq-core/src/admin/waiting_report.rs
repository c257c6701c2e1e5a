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
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingReport {
    /// One element for each kind and version that has such jobs, in the order of their names.
    pub kinds: Vec<CheckedKind>,
}

/// The jobs of one kind that were stored in one version of its arguments: from [`WaitingReport`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckedKind {
    /// The kind, or the alias, under which the jobs are stored.
    pub kind: String,
    /// The version of their arguments. 0: somebody has written another text than a number into the row.
    pub version: u16,
    /// Whether this program reads this version of this kind.
    pub readability: Readability,
    /// The number of jobs whose arguments this program can read.
    pub readable: u64,
    /// The number of jobs whose arguments it cannot read. They would die.
    pub unreadable: u64,
    /// The number of steps that cannot be read yet, because they wait for the outputs of other steps.
    pub incomplete: u64,
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
#[error("{} would die or be left behind in this version:\n{report}", jobs(report.lost()))]
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
        if self.lost() == 0 { Ok(self) } else { Err(UnreadableArgs { report: self }) }
    }

    /// Returns the number of jobs that would die, or that no worker of this program takes although it knows their kind.
    fn lost(&self) -> u64 {
        let lost = |kind: &CheckedKind| match kind.readability {
            Readability::OlderVersion => kind.left,
            _ => kind.unreadable,
        };
        self.kinds.iter().map(lost).sum()
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
            left: 0,
            examples: Vec::new(),
        }
    }
}

fn jobs(count: u64) -> String {
    if count == 1 { "one waiting job".to_owned() } else { format!("{count} waiting jobs") }
}

impl fmt::Display for WaitingReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kinds.is_empty() {
            return out.write_str("no job waits");
        }
        for (at, kind) in self.kinds.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(out, "{end}{kind}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CheckedKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, version, readable, unreadable, incomplete, left, .. } = self;
        write!(out, "{kind}, version {version}: ")?;
        match self.readability {
            Readability::UnknownKind => write!(out, "{left} of a kind that this program does not know")?,
            Readability::NewerVersion => write!(out, "{left} of a newer version, which newer workers take")?,
            Readability::OlderVersion => {
                write!(out, "{left} NOT readable: their version is no longer in `upcast_from`")?
            }
            Readability::Readable => {
                write!(out, "{readable} readable")?;
                if *incomplete > 0 {
                    write!(out, ", {incomplete} that wait for outputs of other steps")?;
                }
                if *unreadable > 0 {
                    write!(out, ", {unreadable} NOT readable")?;
                }
            }
        }
        for UnreadableJob { id, reason } in &self.examples {
            write!(out, "\n    {id}: {reason}")?;
        }
        Ok(())
    }
}
