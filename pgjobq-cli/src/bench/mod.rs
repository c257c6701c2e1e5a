//! `pgjobq bench`: a short measurement on the user's own server.

mod figures;
mod job;
mod measure;
mod schema;

use clap::Args;
use pgjobq::shutdown_signal;
use serde::Serialize;
use tokio::task::JoinHandle;

use self::figures::Figures;
use self::measure::Measurement;
use self::schema::{BenchSchema, SCHEMA};
use crate::failure::Failure;
use crate::session::Session;
use crate::text::counted;

/// Measure how many jobs this server takes: enqueues, drains, and the time until a job starts
#[derive(Args)]
#[command(
    long_about = "Measures how many jobs this server takes: how fast they are enqueued in bulk, how fast a worker of this process \
                  drains them, how long a single one waits for its start, and the WAL that they write.\n\nThe jobs do nothing. They \
                  are in a schema of their own, `pgjobq_bench`, which is made for it and removed at the end, also after Ctrl-C. \
                  Nothing else is read or written, but the server is busy meanwhile. It needs the right to create a schema.",
    after_help = "The figures are those of this machine as well: run it where the workers will run."
)]
pub(crate) struct Bench {
    /// The number of jobs to enqueue and to drain
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000), value_name = "JOBS")]
    jobs: u64,
    /// How many of them the worker runs at a time
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "SLOTS")]
    slots: u32,
}

#[derive(Serialize)]
struct FiguresJson<'f> {
    /// The version of the server.
    server: &'f str,
    #[serde(flatten)]
    figures: &'f Figures,
}

impl Bench {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        // From here on a signal ends no process that has made something.
        let signalled = tokio::spawn(shutdown_signal());
        let schema = BenchSchema::create(session.client.pool()).await?;
        let jobs = counted(self.jobs, "job");
        session.out.note(&format!("{jobs}, in the schema `{SCHEMA}`, which is removed at the end …"));
        let measured = self.measure(session, signalled).await;
        let server = schema.remove().await?;
        let figures = measured?;
        let json = FiguresJson { server: &server, figures: &figures };
        session.out.print(&json, || format!("{jobs} on PostgreSQL {server}\n{figures}"))
    }

    /// Measures until the end or a signal. Then nothing uses the schema any more.
    async fn measure(&self, session: &Session, signalled: JoinHandle<()>) -> Result<Figures, Failure> {
        let mut measurement = Measurement::new(session.client.pool(), self.jobs, self.slots)?;
        // A migration that was interrupted would go on, and make the schema again.
        measurement.migrate().await?;
        let measured = tokio::select! {
            biased;
            _ = signalled => Err(Failure::Interrupted(format!("interrupted: the schema `{SCHEMA}` is removed"))),
            measured = measurement.run() => measured,
        };
        measurement.end().await;
        measured
    }
}
