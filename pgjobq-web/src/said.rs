//! The outcome of an action, which a cookie carries to the next page.

use axum::http::{HeaderMap, HeaderValue};

use crate::cookie;

/// The name of the cookie.
const COOKIE: &str = "pgjobq_said";
/// The longest outcome that it carries, in bytes.
const MOST_SAID: usize = 1000;
/// The time for which the browser keeps it, in seconds.
const KEPT: u32 = 60;

/// The outcome of an action: an extension of its response.
#[derive(Clone)]
pub(crate) struct Said(pub(crate) String);

impl Said {
    /// Reads the outcome of the action before. Its characters are escaped as in a query.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let said = cookie::read(headers, COOKIE, |value| !value.is_empty())?;
        form_urlencoded::parse(said.as_bytes()).next().map(|(said, _)| Self(said.into_owned()))
    }

    /// Returns the header that stores it for the next page.
    pub(crate) fn to_store(&self, is_https: bool) -> Option<HeaderValue> {
        let Self(said) = self;
        let end = said.floor_char_boundary(MOST_SAID);
        let escaped: String = form_urlencoded::byte_serialize(&said.as_bytes()[..end]).collect();
        cookie::store(COOKIE, &escaped, Some(KEPT), is_https)
    }

    /// Returns the header that removes it.
    pub(crate) fn to_forget(is_https: bool) -> Option<HeaderValue> {
        cookie::store(COOKIE, "", Some(0), is_https)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn long_outcome_is_cut_between_characters() {
        let said = Said(format!("; \"{}", "ü".repeat(MOST_SAID)));
        let stored = said.to_store(false).unwrap();
        let mut headers = HeaderMap::new();
        let cookie = stored.to_str().unwrap().split(';').next().unwrap();
        headers.insert("cookie", cookie.parse().unwrap());
        let read = Said::of(&headers).unwrap().0;
        assert!(said.0.starts_with(&read) && (MOST_SAID - 1..=MOST_SAID).contains(&read.len()), "{read}");
    }
}
