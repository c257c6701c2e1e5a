//! The jobs that a pause stops.

use std::fmt;

use serde::Deserialize;

/// The jobs that a [`Pause`](crate::Pause) stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PauseScope {
    /// The jobs of a queue.
    Queue,
    /// The jobs of a kind, in any queue.
    Kind,
    /// The jobs with a key, of any kind and in any queue.
    Key,
    /// Jobs that this version cannot describe: a newer one paused them.
    #[serde(other)]
    Other,
}

impl PauseScope {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Kind => "kind",
            Self::Key => "key",
            Self::Other => "unknown scope",
        }
    }

    /// Returns the scope that has this name in the table of pauses.
    pub(super) fn named(name: &str) -> Self {
        [Self::Queue, Self::Kind, Self::Key]
            .into_iter()
            .find(|scope| scope.as_str() == name)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for PauseScope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_of_a_newer_version_is_not_a_key() {
        assert_eq!(PauseScope::named("fleet"), PauseScope::Other);
        assert_eq!(serde_json::from_str::<PauseScope>("\"fleet\"").ok(), Some(PauseScope::Other));
        for scope in [PauseScope::Queue, PauseScope::Kind, PauseScope::Key] {
            assert_eq!(PauseScope::named(scope.as_str()), scope);
            assert_eq!(serde_json::from_str::<PauseScope>(&format!("\"{scope}\"")).ok(), Some(scope));
        }
    }
}
