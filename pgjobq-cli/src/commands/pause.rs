//! `pgjobq pause`

use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use pgjobq::{Pause as Paused, Pausing};
use serde::Serialize;

use crate::confirm::Asked;
use crate::failure::Failure;
use crate::json::PauseJson;
use crate::session::Session;
use crate::text::moment as moment_of;
use crate::values::{duration, moment};

/// A time that is refused as too long for a pause, and can still be added to now.
const LONGER_THAN_ANY: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// Pause a queue, a kind or a key; without a name, list the pauses
#[derive(Args)]
pub(crate) struct Pause {
    /// What to pause
    #[arg(requires = "name")]
    scope: Option<Scope>,
    /// Its name
    name: Option<String>,
    /// End the pause after this time
    #[arg(long = "for", value_parser = duration, value_name = "TIME", requires = "scope", conflicts_with = "until")]
    lasting: Option<Duration>,
    /// End the pause at this time
    #[arg(long, value_parser = moment, value_name = "TIME", requires = "scope")]
    until: Option<SystemTime>,
    #[command(flatten)]
    asked: Asked,
}

/// The jobs that a pause stops.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Scope {
    /// All jobs of a queue
    Queue,
    /// All jobs of a kind, in any queue
    Kind,
    /// All jobs with a key, of any kind
    Key,
}

impl Scope {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Kind => "kind",
            Self::Key => "key",
        }
    }
}

#[derive(Serialize)]
struct PausesJson {
    pauses: Vec<PauseJson>,
}

impl Pause {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        if let (Some(scope), Some(name)) = (self.scope, &self.name) {
            self.pause(session, scope, name).await?;
        }
        let pauses = session.client.pauses().await?;
        let json = PausesJson { pauses: pauses.iter().map(PauseJson::from).collect() };
        session.out.print(&json, || shown(&pauses))
    }

    /// Pauses it. The record of a pause ends with it, so that of the request stays.
    async fn pause(&self, session: &Session, scope: Scope, name: &str) -> Result<(), Failure> {
        let end = self.lasting.map(|lasting| SystemTime::now() + lasting.min(LONGER_THAN_ANY));
        let until = self.until.or(end);
        let pause = async {
            self.pausing(session, scope, name, until).await?;
            Ok(((), format!("the {} is paused", scope.name())))
        };
        let shown = until.map(|until| format!(", until {}", moment_of(until))).unwrap_or_default();
        session.recorded("pause", format!("{} {name}{shown}", scope.name()), &self.asked, pause).await
    }

    fn pausing<'s>(
        &self,
        session: &'s Session,
        scope: Scope,
        name: &str,
        until: Option<SystemTime>,
    ) -> Pausing<'s> {
        let client = &session.client;
        let mut pausing = match scope {
            Scope::Queue => client.queue(name).pause(),
            Scope::Kind => client.kind(name).pause(),
            Scope::Key => client.key(name).pause(),
        };
        if let Some(until) = until {
            pausing = pausing.until(until);
        }
        if let Some(by) = &self.asked.by {
            pausing = pausing.by(by);
        }
        if let Some(because) = &self.asked.because {
            pausing = pausing.because(because);
        }
        pausing
    }
}

fn shown(pauses: &[Paused]) -> String {
    if pauses.is_empty() {
        return "nothing is paused".to_owned();
    }
    pauses.iter().map(|pause| format!("{pause}\n")).collect()
}
