//! Statements on the client's pool that must see what others have committed a moment ago.

use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use crate::StoreError;
use crate::client::Shared;

/// A transaction of ours, whatever the role's default is.
pub(crate) const BEGIN: &str = "begin isolation level read committed read write";

impl Shared {
    /// The row of a statement at READ COMMITTED, also where the role's default is another.
    pub(crate) async fn fresh_row(
        &self,
        query: Query<'static, Postgres, PgArguments>,
    ) -> Result<PgRow, StoreError> {
        let pool = self.pool.clone();
        // In a task of its own: a transaction must not be dropped half-way by a caller that goes away.
        let answered = tokio::spawn(async move {
            let mut tx = pool.begin_with(BEGIN).await?;
            let row = query.fetch_one(&mut *tx).await?;
            tx.commit().await?;
            Ok(row)
        });
        let answered = answered.await.unwrap_or_else(|error| Err(sqlx::Error::Protocol(error.to_string())));
        answered.map_err(|error| self.error(error))
    }
}
