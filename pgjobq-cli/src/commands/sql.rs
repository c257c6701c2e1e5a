//! `pgjobq sql`

use clap::Args;
use serde::Serialize;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::Output;

/// Print the SQL of the whole schema, with its roles and grants. It needs no database
#[derive(Args)]
pub(crate) struct Sql {}

/// A script as JSON.
#[derive(Serialize)]
pub(crate) struct ScriptJson<'s> {
    pub(crate) sql: &'s str,
}

impl Sql {
    pub(crate) fn run(self, connection: &Connection, out: Output) -> Result<(), Failure> {
        let sql = pgjobq::schema_sql(&connection.schema);
        let sql = sql.map_err(|error| Failure::Usage(error.to_string()))?;
        if out.is_json() { out.print(&ScriptJson { sql: &sql }, String::new) } else { out.raw(&sql) }
    }
}
