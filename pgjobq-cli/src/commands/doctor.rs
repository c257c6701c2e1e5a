//! `pgjobq doctor`

use std::time::Duration;

use clap::Args;
use pgjobq::{Check, Finding, Repair, Severity};
use serde::Serialize;

use crate::failure::Failure;
use crate::repair::{FailedRepair, Repairs, repair};
use crate::session::Session;
use crate::values::duration;

/// Look for faults of the database that hurt jobs, each with the statement that repairs it
#[derive(Args)]
#[command(
    long_about = "Looks for faults of the database that hurt jobs, each with the statement that repairs it: another schema than \
                  this program's, missing partitions, transactions that stay open, replication slots that are behind, tables \
                  that vacuum left behind, settings, silent workers, jobs that no worker takes, clocks that differ, poolers in \
                  transaction mode, lost notifications.\n\nIt ends with 7 if it has found an error. It needs the role of an \
                  observer, and that of the owner for --fix."
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
    /// The number of transactions by which a replication slot may hold back vacuum
    #[arg(long, default_value_t = 1_000_000, value_name = "TRANSACTIONS")]
    slot_transactions: u64,
    /// The size of the WAL that a replication slot may keep on the server
    #[arg(long, default_value_t = 10 << 30, value_name = "BYTES")]
    slot_wal: u64,
    /// The difference from which on clocks disagree
    #[arg(long, value_parser = duration, default_value = "5s", value_name = "TIME")]
    clock_skew: Duration,
}

#[derive(Serialize)]
struct DiagnosisJson<'d> {
    findings: &'d [Finding],
    repaired: &'d [Finding],
    failed: &'d [FailedRepair],
}

impl Doctor {
    pub(crate) async fn run(self, session: &Session) -> Result<(), Failure> {
        let mut findings = self.examine(session).await?;
        let Repairs { repaired, failed } = match self.fix {
            true => self.repair(session, &mut findings).await?,
            false => Repairs::default(),
        };
        let json = DiagnosisJson { findings: &findings, repaired: &repaired, failed: &failed };
        let least = if self.strict { Severity::Warning } else { Severity::Error };
        let faults = findings.iter().filter(|finding| finding.severity >= least).count();
        let verdict = match (faults, failed.len()) {
            (0, 0) => Ok(()),
            (0, 1) => Err(Failure::Refused("1 repair failed".to_owned())),
            (0, repairs) => Err(Failure::Refused(format!("{repairs} repairs failed"))),
            (1, _) => Err(Failure::Faults("1 fault was found".to_owned())),
            (faults, _) => Err(Failure::Faults(format!("{faults} faults were found"))),
        };
        Failure::verdict(session.out.print(&json, || shown(&json)), verdict)
    }

    async fn examine(&self, session: &Session) -> Result<Vec<Finding>, Failure> {
        let examination =
            session.client.doctor().transaction_age(self.transaction_age).dead_rows(self.dead_rows);
        let examination = examination.slot_transactions(self.slot_transactions).slot_wal(self.slot_wal);
        Ok(examination.empty_bytes(self.empty_bytes).clock_skew(self.clock_skew).await?)
    }

    /// Runs the safe repairs, and examines the database again. A fault of the schema hides others, which a second round repairs.
    async fn repair(&self, session: &Session, findings: &mut Vec<Finding>) -> Result<Repairs, Failure> {
        let is_schema = |finding: &Finding| finding.check == Check::Schema;
        let rounds = if findings.iter().any(is_schema) { 2 } else { 1 };
        let mut repairs = Repairs::default();
        for _ in 0..rounds {
            let Repairs { repaired, failed } = repair(session, findings).await;
            repairs.repaired.extend(repaired);
            repairs.failed = failed;
            *findings = self.examine(session).await?;
        }
        // A repair that did not fail may not suffice.
        let is_there = |before: &Finding| {
            findings.iter().any(|now| now.subject == before.subject && now.check == before.check)
        };
        repairs.repaired.retain(|before| !is_there(before));
        Ok(repairs)
    }
}

fn shown(DiagnosisJson { findings, repaired, failed }: &DiagnosisJson<'_>) -> String {
    let mut text: String =
        repaired.iter().map(|finding| format!("repaired: {}\n", finding.sentence)).collect();
    for FailedRepair { finding, error } in *failed {
        text += &format!("not repaired: {}: {error}\n", finding.sentence);
    }
    for finding in *findings {
        let Finding { severity, check, sentence, .. } = finding;
        text += &format!("{severity}: {check}: {sentence}\n");
        text += &finding.repair.as_ref().map(shown_repair).unwrap_or_default();
    }
    if findings.is_empty() {
        let checks: Vec<_> = Check::ALL.iter().map(|check| check.as_str()).collect();
        text += &format!("no fault was found in: {}\n", checks.join(", "));
    }
    text
}

/// Returns the statements of a repair. A whole function or migration would hide the other findings: it returns the command that runs
/// them.
fn shown_repair(repair: &Repair) -> String {
    let sql = repair.sql.trim().trim_end_matches(';');
    if repair.is_safe && sql.contains('\n') {
        return "    pgjobq doctor --fix\n".to_owned();
    }
    format!("    {};\n", sql.replace('\n', "\n    "))
}
