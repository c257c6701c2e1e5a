//! The database: its schema and statements, connections, and notifications.

pub(crate) mod acted;
pub(crate) mod answers;
pub(crate) mod client_schemas;
pub(crate) mod error;
pub(crate) mod ids;
pub(crate) mod installed;
pub(crate) mod kept;
pub(crate) mod listen;
pub(crate) mod listen_connect;
pub(crate) mod literal;
pub(crate) mod local_workers;
pub(crate) mod migrate;
pub(crate) mod notifier;
pub(crate) mod one_message;
pub(crate) mod open;
pub(crate) mod partitions;
pub(crate) mod pooler;
pub(crate) mod query;
pub(crate) mod schema;
pub(crate) mod shared;
pub(crate) mod statements;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod tries;
pub(crate) mod tx_pool;
pub(crate) mod wake_ups;
