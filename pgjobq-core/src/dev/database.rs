//! A database to develop with.

use std::sync::Once;

use super::environment::Environment;
use super::error::DevError;
use super::shared::{Origin, Share};

/// A database to develop with: the one `DATABASE_URL` names, else a throwaway server on this machine.
///
/// 1. If the variable `DATABASE_URL` is set, that is it, and nothing is started.
/// 2. Otherwise the PostgreSQL programs of this machine (15 or newer) start a server, and one line on standard error
///    reports it. The search covers `PGJOBQ_PG_BIN`, `PATH`, and the folders of packages.
/// 3. Otherwise, with the feature `embedded`, the programs of PostgreSQL 18 are fetched from the releases of
///    [postgresql-binaries](https://github.com/theseus-rs/postgresql-binaries), once, into the folder of the server's data.
/// 4. Otherwise the error lists the ways out.
///
/// The server listens on a socket in a folder that no other user can enter (on Windows, on a port of 127.0.0.1). All
/// programs of a user share it: it starts with the first [`Database`] and stops with the last.
///
/// **It keeps its data from run to run**, so that the next start takes a moment only: jobs of an earlier run that never
/// ended are still there. They are in the folder that the line names, in `$XDG_CACHE_HOME`, or else in `~/.cache`. Delete
/// that folder to begin anew, while no program uses the server. The data are **not safe**: the server does not wait for
/// the disk, and makes a new data directory when it cannot start on the old one.
///
/// **Keep the [`Database`] in a variable** for as long as you use the server, and not only its address:
/// `let url = database().await?.url().to_owned();` drops it at the end of that line, which stops the server.
///
/// If a program is killed, or ends without dropping its [`Database`], the server stays for the next program, which
/// finally stops it.
///
/// # Errors
///
/// No server programs, or they cannot start a server; the message says what to do.
///
/// # Panics
///
/// Outside a Tokio runtime.
///
/// # Examples
///
/// ```no_run
/// # use pgjobq_core as pgjobq;
/// use sqlx::PgPool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let database = pgjobq::dev::database().await?; // The server lives as long as this.
/// let pool = PgPool::connect(database.url()).await?;
/// // …
/// pool.close().await;
/// drop(database); // Stops the server, if no other program uses it.
/// # Ok(())
/// # }
/// ```
pub async fn database() -> Result<Database, DevError> {
    let database = Database::find(Environment::current()).await?;
    static TOLD: Once = Once::new();
    if let Some(share) = &database.share {
        TOLD.call_once(|| eprintln!("{}", share.notice()));
    }
    Ok(database)
}

/// A database to develop with, from [`database`].
///
/// Keep it until the last connection is closed, because the server lives as long as this value. Dropping the last one
/// stops the server and disconnects its clients; this blocks for about 0.1 s, and for at most 10 s.
#[derive(Debug)]
#[must_use = "dropping it stops the server: keep it in a variable, as in `let database = …`"]
pub struct Database {
    url: String,
    share: Option<Share>,
}

impl Database {
    /// Its address, for `PgPool::connect`. It leads nowhere once the [`Database`] is dropped.
    ///
    /// ```no_run
    /// # use pgjobq_core as pgjobq;
    /// # async fn example() -> Result<(), pgjobq::dev::DevError> {
    /// let database = pgjobq::dev::database().await?;
    /// println!("psql '{}'", database.url());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn find(environment: Environment) -> Result<Self, DevError> {
        if let Some(url) = environment.database_url {
            return Ok(Self { url, share: None });
        }
        let share = super::server::off_thread(move || Share::enter(&environment)).await?;
        Ok(Self { url: share.endpoint.url("postgres"), share: Some(share) })
    }

    /// Returns whether the server was started by a program of this user, and stops when no program uses it any more.
    #[cfg(feature = "testing")]
    pub(crate) fn is_throwaway(&self) -> bool {
        self.share.is_some()
    }

    #[cfg(test)]
    pub(super) fn share(&self) -> Option<&Share> {
        self.share.as_ref()
    }
}

impl Share {
    fn notice(&self) -> String {
        let (version, folders) = (&self.cluster.programs.version, &self.cluster.folders);
        let root = folders.root.display();
        match self.origin {
            Origin::Started => {
                format!("no DATABASE_URL: started PostgreSQL {version} (throwaway, in {root})")
            }
            Origin::Found => {
                format!("no DATABASE_URL: joined the running PostgreSQL {version} (throwaway, in {root})")
            }
            Origin::Renewed => format!(
                "no DATABASE_URL: started PostgreSQL {version} (throwaway, in {root}) without its old data, on which it \
                 did not start; they are in {}",
                folders.broken().display()
            ),
        }
    }
}
