//! The checks that are one statement each. Their sentences and repairs are made in SQL.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::finding::{Check, Finding, Repair, Severity};
use super::limits::Limits;
use crate::DatabaseError;
use crate::client::Client;

/// Runs a check that is a statement.
pub(super) async fn check(
    client: &Client,
    check: Check,
    limits: Limits,
) -> Result<Vec<Finding>, DatabaseError> {
    let (shared, sql) = (client.shared(), client.sql());
    let age = i64::try_from(limits.transaction_age.as_micros()).unwrap_or(i64::MAX);
    let Limits { dead_rows, empty_bytes, slot_transactions, slot_wal, .. } = limits;
    let [rows, bytes, transactions, wal] = [dead_rows, empty_bytes, slot_transactions, slot_wal]
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let found = match check {
        Check::Partitions => shared.read(&sql.doctor_partitions, &[]).await?,
        Check::Transactions => shared.read(&sql.doctor_transactions, &[&age, &transactions, &wal]).await?,
        Check::Tables => shared.read(&sql.doctor_tables, &[&rows, &bytes]).await?,
        Check::Settings => shared.read(&sql.doctor_settings, &[]).await?,
        Check::Workers => shared.read(&sql.doctor_workers, &[]).await?,
        Check::Schema | Check::Clock | Check::Pooler | Check::Notifications => Vec::new(),
    };
    let read = |row: &PgRow| read(check, row);
    found.iter().map(read).collect::<Result<_, _>>().map_err(DatabaseError::Refused)
}

fn read(check: Check, row: &PgRow) -> Result<Finding, sqlx::Error> {
    let severity: String = row.try_get("severity")?;
    let is_safe = row.try_get("is_safe")?;
    let repair = row.try_get::<Option<String>, _>("repair")?.map(|sql| Repair { sql, is_safe });
    Ok(Finding {
        check,
        severity: if severity == "error" { Severity::Error } else { Severity::Warning },
        subject: row.try_get("subject")?,
        sentence: row.try_get("sentence")?,
        repair,
    })
}
