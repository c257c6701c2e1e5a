//! The time since which a worker has attended to all schedules that are due.

use pgjobq_core::worker_api::ON_TIME;

/// The looks of a worker that follow each other closely because schedules are due. If a thousand share one tick, the last ones are
/// fired late. They are not missed, because the worker looked at them in time.
#[derive(Debug, Default)]
pub(crate) struct Attendance {
    began: Option<i64>,
    last: i64,
}

impl Attendance {
    /// Notes a look at this time, by the clock of the database, in microseconds. Returns the time of the first one of these looks.
    pub(crate) fn look(&mut self, now: i64, is_due: bool) -> i64 {
        let follows = (0..=ON_TIME).contains(&now.saturating_sub(self.last));
        let began = self.began.filter(|_| follows).unwrap_or(now);
        *self = Self { began: is_due.then_some(began), last: now };
        began
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_000_000_000_000;

    #[test]
    fn attendance_lasts_while_schedules_are_due() {
        let mut attendance = Attendance::default();
        assert_eq!(attendance.look(NOON, true), NOON);
        assert_eq!(attendance.look(NOON + ON_TIME, true), NOON);
        assert_eq!(attendance.look(NOON + 2 * ON_TIME, false), NOON);
        assert_eq!(attendance.look(NOON + 2 * ON_TIME + 1, true), NOON + 2 * ON_TIME + 1);
    }

    #[test]
    fn gap_or_a_clock_set_back_ends_the_attendance() {
        let mut attendance = Attendance::default();
        attendance.look(NOON, true);
        let later = NOON + ON_TIME + 1;
        assert_eq!(attendance.look(later, true), later);
        assert_eq!(attendance.look(later - 1, true), later - 1);
    }
}
