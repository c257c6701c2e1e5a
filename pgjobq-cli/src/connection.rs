//! The options that say which database is meant.

use std::time::Duration;

use clap::Args;
use pgjobq::Client;
use pgjobq::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use pgjobq::sqlx::{ConnectOptions as _, Connection as _};

use crate::failure::Failure;

/// The database and the schema.
#[derive(Args)]
pub(crate) struct Connection {
    /// The database: postgres://user:password@host/name
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// The schema of pgjobq
    #[arg(long, global = true, env = "PGJOBQ_SCHEMA", default_value = "pgjobq", value_name = "NAME")]
    pub(crate) schema: String,
    /// The time to wait for a connection
    #[arg(long, global = true, default_value = "5s", value_parser = crate::values::duration, value_name = "TIME")]
    connect_timeout: Duration,
}

impl Connection {
    /// Connects, so that a wrong address fails at once with its own error. The client opens at most this many connections.
    pub(crate) async fn client(&self, most: u32) -> Result<Client, Failure> {
        let options = self.options()?;
        self.probe(&options).await?;
        let pool = PgPoolOptions::new().max_connections(most).acquire_timeout(self.connect_timeout);
        let client = Client::builder(pool.connect_lazy_with(options)).schema(&self.schema).build();
        client.map_err(|error| Failure::Usage(error.to_string()))
    }

    fn options(&self) -> Result<PgConnectOptions, Failure> {
        let Some(url) = &self.url else {
            let instead = "set DATABASE_URL, or write --url postgres://user:password@host/name";
            return Err(Failure::Usage(format!("no database is named: {instead}")));
        };
        let wrong = |cause: &str| {
            // Never the URL itself, which may have a password in it.
            Failure::Usage(format!("the URL is not like postgres://user:password@host/name: {cause}"))
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong("it does not begin with postgres://"));
        }
        let options: PgConnectOptions = url.parse().map_err(|error| wrong(&cause(&error)))?;
        Ok(options.application_name("pgjobq"))
    }

    async fn probe(&self, options: &PgConnectOptions) -> Result<(), Failure> {
        let host = || format!("{}:{}", options.get_host(), options.get_port());
        let at = options.get_socket().map_or_else(host, |socket| socket.display().to_string());
        let unreachable =
            |why: &str| Failure::Unreachable(format!("the database at {at} could not be reached: {why}"));
        let opened = tokio::time::timeout(self.connect_timeout, options.connect()).await;
        match opened {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                Ok(())
            }
            Ok(Err(pgjobq::sqlx::Error::Database(refusal))) => Err(Failure::Unreachable(format!(
                "the server at {at} refused the connection: {}",
                refusal.message()
            ))),
            Ok(Err(error)) => Err(unreachable(&cause(&error))),
            Err(_) => Err(unreachable(&format!("it did not answer within {:?}", self.connect_timeout))),
        }
    }
}

/// Returns the innermost message of an error of sqlx, whose outer ones say only "error communicating with database".
pub(crate) fn cause(error: &pgjobq::sqlx::Error) -> String {
    use pgjobq::sqlx::Error;
    match error {
        Error::Database(refusal) => refusal.message().to_owned(),
        Error::Io(error) => error.to_string(),
        Error::Configuration(error) | Error::Tls(error) => error.to_string(),
        other => other.to_string(),
    }
}
