//! Cookies: reading one, and the header that stores one.

use axum::http::{HeaderMap, HeaderValue, header};

/// Returns the value of a cookie. If there are several of the name, the first that `good` accepts.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str, good: impl Fn(&str) -> bool) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).find(|value| good(value))
}

/// Returns the header that stores a cookie, for a number of seconds or for the session of the browser.
///
/// It is one of the whole host, because behind a proxy that strips a prefix the dashboard does not know where it is. No script reads it.
/// A page of another site sends it only with a link (`Lax`): with `Strict` a link from a chat would bring none, and get another one. If
/// the request came by https, the cookie is never sent without.
pub(crate) fn store(name: &str, value: &str, seconds: Option<u32>, is_https: bool) -> Option<HeaderValue> {
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let secure = if is_https { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}")).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; name=bad; name=good; b=name=x".parse().unwrap());
        assert_eq!(read(&headers, "name", |value| value == "good"), Some("good"));
        assert_eq!(read(&headers, "nam", |_| true), None);
    }

    #[test]
    fn cookie_of_https_is_secure() {
        assert_eq!(store("a", "1", None, false).unwrap(), "a=1; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(
            store("a", "", Some(0), true).unwrap(),
            "a=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
        );
    }
}
