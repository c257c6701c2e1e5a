//! A name and a password, which each request carries as basic authentication.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, HeaderName, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgjobq_web::User;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;
use tokio::time::sleep;

/// The time before a wrong password is answered. They are answered one after the other, so that nobody tries many.
const WRONG_PASSWORD_DELAY: Duration = Duration::from_millis(500);

/// The answer to a request without the right name and password: a browser then asks for them.
type Refusal = (StatusCode, [(HeaderName, &'static str); 1], &'static str);
const REFUSAL: Refusal =
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"pgjobq\", charset=\"UTF-8\"")], "log in");

/// The name and the password of the one user.
pub(super) struct Credentials {
    name: String,
    /// The digests of both, because values of one length compare in constant time.
    name_digest: [u8; 32],
    password_digest: [u8; 32],
    /// Held while a wrong password waits for its answer.
    wrong: Mutex<()>,
}

impl Credentials {
    pub(super) fn new(name: String, password: &str) -> Self {
        let (name_digest, password_digest) = (digest(&name), digest(password));
        Self { name, name_digest, password_digest, wrong: Mutex::default() }
    }

    /// Returns the user of a request.
    pub(super) async fn user(&self, request: &Parts) -> Result<User, Refusal> {
        // The first request of a browser has none, and learns at once that one is asked for.
        let Some((name, password)) = sent(&request.headers) else { return Err(REFUSAL) };
        if self.are(&name, &password) {
            return Ok(User::administrator(&self.name));
        }
        let _turn = self.wrong.lock().await;
        sleep(WRONG_PASSWORD_DELAY).await;
        Err(REFUSAL)
    }

    /// Compares in a time that does not depend on what was sent, except on its length.
    fn are(&self, name: &str, password: &str) -> bool {
        let is_name = self.name_digest.ct_eq(&digest(name));
        bool::from(is_name & self.password_digest.ct_eq(&digest(password)))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Reads the name and the password of a request: `Authorization: Basic` and the base64 of `NAME:PASSWORD`.
fn sent(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| (name.to_owned(), password.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_password_is_right() {
        let credentials = Credentials::new("ada".to_owned(), "correct: horse ü");
        assert!(credentials.are("ada", "correct: horse ü"));
        for (name, password) in [
            ("ada", "correct: horse"),
            ("ada", "correct: horse ü "),
            ("ada", ""),
            ("", "correct: horse ü"),
            ("Ada", "correct: horse ü"),
        ] {
            assert!(!credentials.are(name, password), "{name} {password}");
        }
    }

    #[test]
    fn malformed_headers_carry_no_password() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            sent(&headers)
        };
        let pair = Some(("ada".to_owned(), "a:b".to_owned()));
        assert_eq!(read("Basic YWRhOmE6Yg=="), pair);
        assert_eq!(read("bAsIc  YWRhOmE6Yg=="), pair);
        for wrong in ["", "Basic", "Basic ", "Basic ***", "Basic YWRh", "Bearer YWRhOmE6Yg==", "Basic /w=="] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
