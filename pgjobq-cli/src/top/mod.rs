//! `pgjobq top`: the jobs live in the terminal.

mod draw;
mod keys;
mod model;
mod perform;
mod snapshot;
mod terminal;

use std::io::IsTerminal as _;
use std::pin::pin;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep_until};

use self::keys::{Reaction, react};
use self::model::Model;
use self::perform::perform;
use self::snapshot::Snapshot;
use self::terminal::{Input, Screen};
use crate::failure::Failure;
use crate::session::Session;
use crate::values::duration;

/// The shortest time between two looks, so that nobody loads the database by a slip.
const MIN_INTERVAL: Duration = Duration::from_millis(250);

/// Show queues, running and dead jobs and workers live; keys pause a queue, cancel a job and requeue a dead one
#[derive(Args)]
#[command(
    after_help = "Keys: tab or 1-4 panel, arrows or j k row, p pause or resume a queue, c cancel a running job, r requeue a dead job (each after a question), \
                  space stop and go on looking, ? help, q quit"
)]
pub(crate) struct Top {
    /// The time between two looks
    #[arg(long, short, value_parser = duration, default_value = "2s", value_name = "TIME")]
    interval: Duration,
    /// Only look: no key changes anything
    #[arg(long)]
    read_only: bool,
}

impl Top {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        if session.out.is_json() || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            let instead = "`pgjobq stats --json` prints the same for programs";
            return Err(Failure::Usage(format!("`top` needs a terminal: {instead}")));
        }
        let mut model = Model::new(self.read_only);
        model.show(Snapshot::take(session).await?); // A first look that fails is the error of the command.
        let mut screen = Screen::open().map_err(|error| Failure::Refused(error.to_string()))?;
        let mut input = Input::open();
        let shown = self.show(session, &mut model, &mut screen, &mut input).await;
        drop(screen); // Before anything else is printed.
        input.close().await;
        shown.map_err(|error| Failure::Refused(format!("the terminal failed: {error}")))
    }

    /// Shows the model, and reacts to keys, until one of them ends it.
    async fn show(
        &self,
        session: &Session,
        model: &mut Model,
        screen: &mut Screen,
        input: &mut Input,
    ) -> std::io::Result<()> {
        let interval = self.interval.max(MIN_INTERVAL);
        let mut next = Instant::now() + interval;
        let mut terminated = pin!(terminal::terminated());
        // A look or a change that is on its way does not delay a key.
        let (mut look, mut change) = (None, None);
        loop {
            screen.draw(|frame| draw::draw(frame, model))?;
            tokio::select! {
                event = input.next() => {
                    let Some(event) = event else { return Ok(()) };
                    match react(model, &event) {
                        Reaction::Quit => return Ok(()),
                        Reaction::Shown => {}
                        Reaction::Act(_) if change.is_some() => {
                            model.said = Some("nothing was changed: the change before is still under way".to_owned());
                        }
                        Reaction::Act(act) => {
                            model.said = Some(format!("{act}: under way"));
                            change = Some(Box::pin(perform(session, act)));
                        }
                        Reaction::Look => next = Instant::now(),
                    }
                }
                said = ended(&mut change), if change.is_some() => {
                    model.said = Some(said);
                    (look, change) = (Some(Box::pin(Snapshot::take(session))), None);
                }
                looked = ended(&mut look), if look.is_some() => {
                    match looked {
                        Ok(snapshot) => model.show(snapshot),
                        Err(failure) => model.trouble = Some(failure.to_string()),
                    }
                    (look, next) = (None, Instant::now() + interval);
                }
                () = sleep_until(next), if look.is_none() && !model.is_held => {
                    look = Some(Box::pin(Snapshot::take(session)));
                }
                () = &mut terminated => return Ok(()),
            }
        }
    }
}

/// Waits for a future that is there.
async fn ended<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    future.as_mut().expect("the branch is on only if there is one").await
}
