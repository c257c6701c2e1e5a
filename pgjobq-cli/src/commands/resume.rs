//! `pgjobq resume`

use clap::Args;
use serde::Serialize;

use crate::commands::pause::Scope;
use crate::confirm::Asked;
use crate::failure::Failure;
use crate::session::Session;

/// End the pause of a queue, a kind or a key
#[derive(Args)]
pub(crate) struct Resume {
    /// What to resume
    scope: Scope,
    /// Its name
    name: String,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
struct ResumedJson<'r> {
    scope: &'static str,
    name: &'r str,
}

impl Resume {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (client, name) = (&session.client, &*self.name);
        let scope = self.scope.name();
        let resume = async {
            let was_paused = match self.scope {
                Scope::Queue => client.queue(name).resume().await?,
                Scope::Kind => client.kind(name).resume().await?,
                Scope::Key => client.key(name).resume().await?,
            };
            match was_paused {
                true => Ok(((), format!("the {scope} goes on"))),
                false => Err(Failure::Refused(format!("the {scope} `{name}` was not paused"))),
            }
        };
        session.recorded("resume", format!("{scope} {name}"), &self.asked, resume).await?;
        session.out.print(&ResumedJson { scope, name }, || format!("the {scope} `{name}` goes on"))
    }
}
