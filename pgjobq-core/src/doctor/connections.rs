//! Looks for a pooler in transaction mode, and sends a notification to itself.

use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::timeout;
use uuid::Uuid;

use super::finding::{Check, Finding, Severity};
use crate::DatabaseError;
use crate::client::Client;
use crate::db::{open, pooler};

/// The time in which a notification arrives.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens two connections, and compares the processes of the server that answer.
pub(super) async fn find_pooler(client: &Client) -> Result<Option<Finding>, DatabaseError> {
    let shared = client.shared();
    let open = || async {
        open::open_like(&shared.pool, "pgjobq doctor").await.map_err(|error| shared.error(error))
    };
    let (mut one, mut another) = (open().await?, open().await?);
    let between = pooler::is_between(&mut [&mut one, &mut another], client.sql()).await;
    for connection in [one, another] {
        let _ = connection.close().await;
    }
    Ok(between?.then(|| Finding {
        check: Check::Pooler,
        severity: Severity::Error,
        subject: "pooler".to_owned(),
        sentence: "a pooler in transaction mode stands before the database: no worker starts through it, and no notification \
                   arrives; give workers a direct URL, or one in session mode, and programs that only enqueue a direct \
                   `listen_url`. The other checks need a direct URL, too"
            .to_owned(),
        repair: None,
    }))
}

/// Notifies itself, and waits for that.
pub(super) async fn find_deafness(client: &Client) -> Option<Finding> {
    let why = match timeout(ARRIVAL_TIMEOUT, notify(client)).await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("none arrived within {ARRIVAL_TIMEOUT:?}"),
    };
    Some(Finding {
        check: Check::Notifications,
        severity: Severity::Warning,
        subject: "notifications".to_owned(),
        sentence: format!(
            "notifications do not arrive ({why}): everything runs one poll later; look for a proxy or a pooler before the database"
        ),
        repair: None,
    })
}

/// Listens on a channel of its own, and notifies it.
async fn notify(client: &Client) -> Result<(), sqlx::Error> {
    let pool = client.pool();
    let channel = format!("pgjobq_doctor_{}", Uuid::new_v4().simple());
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(&channel).await?;
    // The channel has only letters and digits.
    sqlx::raw_sql(AssertSqlSafe(format!("notify {channel}"))).execute(pool).await?;
    listener.recv().await.map(drop)
}
