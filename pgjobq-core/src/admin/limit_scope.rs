//! The jobs that a limit is about.

use std::fmt;

use serde::Deserialize;

/// The jobs that a limit over the whole fleet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitScope {
    /// The jobs of a kind; those with one key, if the limit holds for each key.
    Kind,
    /// The jobs of a queue.
    Queue,
    /// Jobs that this version cannot describe: a newer one limits them.
    #[serde(other)]
    Other,
}

impl LimitScope {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Queue => "queue",
            Self::Other => "unknown scope",
        }
    }
}

impl fmt::Display for LimitScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn scope_of_a_newer_version_is_other() {
        assert_eq!(serde_json::from_str::<LimitScope>("\"fleet\"").unwrap(), LimitScope::Other);
        for scope in [LimitScope::Kind, LimitScope::Queue] {
            assert_eq!(serde_json::from_str::<LimitScope>(&format!("\"{scope}\"")).unwrap(), scope);
        }
    }
}
