//! The origin of a request: a form of another site must not act here.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// Returns whether a request comes from a page of the dashboard's own origin: the browser says so in `Sec-Fetch-Site`, or else `Origin`
/// has the host of the request, or is one of `allowed`. A request with neither is refused.
pub(crate) fn is_same(request: &Parts, allowed: &[String]) -> bool {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if request.headers.contains_key("sec-fetch-site") {
        return text("sec-fetch-site") == Some("same-origin");
    }
    let Some(origin) = text(header::ORIGIN.as_str()) else { return false };
    let host = request.uri.authority().map(|authority| authority.as_str());
    let host = text(header::HOST.as_str()).or(host);
    let of_host = origin.split_once("://").map(|(_, host)| host);
    let is_ours = of_host.zip(host).is_some_and(|(of, host)| of.eq_ignore_ascii_case(host));
    is_ours || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

/// Returns the value of a cookie. If there are several of the name, the first that `good` accepts.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str, good: impl Fn(&str) -> bool) -> Option<&'h str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).find(|value| good(value))
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
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; name=bad; name=good; b=name=x".parse().unwrap());
        assert_eq!(cookie(&headers, "name", |value| value == "good"), Some("good"));
        assert_eq!(cookie(&headers, "nam", |_| true), None);
    }
}
