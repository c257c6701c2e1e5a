//! `pgjobq schedules`

use clap::Args;
use pgjobq::{JobId, ScheduleError, ScheduleState};
use serde::Serialize;

use crate::confirm::Asked;
use crate::failure::Failure;
use crate::schedule::{ScheduleJson, shown, state_of};
use crate::session::Session;
use crate::table::Table;
use crate::text::moment;

/// List schedules, show one with its next runs, run it now, pause, resume or remove it
#[derive(Args)]
pub(crate) struct Schedules {
    /// Only this schedule
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The number of its next runs to show
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(..=1000), value_name = "RUNS")]
    next: u16,
    /// Enqueue a job of it now, even if it is paused. Its ticks do not move
    #[arg(long, requires = "name", group = "change")]
    run_now: bool,
    /// Let its ticks pass without jobs
    #[arg(long, requires = "name", group = "change")]
    pause: bool,
    /// End its pause, with the next tick
    #[arg(long, requires = "name", group = "change")]
    resume: bool,
    /// Remove it. If the code of a running worker has it, too, it follows the code again
    #[arg(long, requires = "name", group = "change")]
    remove: bool,
    /// Who asks; the database role by default
    #[arg(long, requires = "change", value_name = "NAME")]
    by: Option<String>,
    /// The reason, which `pgjobq audit` shows
    #[arg(long, requires = "change", value_name = "REASON")]
    because: Option<String>,
}

#[derive(Serialize)]
struct RunJson<'s> {
    schedule: &'s str,
    job: JobId,
}

#[derive(Serialize)]
struct RemovedJson<'s> {
    schedule: &'s str,
    removed: bool,
}

impl Schedules {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let Some(name) = self.name.as_deref() else { return self.list(session).await };
        let (schedules, out) = (session.client.schedules(), session.out);
        if self.run_now {
            let job = self.run_now(session, name).await?;
            return out.print(&RunJson { schedule: name, job }, || job);
        }
        if self.pause || self.resume || self.remove {
            self.change(session, name).await?;
        }
        let schedule = match schedules.get(name).await {
            // One that is in the code as well is still there.
            Err(ScheduleError::Unknown(_)) if self.remove => {
                let json = RemovedJson { schedule: name, removed: true };
                return out.print(&json, || format!("the schedule `{name}` is removed"));
            }
            found => found?,
        };
        let runs = self.next.into();
        out.print(&ScheduleJson::of(&schedule, runs)?, || shown(&schedule, runs))
    }

    async fn run_now(&self, session: &Session, name: &str) -> Result<JobId, Failure> {
        let run = async {
            let job = session.client.schedules().run_now(name).await?;
            Ok((job, format!("enqueued job {job}")))
        };
        session.recorded("run_now", subject(name), &self.asked(), run).await
    }

    async fn change(&self, session: &Session, name: &str) -> Result<(), Failure> {
        let schedules = session.client.schedules();
        let word = match (self.pause, self.resume) {
            (true, _) => "pause",
            (false, true) => "resume",
            (false, false) => "remove",
        };
        let change = async {
            match word {
                "pause" => schedules.pause(name).await?,
                "resume" => {
                    let is_paused = matches!(schedules.get(name).await?.state, ScheduleState::Paused(_));
                    schedules.resume(name).await?;
                    if !is_paused {
                        return Err(Failure::Refused(format!("the schedule `{name}` was not paused")));
                    }
                }
                _ => schedules.remove(name).await?,
            }
            Ok(((), "done".to_owned()))
        };
        session.recorded(word, subject(name), &self.asked(), change).await
    }

    fn asked(&self) -> Asked {
        Asked { by: self.by.clone(), because: self.because.clone() }
    }

    async fn list(&self, session: &Session) -> Result<(), Failure> {
        let schedules = session.client.schedules().list().await?;
        let json = schedules.iter().map(|schedule| ScheduleJson::of(schedule, self.next.into()));
        let json = json.collect::<Result<Vec<_>, _>>()?;
        session.out.print(&json, || {
            if schedules.is_empty() {
                return "no schedules; those in code appear when a worker that has them starts".to_owned();
            }
            let mut table =
                Table::new(&["NAME", "KIND", "AT", "ZONE", "STATE", "NEXT RUN", "LAST RUN", "LAST MISSED"]);
            for schedule in &schedules {
                let at = |at: Option<_>| at.map_or("-".to_owned(), moment);
                table.row([
                    schedule.name.clone(),
                    schedule.kind.clone(),
                    schedule.text.clone(),
                    schedule.timezone.clone(),
                    state_of(schedule).to_owned(),
                    at(schedule.next_at),
                    at(schedule.last_tick),
                    at(schedule.last_missed.as_ref().map(|missed| missed.at)),
                ]);
            }
            table.to_string()
        })
    }
}

/// Returns what a record of a change says was changed.
fn subject(schedule: &str) -> String {
    format!("schedule {schedule}")
}
