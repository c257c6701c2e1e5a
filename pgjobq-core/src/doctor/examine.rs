//! The examination: which checks run, with which limits.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use super::finding::{Check, Finding};
use super::limits::Limits;
use super::{clock, connections, definitions, statements};
use crate::MigrateError;
use crate::client::Client;

/// An examination of the database: from [`Client::doctor`]. Change its limits, and await it. It changes nothing.
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// # async fn example(client: pgjobq::Client) -> Result<(), pgjobq::MigrateError> {
/// use std::time::Duration;
///
/// for finding in client.doctor().transaction_age(Duration::from_secs(600)).await? {
///     println!("{finding}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "await it"]
pub struct Examination<'c> {
    client: &'c Client,
    limits: Limits,
}

impl Client {
    /// Examines the database for faults that hurt jobs: another schema than this program's, missing partitions, transactions that stay
    /// open, replication slots that are behind, tables that vacuum left behind, settings, silent workers, jobs that no worker takes,
    /// clocks that differ, poolers in transaction mode, lost notifications. Each [`Finding`] has the statement that repairs it, or says
    /// what does. If there is a pooler, or the schema lacks what the other checks call, it returns only that.
    ///
    /// It reads, and sends one notification on a channel of its own. The role needs the rights of an observer. Of the sessions of other
    /// roles it sees only what `pg_read_all_stats` shows. It takes a second at most, unless notifications are lost: then five.
    pub fn doctor(&self) -> Examination<'_> {
        Examination { client: self, limits: Limits::DEFAULT }
    }
}

impl Examination<'_> {
    /// Sets the age from which on an open transaction is a fault; an hour by default.
    pub fn transaction_age(mut self, age: Duration) -> Self {
        self.limits.transaction_age = age;
        self
    }

    /// Sets the number of dead rows of a table from which on vacuum has left it behind; 100,000 by default. They are a fault only if
    /// they are more than a fifth of the live ones.
    pub fn dead_rows(mut self, rows: u64) -> Self {
        self.limits.dead_rows = rows;
        self
    }

    /// Sets the size in bytes from which on a table or an index that is mostly empty is a fault; 1 GiB by default.
    pub fn empty_bytes(mut self, bytes: u64) -> Self {
        self.limits.empty_bytes = bytes;
        self
    }

    /// Sets the number of transactions by which a replication slot may hold back vacuum; a million by default.
    pub fn slot_transactions(mut self, transactions: u64) -> Self {
        self.limits.slot_transactions = transactions;
        self
    }

    /// Sets the number of bytes of WAL that a replication slot may keep on the server; 10 GiB by default.
    pub fn slot_wal(mut self, bytes: u64) -> Self {
        self.limits.slot_wal = bytes;
        self
    }

    /// Sets the difference from which on the clocks of this machine and of the database disagree; five seconds by default. The time
    /// of the round trip is added to it.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.limits.clock_skew = skew;
        self
    }

    async fn run(self) -> Result<Vec<Finding>, MigrateError> {
        let (client, limits) = (self.client, self.limits);
        // First, because the other checks may not get through.
        if let Some(pooler) = connections::find_pooler(client).await? {
            return Ok(vec![pooler]);
        }
        let compared = definitions::check(client).await?;
        let mut findings = compared.findings;
        if !compared.is_usable {
            return Ok(findings);
        }
        for check in [Check::Partitions, Check::Transactions, Check::Tables, Check::Settings, Check::Workers]
        {
            match statements::check(client, check, limits).await {
                Ok(found) => findings.extend(found),
                // Without an index it may take too long, which must not hide that the index is missing.
                Err(error) if !findings.is_empty() => findings.push(Finding::failed(check, &error)),
                Err(error) => return Err(error.into()),
            }
        }
        findings.extend(clock::check(client, limits.clock_skew).await?);
        findings.extend(connections::find_deafness(client).await);
        Ok(findings)
    }
}

impl<'c> IntoFuture for Examination<'c> {
    type Output = Result<Vec<Finding>, MigrateError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
