//! An action on a schedule.

use std::str::FromStr;

use super::act::{Act, Done, Record};
use crate::params::Params;
use crate::problem::Problem;
use crate::show::link::link;
use crate::user::Permission;
use crate::visit::Visit;

/// An action on a schedule.
pub(crate) struct OnSchedule {
    name: String,
    word: Word,
    reason: Option<String>,
}

#[derive(Clone, Copy)]
enum Word {
    RunNow,
    Pause,
    Resume,
    Remove,
}

impl Act for OnSchedule {
    fn read(params: &Params) -> Result<Self, Problem> {
        let (name, word) = (params.exact("name")?.to_owned(), params.required("action")?);
        Ok(Self { name, word, reason: params.maybe("reason").map(str::to_owned) })
    }

    fn permission(&self) -> Permission {
        match self.word {
            Word::RunNow => Permission::Retry,
            Word::Pause | Word::Resume => Permission::Pause,
            Word::Remove => Permission::Delete,
        }
    }

    fn record(&self) -> Record {
        let (action, subject) = (self.word.as_str().to_owned(), format!("schedule {}", self.name));
        Record { action, subject, reason: self.reason.clone() }
    }

    async fn run(self, visit: &Visit) -> Result<Done, Problem> {
        let (schedules, name) = (visit.board().client.schedules(), &*self.name);
        let outcome = match self.word {
            Word::RunNow => {
                let job = schedules.run_now(name).await?.to_string();
                let outcome = format!("The schedule `{name}` has enqueued this job now: {job}.");
                return Ok(Done::new(outcome, link("job", &[("id", &job)])));
            }
            Word::Pause => {
                schedules.pause(name).await?;
                "The schedule is paused: its ticks pass without jobs."
            }
            Word::Resume => {
                schedules.resume(name).await?;
                "The schedule is not paused, and goes on with its next tick."
            }
            Word::Remove => {
                schedules.remove(name).await?;
                if schedules.get(name).await.is_err() {
                    let outcome = format!("The schedule `{name}` is removed.");
                    return Ok(Done::new(outcome, "schedules".to_owned()));
                }
                "What was set is removed, and the schedule follows the code again."
            }
        };
        Ok(Done::new(outcome, link("schedule", &[("name", name)])))
    }
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::RunNow => "run_now",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Remove => "remove",
        }
    }
}

impl FromStr for Word {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let words = [Self::RunNow, Self::Pause, Self::Resume, Self::Remove];
        let known = words.into_iter().find(|known| known.as_str() == word);
        known.ok_or_else(|| {
            format!("`{word}` is no action on a schedule: write run_now, pause, resume or remove")
        })
    }
}
