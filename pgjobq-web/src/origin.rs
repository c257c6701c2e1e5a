//! The origin of a request: a form of another site must not act here.

use axum::http::header::ORIGIN;
use axum::http::request::Parts;

use crate::address::{host, is_https};

/// Returns whether a request comes from a page of the dashboard's own origin: the browser says so in `Sec-Fetch-Site`, or else `Origin`
/// has the scheme and the host of the request, or is one of `allowed`. A request with neither is refused.
pub(crate) fn is_same(request: &Parts, allowed: &[String]) -> bool {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if request.headers.contains_key("sec-fetch-site") {
        return text("sec-fetch-site") == Some("same-origin");
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    // Behind a proxy that does not say so, a request by https looks like one without.
    let of_http = || origin.strip_prefix("http://").filter(|_| !is_https(request));
    let of_host = origin.strip_prefix("https://").or_else(of_http);
    let is_ours = of_host.zip(host(request)).is_some_and(|(of, host)| of.eq_ignore_ascii_case(host));
    is_ours || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn is_same_with(headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_same(&request.body(()).unwrap().into_parts().0, &["http://proxied:81".to_owned()])
    }

    #[test]
    fn only_own_pages_are_of_the_same_origin() {
        assert!(is_same_with(&[("sec-fetch-site", "same-origin"), ("origin", "https://x"), ("host", "y")]));
        assert!(is_same_with(&[("origin", "https://Jobs.example"), ("host", "jobs.example")]));
        assert!(is_same_with(&[("origin", "http://x"), ("host", "x")]));
        assert!(is_same_with(&[("origin", "http://proxied:81"), ("host", "inner")]));
        for site in ["same-site", "cross-site", "none", ""] {
            let headers = [("sec-fetch-site", site), ("origin", "https://x"), ("host", "x")];
            assert!(!is_same_with(&headers), "{site}");
        }
        for origin in ["null", "https://evil", "https://x.evil", "https://x:444", "x"] {
            assert!(!is_same_with(&[("origin", origin), ("host", "x")]), "{origin}");
        }
        assert!(!is_same_with(&[("host", "x")]));
    }

    #[test]
    fn page_of_another_scheme_is_of_another_origin() {
        let https = ("x-forwarded-proto", "https");
        assert!(is_same_with(&[("origin", "https://x"), ("host", "x"), https]));
        assert!(!is_same_with(&[("origin", "http://x"), ("host", "x"), https]));
        for origin in ["moz-extension://x", "ftp://x", "file://x", "://x", "HTTPSx"] {
            assert!(!is_same_with(&[("origin", origin), ("host", "x")]), "{origin}");
        }
    }
}
