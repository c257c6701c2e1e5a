//! The priority of a job among those that wait in its queue.

/// The priority of a job among those that wait in its queue: the highest goes first, and among equals, roughly, the
/// oldest.
///
/// It is strict: jobs of a lower priority wait while there are jobs of a higher one. Put jobs that must not wait for
/// others into a queue of their own. [`NewJob::priority`](crate::NewJob::priority) has an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Priority {
    /// After everything else.
    Low = 0,
    /// The default.
    #[default]
    Normal = 1,
    /// Before normal jobs.
    High = 2,
    /// Before everything else.
    Critical = 3,
}

impl Priority {
    /// The word for it, in filters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
