//! A dashboard for this machine alone.

use std::net::{IpAddr, SocketAddr};

use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use pgjobq_web::User;

const REFUSAL: &str = "This dashboard has no user, and so it answers only under the names of this machine: open it as localhost. To \
                       reach it by another name, start it with --user NAME, or with --open-to-everyone.";

/// Returns the user of a request that names this machine.
///
/// A page of another site could give its own name the address 127.0.0.1. For the browser, that page and this dashboard would then be
/// one site. The name in `Host` betrays it.
pub(super) fn user(request: &Parts) -> Result<User, (StatusCode, &'static str)> {
    let host = request.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match is_this_machine(host) {
        true => Ok(User::administrator("everyone")),
        false => Err((StatusCode::MISDIRECTED_REQUEST, REFUSAL)),
    }
}

/// Returns whether only this machine reaches an address.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "127.0.0.1",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.5:8080",
            "[::]:8080",
            "0.0.0.0:8080",
            "localhost@evil.example",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
