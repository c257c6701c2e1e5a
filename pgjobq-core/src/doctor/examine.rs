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
    /// open, tables that vacuum left behind, settings, silent workers, kinds that no worker takes, clocks that differ, poolers in
    /// transaction mode, lost notifications. Each [`Finding`] has the statement that repairs it. If there is a pooler, or the schema
    /// differs, it returns only that: the other checks need it in order.
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
        let mut findings = definitions::check(client).await?;
        if !findings.is_empty() {
            return Ok(findings); // What the other checks call may be missing.
        }
        for check in [Check::Partitions, Check::Transactions, Check::Tables, Check::Settings, Check::Workers]
        {
            findings.extend(statements::check(client, check, limits).await?);
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
