//! Asks for pages as a browser does: with cookies, and with the headers that say where a request comes from.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

/// A browser with a dashboard of one user.
pub(crate) struct Browser {
    app: Router,
    /// The path of the first page.
    at: &'static str,
    cookies: Mutex<Vec<Cookie>>,
}

struct Cookie {
    name: String,
    value: String,
    /// True if a link of another site does not bring it.
    is_strict: bool,
}

/// The host of the dashboard: one that no other site can name.
pub(crate) const HOST: &str = "jobs.localhost";

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) fn new(app: Router) -> Self {
        Self::at(app, "/")
    }

    /// A browser with a dashboard whose first page is elsewhere.
    pub(crate) fn at(app: Router, at: &'static str) -> Self {
        Self { app, at, cookies: Mutex::default() }
    }

    /// Sends a request to a path below the first page.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.send_with(method, path, headers, self.cookies(), body).await
    }

    /// Follows a link of another site to a path below the first page.
    pub(crate) async fn arrive(&self, path: &str) -> Answer {
        let cookies = self.cookies_that(|cookie| !cookie.is_strict);
        self.send_with(Method::GET, path, &[("sec-fetch-site", "cross-site")], cookies, "").await
    }

    /// Returns the header with the cookies of this browser.
    pub(crate) fn cookies(&self) -> String {
        self.cookies_that(|_| true)
    }

    fn cookies_that(&self, are_sent: impl Fn(&Cookie) -> bool) -> String {
        let cookies = self.cookies.lock().unwrap();
        let sent = cookies.iter().filter(|cookie| are_sent(cookie));
        sent.map(|Cookie { name, value, .. }| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        cookies: String,
        body: &str,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("{}{path}", self.at)).header("host", HOST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !cookies.is_empty() {
            request = request.header("cookie", cookies);
        }
        let response =
            self.app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        self.keep(&parts.headers);
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    fn keep(&self, headers: &HeaderMap) {
        let mut cookies = self.cookies.lock().unwrap();
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite="), "{cookie}");
            // Wherever a proxy shows the dashboard, its pages are below this path.
            assert!(cookie.contains("; Path=/;") && !cookie.contains("; Domain="), "{cookie}");
            let is_strict = cookie.contains("; SameSite=Strict");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            cookies.retain(|kept| kept.name != name);
            if !cookie.contains("; Max-Age=0") {
                cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), is_strict });
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Returns the JSON at a path below `api/`.
    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(&format!("api/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Returns the token of this browser.
    pub(crate) async fn token(&self) -> String {
        self.json("session").await["token"].as_str().unwrap().to_owned()
    }

    /// Sends a form of one of the pages.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = form(&self.token().await, fields);
        self.send(Method::POST, path, &OWN, &form).await
    }
}

/// The headers of a form of one of the pages.
pub(crate) const OWN: [(&str, &str); 3] = [
    ("sec-fetch-site", "same-origin"),
    ("origin", "https://jobs.localhost"),
    ("content-type", "application/x-www-form-urlencoded"),
];

/// Returns the body of a form.
pub(crate) fn form(token: &str, fields: &[(&str, &str)]) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("token", token).extend_pairs(fields).finish()
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the values of an attribute, as a browser reads them.
    pub(crate) fn attributes(&self, name: &str) -> Vec<String> {
        let start = format!(" {name}=\"");
        let values = self.body.split(&start).skip(1).map(|rest| rest.split('"').next().unwrap());
        values.map(unescaped).collect()
    }

    /// Returns the text of the page, as a browser shows it.
    pub(crate) fn text(&self) -> String {
        let parts = self.body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        unescaped(&parts.collect::<Vec<_>>().join(" "))
    }
}

fn unescaped(text: &str) -> String {
    let signs =
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    let text = signs.iter().fold(text.to_owned(), |text, (escaped, sign)| text.replace(escaped, sign));
    text.replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&")
}
