//! Standard output: text for people, or one JSON value for programs.

use std::fmt::Display;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;
use crate::text::{plain, plain_json};

/// The form of the output.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

/// An error as JSON.
#[derive(Serialize)]
struct ErrorJson<'f> {
    error: &'static str,
    message: &'f str,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a value: as JSON, or as the text that `text` returns.
    pub(crate) fn print<T: Display>(
        self,
        json: &impl Serialize,
        text: impl FnOnce() -> T,
    ) -> Result<(), Failure> {
        if self.json {
            let json =
                serde_json::to_string_pretty(json).map_err(|error| Failure::Refused(error.to_string()))?;
            return self.json(&json);
        }
        let text = text().to_string();
        let lines: String = text.lines().map(|line| plain(line) + "\n").collect();
        self.raw(&lines)
    }

    /// Prints JSON text.
    pub(crate) fn json(self, json: &str) -> Result<(), Failure> {
        self.raw(&(plain_json(json) + "\n"))
    }

    /// Prints text of ours, unchanged: a script, a page.
    pub(crate) fn raw(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Refused(format!("the output could not be written: {error}")),
        })
    }

    /// Prints a remark for a person to standard error. A program gets none.
    pub(crate) fn note(self, note: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{}", plain(note));
        }
    }

    pub(crate) fn error(self, failure: &Failure) {
        if matches!(failure, Failure::Closed) {
            return;
        }
        let message = failure.to_string();
        let text = if self.json {
            let error = ErrorJson { error: failure.code(), message: &message };
            plain_json(&serde_json::to_string(&error).unwrap_or_default())
        } else {
            let lines: Vec<_> = message.lines().map(plain).collect();
            format!("error: {}", lines.join("\n"))
        };
        let _ = writeln!(io::stderr(), "{text}");
    }
}
