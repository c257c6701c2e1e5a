//! Pauses and resumes a queue or a kind.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::show::link::link;
use crate::user::Permission;
use crate::visit::Visit;

/// The longest pause with an end, in minutes: a year.
const MOST_MINUTES: u32 = 366 * 24 * 60;

/// Pauses a queue or a kind.
pub(crate) struct Pause {
    scope: Scope,
    name: String,
    minutes: Option<u32>,
    reason: Option<String>,
}

/// Resumes a queue or a kind.
pub(crate) struct Resume {
    scope: Scope,
    name: String,
}

#[derive(Clone, Copy)]
enum Scope {
    Queue,
    Kind,
}

impl Act for Pause {
    fn read(params: &Params) -> Result<Self, Problem> {
        let minutes = params.parsed::<u32>("minutes")?;
        if minutes.is_some_and(|minutes| !(1..=MOST_MINUTES).contains(&minutes)) {
            return Err(Problem::Invalid(format!(
                "`minutes` is 1 to {MOST_MINUTES}, or empty for a pause without end"
            )));
        }
        let name = params.exact("name")?.to_owned();
        let reason = params.maybe("reason").map(str::to_owned);
        Ok(Self { scope: params.required("scope")?, name, minutes, reason })
    }

    fn permission(&self) -> Permission {
        Permission::Pause
    }

    fn record(&self) -> Record {
        let until = self.minutes.map(|minutes| format!(", for {minutes} min")).unwrap_or_default();
        let subject = format!("{} {}{until}", self.scope.as_str(), self.name);
        Record { action: "pause".to_owned(), subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let client = &visit.board().client;
        let mut pausing = match self.scope {
            Scope::Queue => client.queue(&*self.name).pause(),
            Scope::Kind => client.kind(&*self.name).pause(),
        };
        if let Some(minutes) = self.minutes {
            pausing = pausing.until(SystemTime::now() + Duration::from_secs(60 * u64::from(minutes)));
        }
        if let Some(reason) = &self.reason {
            pausing = pausing.because(&**reason);
        }
        pausing.by(visit.name()).await?;
        visit.board().statistics.note_change();
        let outcome = format!("The {} `{}` is paused.", self.scope.as_str(), self.name);
        Ok(Done::new(outcome, self.scope.page(&self.name)))
    }
}

impl Act for Resume {
    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self { scope: params.required("scope")?, name: params.exact("name")?.to_owned() })
    }

    fn permission(&self) -> Permission {
        Permission::Pause
    }

    fn record(&self) -> Record {
        let subject = format!("{} {}", self.scope.as_str(), self.name);
        Record { action: "resume".to_owned(), subject, reason: None }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let client = &visit.board().client;
        let resumed = match self.scope {
            Scope::Queue => client.queue(&*self.name).resume().await?,
            Scope::Kind => client.kind(&*self.name).resume().await?,
        };
        visit.board().statistics.note_change();
        let is = if resumed { "goes on" } else { "was not paused" };
        let outcome = format!("The {} `{}` {is}.", self.scope.as_str(), self.name);
        Ok(Done::new(outcome, self.scope.page(&self.name)))
    }
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Kind => "kind",
        }
    }

    fn page(self, name: &str) -> String {
        match self {
            Self::Queue => link("queue", &[("name", name)]),
            Self::Kind => "kinds".to_owned(),
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = [Self::Queue, Self::Kind].into_iter().find(|scope| scope.as_str() == word);
        known.ok_or_else(|| format!("`{word}` cannot be paused: write queue or kind"))
    }
}
