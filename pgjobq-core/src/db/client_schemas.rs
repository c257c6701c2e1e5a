//! The schemas of the clients that this process has built: a bare connection names none, and writes to `pgjobq`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::db::schema::Schema;

/// The schemas of the clients that this process has built.
pub(crate) static CLIENT_SCHEMAS: ClientSchemas = ClientSchemas::new();

#[derive(Debug)]
pub(crate) struct ClientSchemas {
    /// Set if one of them is `pgjobq`.
    default: AtomicBool,
    /// The first schema that is not `pgjobq`.
    other: OnceLock<String>,
}

impl ClientSchemas {
    const fn new() -> Self {
        Self { default: AtomicBool::new(false), other: OnceLock::new() }
    }

    /// Records the schema of a client.
    pub(crate) fn record(&self, schema: &Schema) {
        if *schema == Schema::default() {
            self.default.store(true, Ordering::Release);
        } else {
            self.other.get_or_init(|| schema.as_str().to_owned());
        }
    }

    /// Returns a client's schema if clients were built, and none for `pgjobq`. A job that goes to `pgjobq` anyway is lost
    /// on the wrong queue.
    pub(crate) fn only_other(&self) -> Option<&str> {
        let default = self.default.load(Ordering::Acquire);
        self.other.get().filter(|_| !default).map(String::as_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn client_of_the_default_schema_allows_bare_connections() {
        let schemas = ClientSchemas::new();
        assert_eq!(schemas.only_other(), None, "no client was built");
        schemas.record(&Schema::new("background").unwrap());
        schemas.record(&Schema::new("later").unwrap());
        assert_eq!(schemas.only_other(), Some("background"));
        schemas.record(&Schema::default());
        assert_eq!(schemas.only_other(), None);
    }
}
