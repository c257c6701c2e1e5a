//! The token that each form carries. A page of another site does not know it, because it is made of a cookie that such a page cannot read.
//!
//! A page of a sibling domain can set a cookie for both, and then knows its token. Over https the name of ours has the prefix `__Host-`,
//! which browsers refuse to such pages. Without https only the check of the origin stops them.

use axum::http::HeaderValue;
use axum::http::request::Parts;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::address::is_https;
use crate::cookie;

/// The name of the cookie with the secret from which the token is made.
const COOKIE: &str = "pgjobq_session";
/// The same over https. A browser stores it only for the host that sent it.
const SECURE_COOKIE: &str = "__Host-pgjobq_session";

/// The secret of a browser. It is no credential: the hook of the application says who asks.
pub(crate) struct Secret {
    secret: String,
    is_new: bool,
    is_https: bool,
}

impl Secret {
    /// Reads the secret of the browser, or makes one.
    pub(crate) fn of(request: &Parts) -> Self {
        let is_https = is_https(request);
        let is_secret = |value: &str| value.len() == 32 && Uuid::try_parse(value).is_ok();
        match cookie::read(&request.headers, name(is_https), is_secret) {
            Some(secret) => Self { secret: secret.to_owned(), is_new: false, is_https },
            None => Self { secret: Uuid::new_v4().simple().to_string(), is_new: true, is_https },
        }
    }

    /// Returns the token of this browser for this user.
    pub(crate) fn token(&self, user: &str) -> String {
        let digest = Sha256::new().chain_update(&self.secret).chain_update([0]).chain_update(user).finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the header that stores a new secret.
    pub(crate) fn to_store(&self) -> Option<HeaderValue> {
        if !self.is_new {
            return None;
        }
        cookie::store(name(self.is_https), &self.secret, None, self.is_https)
    }
}

fn name(is_https: bool) -> &'static str {
    if is_https { SECURE_COOKIE } else { COOKIE }
}

/// Compares tokens in a time that does not tell where they differ.
pub(crate) fn is_same(given: &str, token: &str) -> bool {
    let differ = given.bytes().zip(token.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    given.len() == token.len() && differ == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn secret_of(headers: &[(&str, &str)]) -> Secret {
        let request =
            headers.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value));
        Secret::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn token_belongs_to_browser_and_user() {
        let (one, two) = (secret_of(&[]), secret_of(&[]));
        assert_ne!(one.token("ada"), two.token("ada"));
        assert_ne!(one.token("ada"), one.token("bob"));
        let again = secret_of(&[("cookie", one.to_store().unwrap().to_str().unwrap())]);
        assert!(is_same(&again.token("ada"), &one.token("ada")) && again.to_store().is_none());
        assert!(!is_same("", &one.token("ada")) && !is_same(&one.token("bob"), &one.token("ada")));
    }

    #[test]
    fn secret_of_https_is_no_other_hosts() {
        let https = ("x-forwarded-proto", "https");
        let stored = secret_of(&[https]).to_store().unwrap();
        let stored = stored.to_str().unwrap();
        assert!(stored.starts_with("__Host-pgjobq_session=") && stored.ends_with("; Secure"), "{stored}");
        assert!(secret_of(&[https, ("cookie", stored)]).to_store().is_none());
        let of_sibling = stored.strip_prefix("__Host-").unwrap();
        assert!(secret_of(&[https, ("cookie", of_sibling)]).to_store().is_some());
    }

    #[test]
    fn invalid_secret_is_replaced() {
        for value in ["", "short", "zz000000000000000000000000000000", "00000000-0000-0000-0000-000000000000"]
        {
            assert!(secret_of(&[("cookie", &format!("{COOKIE}={value}"))]).to_store().is_some(), "{value}");
        }
    }
}
