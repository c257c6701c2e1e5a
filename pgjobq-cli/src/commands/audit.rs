//! `pgjobq audit`

use clap::Args;
use pgjobq::{AuditId, AuditRecord};
use serde::Serialize;

use crate::failure::Failure;
use crate::json::time;
use crate::session::Session;
use crate::table::Table;
use crate::text::{first_line, moment};

/// Show who asked for what, in the dashboard or by a command
#[derive(Args)]
#[command(
    after_help = "A record without an outcome is one whose program died before it had one. `pgjobq actions` has the actions on jobs."
)]
pub(crate) struct Audit {
    /// The records before this one, the last one of the page before
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// The most records to show, the latest first
    #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "RECORDS")]
    limit: u32,
}

#[derive(Serialize)]
struct PageJson<'r> {
    records: Vec<RecordJson<'r>>,
    /// The `--before` of the next page; null at the end.
    next: Option<i64>,
}

#[derive(Serialize)]
struct RecordJson<'r> {
    id: i64,
    asked_at: String,
    asked_by: &'r str,
    role: &'r str,
    action: &'r str,
    subject: &'r str,
    reason: Option<&'r str>,
    outcome: Option<&'r str>,
}

impl Audit {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let records = session.client.audit_records(self.before.map(AuditId), self.limit).await?;
        let is_full = records.len() == self.limit as usize;
        let next = records.last().filter(|_| is_full).map(|record| record.id.0);
        let json = PageJson { records: records.iter().map(RecordJson::from).collect(), next };
        session.out.print(&json, || shown(&records))?;
        if let Some(id) = next {
            session.out.note(&format!("there may be more: --before {id}"));
        }
        Ok(())
    }
}

impl<'r> From<&'r AuditRecord> for RecordJson<'r> {
    fn from(record: &'r AuditRecord) -> Self {
        Self {
            id: record.id.0,
            asked_at: time(record.at),
            asked_by: &record.by,
            role: &record.role,
            action: &record.action,
            subject: &record.subject,
            reason: record.reason.as_deref(),
            outcome: record.outcome.as_deref(),
        }
    }
}

fn shown(records: &[AuditRecord]) -> Table {
    let mut table = Table::new(&[">ID", "ASKED", "BY", "ACTION", "SUBJECT", "REASON", "OUTCOME"]);
    for record in records {
        table.row([
            record.id.to_string(),
            moment(record.at),
            record.by.clone(),
            record.action.clone(),
            first_line(&record.subject, 60),
            first_line(record.reason.as_deref().unwrap_or_default(), 40),
            first_line(record.outcome.as_deref().unwrap_or("-"), 60),
        ]);
    }
    table
}
