//! A dashboard that `serve` shows, and requests to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::{Ran, command};

/// A dashboard that is served until this is dropped.
pub(crate) struct Served {
    child: Option<Child>,
    /// The address and the port.
    pub(crate) at: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Served {
    /// Starts `serve` on a free port, with a password in the environment if there is one.
    pub(crate) fn start(url: &str, arguments: &[&str], password: Option<&str>) -> Self {
        let mut serve = command(&[&["--url", url, "serve"], arguments].concat());
        if !arguments.contains(&"--listen") {
            serve.args(["--listen", "127.0.0.1:0"]);
        }
        if let Some(password) = password {
            serve.env("PGJOBQ_PASSWORD", password);
        }
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let ran = Ran::of(child.wait_with_output().unwrap());
            panic!("`serve` has ended with {}: {}", ran.code, ran.stderr);
        }
        let at = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        let at = at.unwrap_or_else(|| panic!("{line:?}")).replace("0.0.0.0", "127.0.0.1");
        Self { child: Some(child), at }
    }

    /// Sends a request, and returns the connection on which its answer comes.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut request =
            format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.at);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        let mut connection = TcpStream::connect(&self.at).await.unwrap();
        connection.write_all(format!("{request}\r\n{body}").as_bytes()).await.unwrap();
        connection
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        Answer::read(self.send(&format!("GET {path}"), headers, "").await).await
    }

    /// Sends a form as a page of the dashboard does: with its cookie and its token.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], fields: &str) -> Answer {
        let session = self.get("/api/session", headers).await;
        let token = session
            .text
            .split("\"token\":")
            .nth(1)
            .and_then(|rest| rest.split('"').nth(1))
            .unwrap_or_default();
        let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
        let own = [
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Cookie", &cookie),
        ];
        let body = format!("token={token}&{fields}");
        Answer::read(self.send(&format!("POST {path}"), &[&own, headers].concat(), &body).await).await
    }

    /// Sends a signal, with which `serve` ends.
    pub(crate) fn after_signal(mut self, signal: &str) -> Ran {
        Ran::after_signal(self.child.take().unwrap(), signal)
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ran {
        Ran::of(self.child.take().unwrap().wait_with_output().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(mut connection: TcpStream) -> Self {
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes).await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self { status: status.unwrap_or_else(|| panic!("no answer: {text:?}")), text }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    }
}
