//! The token that each form carries: only a page of this dashboard can know it.

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::origin::cookie;

/// The name of the cookie with the secret from which the token is made.
const COOKIE: &str = "pgjobq_session";

/// The secret of a browser. It is no credential: the hook of the application says who asks.
pub(crate) struct Secret {
    secret: String,
    is_new: bool,
}

impl Secret {
    /// Reads the secret of the browser, or makes one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match cookie(headers, COOKIE, |value| value.len() == 32 && Uuid::try_parse(value).is_ok()) {
            Some(secret) => Self { secret: secret.to_owned(), is_new: false },
            None => Self { secret: Uuid::new_v4().simple().to_string(), is_new: true },
        }
    }

    /// Returns the token of this browser for this user.
    pub(crate) fn token(&self, user: &str) -> String {
        let digest = Sha256::new().chain_update(&self.secret).chain_update([0]).chain_update(user).finalize();
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the header that stores a new secret. No script reads it, and no page of another site sends it.
    pub(crate) fn to_store(&self) -> Option<HeaderValue> {
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", self.secret);
        HeaderValue::try_from(cookie).ok().filter(|_| self.is_new)
    }
}

/// Compares tokens in a time that does not tell where they differ.
pub(crate) fn is_same(given: &str, token: &str) -> bool {
    let differ = given.bytes().zip(token.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    given.len() == token.len() && differ == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn token_belongs_to_browser_and_user() {
        let (one, two) = (Secret::of(&HeaderMap::new()), Secret::of(&HeaderMap::new()));
        assert_ne!(one.token("ada"), two.token("ada"));
        assert_ne!(one.token("ada"), one.token("bob"));
        let mut headers = HeaderMap::new();
        headers.insert("cookie", one.to_store().unwrap());
        let again = Secret::of(&headers);
        assert!(is_same(&again.token("ada"), &one.token("ada")) && again.to_store().is_none());
        assert!(!is_same("", &one.token("ada")) && !is_same(&one.token("bob"), &one.token("ada")));
    }

    #[test]
    fn invalid_secret_is_replaced() {
        for value in ["", "short", "zz000000000000000000000000000000", "00000000-0000-0000-0000-000000000000"]
        {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", format!("{COOKIE}={value}").parse().unwrap());
            assert!(Secret::of(&headers).to_store().is_some(), "{value}");
        }
    }
}
