//! Actions on all jobs that match a filter: shown first, and done only if confirmed.

use std::pin::pin;

use clap::Args;
use pgjobq::{Action, ActionReport, ActionState, JobId, LeftOut, shutdown_signal};

use crate::failure::Failure;
use crate::json::{ActionJson, PreviewJson};
use crate::session::Session;

/// The options of an action on many jobs.
#[derive(Args)]
pub(crate) struct Confirm {
    /// Change all jobs that match. Without it, the command only shows them and their number
    #[arg(long, short)]
    yes: bool,
    /// Change at most so many: "500 per minute"
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// Return once the action is stored. Workers carry it out
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// The person who asks, and the reason.
#[derive(Args)]
pub(crate) struct Asked {
    /// Who asks; the database role by default
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// The reason, which is stored with the action
    #[arg(long, value_name = "REASON")]
    pub(crate) because: Option<String>,
}

impl Confirm {
    /// Shows what an action would change; carries it out if that is confirmed.
    pub(crate) async fn act(&self, session: &Session, action: Action<'_>) -> Result<(), Failure> {
        let action = self.with_options(action);
        if !self.yes {
            let preview = action.preview().await?;
            let count = preview.count;
            let jobs = match count.jobs {
                0 => "all jobs that match; a sample of the jobs had none of them".to_owned(),
                1 => "1 job".to_owned(),
                _ => format!("{count} jobs"),
            };
            let unchanged = match count.exact && count.jobs == 0 {
                true => Failure::Refused("no job matches that it would change".to_owned()),
                false => Failure::Unconfirmed(format!("nothing was changed: add --yes to change {jobs}")),
            };
            let printed = session.out.print(&PreviewJson::from(&preview), || &preview);
            return Failure::verdict(printed, Err(unchanged));
        }
        let report = self.carry_out(action).await?;
        let verdict = match report.state {
            ActionState::Stopped => Err(Failure::Refused(format!("action {} was stopped", report.id))),
            ActionState::Done if report.changed == 0 => {
                Err(Failure::Refused(format!("action {} changed no job", report.id)))
            }
            _ => Ok(()),
        };
        Failure::verdict(session.out.print(&ActionJson::from(&report), || &report), verdict)
    }

    /// Carries out an action on one job, which needs no confirmation. Fails if the job was left as it was.
    pub(crate) async fn act_on_one(
        &self,
        session: &Session,
        job: JobId,
        action: Action<'_>,
    ) -> Result<(), Failure> {
        let report = self.report_of_one(action).await?;
        let unchanged = |why: &str| Err(Failure::Refused(format!("job {job} was not changed: it {why}")));
        let verdict = match report.left.first() {
            _ if report.changed > 0 || report.ended_at.is_none() => Ok(()),
            None | Some((LeftOut::Gone, _)) => unchanged("changed meanwhile"),
            Some((why, _)) => unchanged(&format!("is {why}")),
        };
        Failure::verdict(session.out.print(&ActionJson::from(&report), || &report), verdict)
    }

    /// Carries out an action on one job, and returns its report.
    pub(crate) async fn report_of_one(&self, action: Action<'_>) -> Result<ActionReport, Failure> {
        self.reject_options_of_many()?;
        self.carry_out(self.with_options(action)).await
    }

    /// Rejects the options that only an action on many jobs has.
    pub(crate) fn reject_options_of_many(&self) -> Result<(), Failure> {
        match self.rate.is_some() || self.no_wait {
            true => Err(Failure::Usage(
                "--rate and --no-wait are for a filter: leave them out with an id".to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn with_options<'c>(&self, mut action: Action<'c>) -> Action<'c> {
        if let Some(rate) = &self.rate {
            action = action.rate(rate);
        }
        if let Some(by) = &self.asked.by {
            action = action.by(by);
        }
        if let Some(because) = &self.asked.because {
            action = action.because(because);
        }
        action
    }

    /// Carries out an action. From its start on a signal ends the command with a word about the action.
    async fn carry_out(&self, action: Action<'_>) -> Result<ActionReport, Failure> {
        let mut signal = pin!(shutdown_signal());
        let started = tokio::select! {
            biased; // The signal comes first, so that it is listened for before the action starts.
            () = &mut signal => {
                let unknown = "interrupted while the action was stored: `pgjobq actions` shows if it was";
                return Err(Failure::Interrupted(unknown.to_owned()));
            }
            started = action.start() => started?,
        };
        let report = async { if self.no_wait { started.progress().await } else { started.wait().await } };
        tokio::select! {
            report = report => Ok(report?),
            () = signal => {
                let id = started.id();
                Err(Failure::Interrupted(format!(
                    "action {id} goes on in the running workers; `pgjobq actions {id} --stop` stops it"
                )))
            }
        }
    }
}
