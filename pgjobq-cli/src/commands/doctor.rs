//! `pgjobq doctor`

use std::time::Duration;

use clap::Args;
use pgjobq::sqlx::{self, AssertSqlSafe};
use pgjobq::{Check, Finding, Severity};
use serde::Serialize;

use crate::failure::Failure;
use crate::session::Session;
use crate::values::duration;

/// Look for faults of the database that hurt jobs, each with the statement that repairs it
#[derive(Args)]
#[command(
    long_about = "Looks for faults of the database that hurt jobs, each with the statement that repairs it: another schema than \
                  this program's, missing partitions, transactions that stay open, tables that vacuum left behind, settings, silent \
                  workers, kinds that no worker takes, clocks that differ, poolers in transaction mode, lost notifications.\n\nIt ends \
                  with 7 if it has found an error. It needs the role of an observer, and that of the owner for --fix."
)]
pub(crate) struct Doctor {
    /// Run the repairs that end no session, lose nothing and lock no table for long
    #[arg(long)]
    fix: bool,
    /// End with 7 for warnings, too
    #[arg(long)]
    strict: bool,
    /// The age from which on an open transaction is a fault
    #[arg(long, value_parser = duration, default_value = "1h", value_name = "TIME")]
    transaction_age: Duration,
    /// The number of dead rows from which on vacuum has left a table behind
    #[arg(long, default_value_t = 100_000, value_name = "ROWS")]
    dead_rows: u64,
    /// The size from which on a mostly empty table or index is a fault
    #[arg(long, default_value_t = 1 << 30, value_name = "BYTES")]
    empty_bytes: u64,
    /// The difference from which on clocks disagree
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "TIME")]
    clock_skew: Duration,
}

#[derive(Serialize)]
struct DiagnosisJson<'d> {
    findings: &'d [Finding],
    repaired: &'d [Finding],
}

impl Doctor {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut findings = self.examine(session).await?;
        let mut repaired = Vec::new();
        if self.fix {
            repaired = repair(session, &findings).await;
            findings = self.examine(session).await?;
            // Some repairs fail, and some do not suffice.
            repaired.retain(|before| {
                findings.iter().all(|now| now.subject != before.subject || now.check != before.check)
            });
        }
        let json = DiagnosisJson { findings: &findings, repaired: &repaired };
        session.out.print(&json, || shown(&findings, &repaired))?;
        let least = if self.strict { Severity::Warning } else { Severity::Error };
        match findings.iter().filter(|finding| finding.severity >= least).count() {
            0 => Ok(()),
            1 => Err(Failure::Faults("1 fault was found".to_owned())),
            faults => Err(Failure::Faults(format!("{faults} faults were found"))),
        }
    }

    async fn examine(&self, session: &Session) -> Result<Vec<Finding>, Failure> {
        let examination =
            session.client.doctor().transaction_age(self.transaction_age).dead_rows(self.dead_rows);
        Ok(examination.empty_bytes(self.empty_bytes).clock_skew(self.clock_skew).await?)
    }
}

/// Runs the safe repairs, and returns the findings whose repair did not fail.
async fn repair(session: &Session, findings: &[Finding]) -> Vec<Finding> {
    let mut repaired = Vec::new();
    for finding in findings {
        let Some(repair) = finding.repair.as_ref().filter(|repair| repair.is_safe) else { continue };
        let is_migration = finding.check == Check::Schema && finding.subject == "migrations";
        let done = if is_migration {
            session.client.migrate_schema().await.map_err(|error| error.to_string())
        } else {
            let run = sqlx::raw_sql(AssertSqlSafe(repair.sql.clone())).execute(session.client.pool()).await;
            run.map(drop).map_err(|error| error.to_string())
        };
        match done {
            Ok(()) => repaired.push(finding.clone()),
            Err(error) => session.out.note(&format!("not repaired: {}: {error}", finding.subject)),
        }
    }
    repaired
}

fn shown(findings: &[Finding], repaired: &[Finding]) -> String {
    let mut text: String =
        repaired.iter().map(|finding| format!("repaired: {}\n", finding.sentence)).collect();
    for finding in findings {
        let Finding { severity, check, sentence, .. } = finding;
        text += &format!("{severity}: {check}: {sentence}\n");
        if let Some(repair) = &finding.repair {
            // A whole function or migration would hide the other findings.
            let lines: Vec<_> = repair.sql.lines().collect();
            text += &match lines[..] {
                [line] => format!("    {};\n", line.trim_end_matches(';')),
                _ => "    pgjobq doctor --fix\n".to_owned(),
            };
        }
    }
    if findings.is_empty() {
        let checks: Vec<_> = Check::ALL.iter().map(|check| check.as_str()).collect();
        text += &format!("no fault was found in: {}\n", checks.join(", "));
    }
    text
}
