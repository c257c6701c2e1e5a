//! The message of an assertion that fails: what is enqueued instead, those jobs first that come closest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use pgjobq_core::__private::serde_json::Value;
use pgjobq_core::testing::LiveJob;

use super::function::Unread;

/// The largest number of jobs that a message shows.
const MOST_JOBS: usize = 20;
/// The largest length of an argument in a message, in characters.
const LONGEST_ARGUMENT: usize = 200;

/// The number of jobs that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(usize),
    AtLeast(usize),
}

/// A live job of the kind, compared with what is expected.
pub(super) struct Candidate<'a> {
    pub(super) job: &'a LiveJob,
    /// What it lacks.
    pub(super) lacking: Vec<String>,
    /// The reason why its arguments cannot be read, if it has all else: it may be meant.
    pub(super) unclear: Option<Unread>,
}

/// The jobs that are there, compared with those that were expected.
pub(super) struct Miss<'a> {
    /// The expectation, as it is written.
    pub(super) wanted: String,
    pub(super) kind: &'static str,
    /// The names of the job function's arguments.
    pub(super) names: &'static [&'static str],
    /// The version of these arguments.
    pub(super) version: u16,
    /// The live jobs of the kind.
    pub(super) jobs: Vec<Candidate<'a>>,
    /// Live jobs of other kinds.
    pub(super) others: &'a [&'a LiveJob],
    /// The number of ended jobs of the kind, for each outcome.
    pub(super) ended: Vec<(String, i64)>,
}

impl Miss<'_> {
    /// Returns the whole message.
    pub(super) fn explain(mut self, count: Count, found: usize) -> String {
        let mut text = self.headline(count, found);
        // A stable sort: jobs that are equally close stay in the order of their enqueue.
        self.jobs.sort_by_key(|candidate| candidate.lacking.len());
        let shown = self.jobs.iter().take(MOST_JOBS);
        for Candidate { job, lacking, .. } in shown {
            let _ = write!(text, "\n  {}", self.line(job));
            if !lacking.is_empty() {
                let _ = write!(text, "\n      not {}", lacking.join(", not "));
            }
        }
        if self.jobs.len() > MOST_JOBS {
            let _ = write!(text, "\n  and {} more", self.jobs.len() - MOST_JOBS);
        }
        self.add_others(&mut text);
        text
    }

    fn headline(&self, count: Count, found: usize) -> String {
        let Self { wanted, kind, jobs, .. } = self;
        let number = |count| match count {
            0 => "no job".to_owned(),
            1 => "1 job".to_owned(),
            count => format!("{count} jobs"),
        };
        let expected = match count {
            Count::Exactly(count) => number(count),
            Count::AtLeast(1) => "a job".to_owned(),
            Count::AtLeast(count) => format!("at least {}", number(count)),
        };
        let found = match found {
            0 => "none is".to_owned(),
            1 => "1 is".to_owned(),
            found => format!("{found} are"),
        };
        let all_unclear = jobs.iter().filter_map(|candidate| candidate.unclear.as_ref());
        let (incomplete, undecodable): (Vec<_>, Vec<_>) =
            all_unclear.partition(|unread| **unread == Unread::Incomplete);
        let unclear = |jobs: &[&Unread], why| match jobs.len() {
            0 => String::new(),
            jobs => format!("; {jobs} may be, whose arguments {why}"),
        };
        let undecodable = unclear(&undecodable, "cannot be decoded");
        let incomplete = unclear(&incomplete, "are not known yet");
        let listed = match jobs.len() {
            0 => format!("No `{kind}` is enqueued."),
            1 => format!("One `{kind}` is enqueued:"),
            all => format!("{all} `{kind}` are enqueued:"),
        };
        format!("expected {expected} {wanted}, and {found} enqueued{undecodable}{incomplete}\n{listed}")
    }

    /// Adds what else may explain it: jobs that ran already, and jobs of other kinds.
    fn add_others(&self, text: &mut String) {
        if !self.ended.is_empty() {
            let ended: Vec<_> =
                self.ended.iter().map(|(outcome, jobs)| format!("{jobs} {outcome}")).collect();
            let _ = write!(text, "\n`{}` that have ended already: {}.", self.kind, ended.join(", "));
        }
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for job in self.others {
            *kinds.entry(&job.kind).or_default() += 1;
        }
        if !kinds.is_empty() {
            let kinds: Vec<_> = kinds.iter().map(|(kind, jobs)| format!("{jobs} `{kind}`")).collect();
            let _ = write!(text, "\nOther jobs are enqueued: {}.", kinds.join(", "));
        }
    }

    /// Returns one line about a job: its arguments as a call, and where it stands.
    fn line(&self, job: &LiveJob) -> String {
        let argument = |name: &str| match job.shown.get(name) {
            None if job.is_incomplete => format!("{name}: …"), // The output of another step.
            value => format!("{name}: {}", short(value.unwrap_or(&Value::Null))),
        };
        let is_current = job.version == self.version;
        let arguments: Vec<_> = match job.shown.as_object() {
            Some(stored) if !is_current => stored.keys().map(|name| argument(name)).collect(),
            _ => self.names.iter().map(|name| argument(name)).collect(),
        };
        let mut line = format!("{}({}), {}", job.kind, arguments.join(", "), job.state);
        if !is_current {
            let _ = write!(line, ", arguments of version {}", job.version);
        }
        if let Some(run_at) = job.run_at {
            let _ = write!(line, ", {} after its enqueue", rounded(run_at, job.created_at));
        }
        let _ = write!(line, ", queue {}", job.queue);
        if let Some(key) = &job.key {
            let _ = write!(line, ", key {key}");
        }
        if job.attributes.as_object().is_some_and(|attributes| !attributes.is_empty()) {
            let _ = write!(line, ", attributes {}", short(&job.attributes));
        }
        line
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_ARGUMENT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Returns the time between two times, without fractions of milliseconds.
fn rounded(end: SystemTime, start: SystemTime) -> String {
    let micros = end.duration_since(start).unwrap_or_default().as_micros();
    let millis = u64::try_from((micros + 500) / 1000).unwrap_or(u64::MAX);
    format!("{:?}", Duration::from_millis(millis))
}
