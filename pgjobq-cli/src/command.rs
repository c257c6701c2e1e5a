//! The command line: its options, its subcommands, and what runs for each.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::bench::Bench;
use crate::commands::actions::Actions;
use crate::commands::audit::Audit;
use crate::commands::cancel::Cancel;
use crate::commands::change::Change;
use crate::commands::completions::Completions;
use crate::commands::dead::Dead;
use crate::commands::delete::Delete;
use crate::commands::doctor::Doctor;
use crate::commands::enqueue::Enqueue;
use crate::commands::explain::Explain;
use crate::commands::grants::Grants;
use crate::commands::job::Job;
use crate::commands::jobs::Jobs;
use crate::commands::man::Man;
use crate::commands::migrate::Migrate;
use crate::commands::pause::Pause;
use crate::commands::requeue::Requeue;
use crate::commands::resume::Resume;
use crate::commands::retry::Retry;
use crate::commands::schedules::Schedules;
use crate::commands::sql::Sql;
use crate::commands::stats::Stats;
use crate::commands::workflows::Workflows;
use crate::connection::Connection;
use crate::failure::{EXIT_CODES, Failure};
use crate::output::Output;
#[cfg(feature = "serve")]
use crate::serve::Serve;
use crate::session::Session;
#[cfg(feature = "top")]
use crate::top::Top;

/// The connections of a command.
const CONNECTIONS: u32 = 3;
/// The connections of the dashboard: one for each request that uses the database at a time, and one for the statistics.
#[cfg(feature = "serve")]
const SERVE_CONNECTIONS: u32 = 5;
/// The connections of a measurement, beside those of its worker.
const BENCH_CONNECTIONS: u32 = 4;

/// Operates the background jobs of pgjobq in PostgreSQL.
#[derive(Parser)]
#[command(name = "pgjobq", version, after_help = EXIT_CODES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON, one value, and errors as JSON to standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // There is one in a process.
enum Command {
    Migrate(Migrate),
    Stats(Stats),
    Jobs(Jobs),
    Job(Job),
    Explain(Explain),
    Dead(Dead),
    Workflows(Workflows),
    Schedules(Schedules),
    Enqueue(Enqueue),
    Retry(Retry),
    Cancel(Cancel),
    Requeue(Requeue),
    Change(Change),
    Delete(Delete),
    Actions(Actions),
    Audit(Audit),
    Pause(Pause),
    Resume(Resume),
    Doctor(Doctor),
    #[cfg(feature = "top")]
    Top(Top),
    #[cfg(feature = "serve")]
    Serve(Serve),
    Bench(Bench),
    Sql(Sql),
    Grants(Grants),
    Completions(Completions),
    Man(Man),
}

impl Cli {
    /// Runs the command, and prints its error.
    pub(crate) async fn run(self) -> ExitCode {
        let out = Output::new(self.json);
        match self.command.run(self.connection, out).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                out.error(&failure);
                failure.exit_code()
            }
        }
    }
}

impl Command {
    async fn run(self, connection: Connection, out: Output) -> Result<(), Failure> {
        match self {
            // These need no database.
            Self::Sql(sql) => return sql.run(&connection, out),
            Self::Grants(grants) => return grants.run(&connection, out),
            Self::Completions(completions) => return completions.run(Cli::command(), out),
            Self::Man(man) => return man.run(Cli::command(), out),
            _ => {}
        }
        let session = Session::open(&connection, self.connections(), out).await?;
        if !matches!(self, Self::Migrate(_) | Self::Doctor(_) | Self::Bench(_)) {
            session.client.check_schema().await?;
        }
        let ran = self.run_in(&session).await;
        session.close().await;
        ran
    }

    /// The most connections that it opens.
    fn connections(&self) -> u32 {
        match self {
            #[cfg(feature = "serve")]
            Self::Serve(_) => SERVE_CONNECTIONS,
            Self::Bench(_) => BENCH_CONNECTIONS,
            _ => CONNECTIONS,
        }
    }

    async fn run_in(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Migrate(migrate) => migrate.run(session).await,
            Self::Stats(stats) => stats.run(session).await,
            Self::Jobs(jobs) => jobs.run(session).await,
            Self::Job(job) => job.run(session).await,
            Self::Explain(explain) => explain.run(session).await,
            Self::Dead(dead) => dead.run(session).await,
            Self::Workflows(workflows) => workflows.run(session).await,
            Self::Schedules(schedules) => schedules.run(session).await,
            Self::Enqueue(enqueue) => enqueue.run(session).await,
            Self::Retry(retry) => retry.run(session).await,
            Self::Cancel(cancel) => cancel.run(session).await,
            Self::Requeue(requeue) => requeue.run(session).await,
            Self::Change(change) => change.run(session).await,
            Self::Delete(delete) => delete.run(session).await,
            Self::Actions(actions) => actions.run(session).await,
            Self::Audit(audit) => audit.run(session).await,
            Self::Pause(pause) => pause.run(session).await,
            Self::Resume(resume) => resume.run(session).await,
            Self::Doctor(doctor) => doctor.run(session).await,
            #[cfg(feature = "top")]
            Self::Top(top) => top.run(session).await,
            #[cfg(feature = "serve")]
            Self::Serve(serve) => serve.run(session).await,
            Self::Bench(bench) => bench.run(session).await,
            Self::Sql(_) | Self::Grants(_) | Self::Completions(_) | Self::Man(_) => Ok(()),
        }
    }
}
