//! The decision who may use the dashboard. There is none by default but on this machine.

use std::env::VarError;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use pgjobq_web::RouterWithoutAuth;

use super::credentials::Credentials;
use super::local::{self, is_loopback};
use crate::failure::Failure;

/// The variable with the password. An option would be seen in the list of processes.
pub(super) const PASSWORD: &str = "PGJOBQ_PASSWORD";
/// The least length of a password: it may be tried from anywhere.
const MIN_PASSWORD_CHARS: usize = 12;

/// The people who may use the dashboard. All of them may do everything, unless it is read-only.
pub(super) enum Access {
    /// Whoever uses this machine.
    Local,
    /// One user, by name and password.
    One(Credentials),
    /// Everybody who reaches the address.
    Everyone,
}

impl Access {
    /// Decides who may use a dashboard that listens at this address, or explains what is missing.
    pub(super) fn decide(
        listen: SocketAddr,
        user: Option<String>,
        password: Option<String>,
        open_to_everyone: bool,
    ) -> Result<Self, Failure> {
        match (user, password) {
            (Some(user), Some(password)) => {
                check(&user, &password)?;
                Ok(Self::One(Credentials::new(user, &password)))
            }
            (Some(_), None) => {
                usage(format!("--user needs a password: set {PASSWORD}, or write --password-file FILE"))
            }
            (None, Some(_)) => {
                usage(format!("{PASSWORD} is set, and there is no user: write --user NAME, or unset it"))
            }
            (None, None) if open_to_everyone => Ok(Self::Everyone),
            (None, None) if is_loopback(listen) => Ok(Self::Local),
            (None, None) => usage(format!(
                "`serve` listens on {listen} only with a user, because whoever reaches it may act on jobs: write --user NAME, and set \
                 {PASSWORD} or write --password-file FILE; or write --open-to-everyone, if something before it decides who reaches it"
            )),
        }
    }

    /// Returns the dashboard for these people.
    pub(super) fn router(self, dashboard: RouterWithoutAuth) -> Router {
        match self {
            Self::Local => dashboard.auth(async |request: Parts| local::user(&request)),
            Self::Everyone => dashboard.open_to_everyone(),
            Self::One(credentials) => {
                let credentials = Arc::new(credentials);
                dashboard.auth(move |request: Parts| {
                    let credentials = Arc::clone(&credentials);
                    async move { credentials.user(&request).await }
                })
            }
        }
    }
}

/// Reads the password: from the file, or else from the variable.
pub(super) fn password(file: Option<&Path>) -> Result<Option<String>, Failure> {
    if let Some(file) = file {
        let unreadable = |error| format!("the password file {} could not be read: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| Failure::Usage(unreadable(error)))?;
        return Ok(Some(text.lines().next().unwrap_or_default().to_owned()));
    }
    match std::env::var(PASSWORD) {
        Ok(password) => Ok(Some(password)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => usage(format!("{PASSWORD} is no UTF-8: write another password")),
    }
}

fn check(user: &str, password: &str) -> Result<(), Failure> {
    if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
        return usage("--user is a name without colons, because a browser sends NAME:PASSWORD".to_owned());
    }
    if password.chars().count() < MIN_PASSWORD_CHARS {
        let instead = "`openssl rand -base64 18` makes one";
        return usage(format!("the password has fewer than {MIN_PASSWORD_CHARS} characters: {instead}"));
    }
    Ok(())
}

fn usage<T>(message: String) -> Result<T, Failure> {
    Err(Failure::Usage(message))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn decided(
        listen: &str,
        user: Option<&str>,
        password: Option<&str>,
        open: bool,
    ) -> Result<&'static str, String> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        match Access::decide(listen.parse().unwrap(), owned(user), owned(password), open) {
            Ok(Access::Local) => Ok("local"),
            Ok(Access::One(_)) => Ok("one"),
            Ok(Access::Everyone) => Ok("everyone"),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn only_loopback_needs_no_decision() {
        for listen in ["127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(decided(listen, None, None, false), Ok("local"), "{listen}");
        }
        for listen in ["0.0.0.0:8080", "[::]:8080", "10.0.0.5:80", "[::ffff:10.0.0.5]:80"] {
            let refused = decided(listen, None, None, false).unwrap_err();
            assert!(refused.contains("only with a user") && refused.contains("--user NAME"), "{refused}");
            assert_eq!(decided(listen, Some("ada"), Some("correct horse battery"), false), Ok("one"));
            assert_eq!(decided(listen, None, None, true), Ok("everyone"));
        }
    }

    #[test]
    fn user_and_password_need_each_other() {
        let password = Some("correct horse battery");
        assert!(
            decided("127.0.0.1:1", Some("ada"), None, false).unwrap_err().contains("--user needs a password")
        );
        for open in [false, true] {
            let refused = decided("127.0.0.1:1", None, password, open).unwrap_err();
            assert!(refused.contains("there is no user"), "{refused}");
        }
        assert!(
            decided("127.0.0.1:1", Some("ada:b"), password, false).unwrap_err().contains("without colons")
        );
        let refused = decided("127.0.0.1:1", Some("ada"), Some("elevenchars"), false).unwrap_err();
        assert!(
            refused.contains("fewer than 12 characters") && !refused.contains("elevenchars"),
            "{refused}"
        );
    }
}
