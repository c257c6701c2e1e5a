//! `pgjobq grants`

use clap::{Args, ValueEnum};
use pgjobq::SchemaRole;

use crate::commands::sql::ScriptJson;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::Output;

/// Print the SQL that creates a database role with the rights for a part. It needs no database
#[derive(Args)]
#[command(
    after_help = "Run it as the owner of the schema: pgjobq grants --role observer | psql\n\nIt creates the role `pgjobq_observer`, which cannot \
                  log in. Then make a role that logs in, and that must exist, a member:\n  create role ada login;\n  grant pgjobq_observer \
                  to ada;"
)]
pub(crate) struct Grants {
    /// The part
    #[arg(long)]
    role: Part,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// Enqueues, waits, looks and cancels: a web server
    #[value(alias = "pgjobq_producer")]
    Producer,
    /// Runs jobs: a process with a worker
    #[value(alias = "pgjobq_worker")]
    Worker,
    /// Sees everything and changes nothing: a dashboard, a person on call
    #[value(alias = "pgjobq_observer")]
    Observer,
    /// Acts on jobs, pauses and changes settings, and runs no job: an operator
    #[value(aliases = ["admin", "pgjobq_administrator"])]
    Administrator,
}

impl Grants {
    pub(crate) fn run(self, connection: &Connection, out: Output) -> Result<(), Failure> {
        let role = match self.role {
            Part::Producer => SchemaRole::Producer,
            Part::Worker => SchemaRole::Worker,
            Part::Observer => SchemaRole::Observer,
            Part::Administrator => SchemaRole::Administrator,
        };
        let sql = pgjobq::grants_sql(&connection.schema, role);
        let sql = sql.map_err(|error| Failure::Usage(error.to_string()))?;
        if out.is_json() { out.print(&ScriptJson { sql: &sql }, String::new) } else { out.raw(&sql) }
    }
}
