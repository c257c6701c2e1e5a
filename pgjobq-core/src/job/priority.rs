//! Which of the waiting jobs of a queue goes first.

/// Which of the waiting jobs of a queue goes first: the highest priority does, and among equals, roughly, the oldest.
///
/// It is strict: while there are jobs of a higher priority, those of a lower one wait. What must not be held up by others
/// belongs into a queue of its own. [`NewJob::priority`](crate::NewJob::priority) has an example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum Priority {
    /// After everything else.
    Low = 0,
    /// The priority of a job that names none.
    #[default]
    Normal = 1,
    /// Before normal jobs.
    High = 2,
    /// Before everything else.
    Critical = 3,
}
