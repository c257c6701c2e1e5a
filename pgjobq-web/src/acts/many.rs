//! An action on all jobs that match a filter. The workers do it; the page of the action shows its progress.

use std::str::FromStr;

use pgjobq::filter::Filter;
use pgjobq::{Action, Client, Priority};

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::user::Permission;
use crate::visit::Visit;

/// An action on all jobs that match a filter.
pub(crate) struct Many {
    word: Word,
    filter: Filter,
    rate: Option<String>,
    reason: Option<String>,
    priority: Priority,
    queue: Option<String>,
}

/// The word for what is done to each job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Cancel,
    Requeue,
    RetryNow,
    Delete,
    SetPriority,
    MoveTo,
}

impl Many {
    /// Returns the action without its options, for a preview.
    pub(crate) fn look(word: Word, filter: &str) -> Result<Self, Problem> {
        let invalid = |error: pgjobq::filter::FilterError| Problem::Invalid(format!("the filter: {error}"));
        let filter = filter.parse().map_err(invalid)?;
        Ok(Self { word, filter, rate: None, reason: None, priority: Priority::Normal, queue: None })
    }

    /// Returns the action. That of a preview moves no job, so that it needs no queue.
    pub(crate) fn action<'c>(&self, client: &'c Client) -> Result<Action<'c>, Problem> {
        let jobs = client.jobs(self.filter.clone());
        let mut action = match (self.word, &self.queue) {
            (Word::Cancel, _) => jobs.cancel(),
            (Word::Requeue, _) => jobs.requeue(),
            (Word::RetryNow, _) => jobs.retry_now(),
            (Word::Delete, _) => jobs.delete(),
            (Word::MoveTo, Some(queue)) => jobs.move_to(&**queue),
            (Word::SetPriority, _) | (Word::MoveTo, None) => jobs.set_priority(self.priority),
        };
        if let Some(rate) = &self.rate {
            action = action.rate(&**rate);
        }
        Ok(action)
    }
}

impl Act for Many {
    fn read(params: &Params) -> Result<Self, Problem> {
        let word: Word = params.required("action")?;
        let priority = match word {
            Word::SetPriority => priority(params.exact("priority")?)?,
            _ => Priority::Normal,
        };
        let queue = match word {
            Word::MoveTo => Some(params.exact("queue")?.to_owned()),
            _ => None,
        };
        let (rate, reason) = (params.maybe("rate"), params.maybe("reason"));
        let look = Self::look(word, params.exact("filter")?)?;
        Ok(Self { rate: rate.map(str::to_owned), reason: reason.map(str::to_owned), priority, queue, ..look })
    }

    fn permission(&self) -> Permission {
        self.word.permission()
    }

    fn record(&self) -> Record {
        let with = match self.word {
            Word::SetPriority => format!(" to {}", self.priority.as_str()),
            Word::MoveTo => format!(" {}", self.queue.as_deref().unwrap_or_default()),
            _ => String::new(),
        };
        let rate = self.rate.as_deref().map(|rate| format!(", {rate}")).unwrap_or_default();
        let action = format!("{}_matching", self.word.as_str());
        let subject = format!("{}{with}{rate}: {}", self.word.as_str(), self.filter);
        Record { action, subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let mut action = self.action(&visit.board().client)?.by(visit.name());
        if let Some(reason) = &self.reason {
            action = action.because(&**reason);
        }
        Ok(Done::goes_on(action.start().await?.id(), "has started."))
    }
}

impl Word {
    const ALL: [Self; 6] =
        [Self::Cancel, Self::Requeue, Self::RetryNow, Self::Delete, Self::SetPriority, Self::MoveTo];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Requeue => "requeue",
            Self::RetryNow => "retry_now",
            Self::Delete => "delete",
            Self::SetPriority => "set_priority",
            Self::MoveTo => "move_to",
        }
    }

    /// The word as a button shows it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Requeue => "Requeue",
            Self::RetryNow => "Run now",
            Self::Delete => "Delete",
            Self::SetPriority => "Set priority",
            Self::MoveTo => "Move",
        }
    }

    /// What it does, as a sentence.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Cancel => "Waiting jobs never run; running ones are asked to stop.",
            Self::Requeue => {
                "Dead, cancelled and expired jobs are put back in line, with all their retries. Steps of workflows are left."
            }
            Self::RetryNow => {
                "Jobs that wait for their time, or for a retry, run as soon as a worker is free."
            }
            Self::Delete => "Ended jobs are deleted for good. This cannot be undone.",
            Self::SetPriority => "Waiting jobs get another priority, and go to the end of its line.",
            Self::MoveTo => "Waiting jobs go to the end of the line of another queue.",
        }
    }

    pub(crate) fn permission(self) -> Permission {
        match self {
            Self::Cancel => Permission::Cancel,
            Self::Requeue | Self::RetryNow => Permission::Retry,
            Self::Delete => Permission::Delete,
            Self::SetPriority | Self::MoveTo => Permission::Change,
        }
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known
            .ok_or_else(|| format!("`{word}` is no action: write {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

fn priority(word: &str) -> Result<Priority, Problem> {
    let all = [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];
    let known = all.into_iter().find(|priority| priority.as_str() == word);
    known.ok_or_else(|| {
        Problem::Invalid(format!("`{word}` is no priority: write low, normal, high or critical"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_parsed_as_itself() {
        for word in Word::ALL {
            assert_eq!(word.as_str().parse(), Ok(word));
        }
        assert!("drop".parse::<Word>().is_err_and(|error| error.contains("cancel, requeue, retry_now")));
    }
}
