//! A connection to listen on.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use crate::DatabaseError;
use crate::db::installed::About;
use crate::db::open;
use crate::db::pooler;
use crate::db::shared::Shared;

/// The time that a connection has to open, or to answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of an attempt to listen.
pub(super) enum Connected {
    Listens(PgListener),
    /// A transaction-mode pooler would deliver our notifications to another client, which they would confuse.
    Pooler,
}

/// Listens at the client's `listen_url`, or else where its pool is connected to. Only the first connection is checked
/// for a pooler.
pub(super) async fn connect(shared: &Shared, first: bool) -> Result<Connected, DatabaseError> {
    let failed = |error| shared.error(error);
    let (like, options) = match &shared.listen {
        Some(options) => (PgPoolOptions::new(), options.clone()),
        None => (open::like(&shared.pool), shared.pool.connect_options().as_ref().clone()),
    };
    let options = options.application_name("pgjobq listener");
    // This thread needs its own pool, because a connection belongs to the runtime that opened it.
    let pool = like.max_connections(1).acquire_timeout(ANSWER_TIMEOUT);
    let pool = pool.connect_with(options.clone()).await.map_err(failed)?;
    // If the server has no other connection free, there is no check; most likely there is no pooler.
    if first && let Ok(mut another) = options.connect().await {
        let mut listening = pool.acquire().await.map_err(failed)?;
        let between = pooler::is_between(&mut [&mut listening, &mut another], &shared.sql).await;
        let _ = another.close().await;
        if between? {
            return Ok(Connected::Pooler);
        }
    }
    let about = match shared.about.get() {
        Some(about) => about.clone(),
        None => About::read(&pool, &shared.sql).await?,
    };
    let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
    listener.eager_reconnect(false);
    listener.listen(&about.channel).await.map_err(failed)?;
    Ok(Connected::Listens(listener))
}
