//! The repairs of the doctor that run unasked.

use std::collections::BTreeMap;

use pgjobq::sqlx::{self, AssertSqlSafe};
use pgjobq::{Check, Finding};
use serde::Serialize;

use crate::connection::cause;
use crate::failure::Failure;
use crate::session::Session;

/// The repairs that were run.
#[derive(Default)]
pub(crate) struct Repairs {
    /// The findings whose repair did not fail.
    pub(crate) repaired: Vec<Finding>,
    pub(crate) failed: Vec<FailedRepair>,
}

/// A repair that failed.
#[derive(Serialize)]
pub(crate) struct FailedRepair {
    pub(crate) finding: Finding,
    pub(crate) error: String,
}

/// Runs the safe repairs, each once: one script repairs all functions.
pub(crate) async fn repair(session: &Session, findings: &[Finding]) -> Repairs {
    let (mut ran, mut repairs) = (BTreeMap::new(), Repairs::default());
    for finding in findings {
        let Some(repair) = finding.repair.as_ref().filter(|repair| repair.is_safe) else { continue };
        let sql = &*repair.sql;
        if !ran.contains_key(sql) {
            ran.insert(sql, run(session, finding, sql).await);
        }
        match &ran[sql] {
            Ok(()) => repairs.repaired.push(finding.clone()),
            Err(error) => {
                repairs.failed.push(FailedRepair { finding: finding.clone(), error: error.to_string() });
            }
        }
    }
    repairs
}

async fn run(session: &Session, finding: &Finding, sql: &str) -> Result<(), Failure> {
    let is_migration = finding.check == Check::Schema && finding.subject == "migrations";
    if is_migration {
        return Ok(session.client.migrate_schema().await?); // Without the jobs of this program.
    }
    let refused = |error: sqlx::Error| Failure::Refused(cause(&error));
    let mut connection = session.client.pool().acquire().await.map_err(refused)?;
    connection.close_on_drop(); // A repair that fails may leave its transaction open.
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await;
    ran.map(drop).map_err(refused)
}
