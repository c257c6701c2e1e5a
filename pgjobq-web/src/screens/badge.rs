//! The state of something, as a word with a color.

use pgjobq::JobState;
use serde::{Serialize, Serializer};

/// A word for a state, and the class of its color. The word alone says all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) word: &'static str,
    pub(crate) class: &'static str,
}

impl Badge {
    pub(crate) fn new(word: &'static str, class: &'static str) -> Self {
        Self { word, class }
    }

    pub(crate) fn of(state: JobState) -> Self {
        let class = match state {
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Completed => "completed",
            JobState::Dead => "dead",
            JobState::Scheduled | JobState::Limited | JobState::Blocked => "waiting",
            JobState::Held => "held",
            _ => "over",
        };
        Self { word: state.as_str(), class }
    }
}

impl Serialize for Badge {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.word.serialize(to)
    }
}
