//! `pgjobq migrate`

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::session::Session;

/// Bring the schema up to date, or show what that would run
#[derive(Args)]
#[command(
    long_about = "Brings the schema up to date.\n\nRun it as the owner of the schema, before the programs of the new \
                  version start. Programs of the release before go on running."
)]
pub(crate) struct Migrate {
    /// Print the SQL that would run now, and run nothing
    #[arg(long, conflicts_with = "check")]
    print: bool,
    /// Exit with 5 if the schema is not up to date, and run nothing
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
struct MigratedJson<'s> {
    schema: &'s str,
    up_to_date: bool,
    migrated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<&'s str>,
}

impl Migrate {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let (schema, out) = (&*session.schema, session.out);
        let pending = session.client.migration_sql().await?;
        let mut answer = MigratedJson { schema, up_to_date: pending.is_none(), migrated: false, sql: None };
        if self.print {
            answer.sql = pending.as_deref();
            return match &pending {
                Some(sql) if !out.is_json() => out.raw(sql),
                _ => out.print(&answer, || format!("-- the schema `{schema}` is up to date")),
            };
        }
        if self.check {
            let up_to_date = answer.up_to_date;
            let state = if up_to_date { "up to date" } else { "not up to date" };
            let printed = out.print(&answer, || format!("the schema `{schema}` is {state}"));
            let instead = "`pgjobq migrate --print` shows what is missing";
            let behind = || Failure::Schema(format!("the schema `{schema}` is not up to date: {instead}"));
            return Failure::verdict(printed, up_to_date.then_some(()).ok_or_else(behind));
        }
        session.client.migrate_schema().await?;
        (answer.migrated, answer.up_to_date) = (pending.is_some(), true);
        let done = if answer.migrated { "was migrated" } else { "was up to date" };
        out.print(&answer, || format!("the schema `{schema}` {done}"))
    }
}
