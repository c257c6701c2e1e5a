//! The address of a request, as its sender wrote it: the host, and whether it was https.

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Scheme;

/// Returns the host of a request, with its port. A browser always sends one.
pub(crate) fn host(request: &Parts) -> Option<&str> {
    let of_address = request.uri.authority().map(|authority| authority.as_str());
    request.headers.get(HOST).and_then(|host| host.to_str().ok()).or(of_address)
}

/// Returns whether the browser is known to have sent the request by https: `X-Forwarded-Proto` of the proxy before this program says so,
/// or the address itself, as in HTTP/2.
pub(crate) fn is_https(request: &Parts) -> bool {
    let forwarded = request.headers.get("x-forwarded-proto").and_then(|scheme| scheme.to_str().ok());
    // Each proxy appends its own, so the first is that of the browser.
    let of_browser = forwarded.and_then(|schemes| schemes.split(',').next()).map(str::trim);
    match of_browser {
        Some(scheme) => scheme.eq_ignore_ascii_case("https"),
        None => request.uri.scheme() == Some(&Scheme::HTTPS),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn https_is_read_from_proxy_or_address() {
        let is_https_of = |uri: &str, forwarded: Option<&str>| {
            let request = Request::get(uri);
            let request = match forwarded {
                Some(scheme) => request.header("x-forwarded-proto", scheme),
                None => request,
            };
            is_https(&request.body(()).unwrap().into_parts().0)
        };
        assert!(is_https_of("/jobs", Some("https")) && is_https_of("/jobs", Some("HTTPS, http")));
        assert!(is_https_of("https://jobs.example.org/jobs", None));
        assert!(!is_https_of("/jobs", None) && !is_https_of("/jobs", Some("http, https")));
        assert!(!is_https_of("https://jobs.example.org/jobs", Some("http")));
    }
}
