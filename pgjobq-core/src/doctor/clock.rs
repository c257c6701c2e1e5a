//! Compares the clocks of this machine and of the database.

use std::time::{Duration, Instant, SystemTime};

use sqlx::Row;

use super::finding::{Check, Finding, Severity};
use crate::DatabaseError;
use crate::client::Client;
use crate::db::time::time;

/// Compares the clocks. The time of the round trip is unknown to each side, and so it is no difference.
pub(super) async fn check(client: &Client, most: Duration) -> Result<Option<Finding>, DatabaseError> {
    let shared = client.shared();
    let (here, began) = (SystemTime::now(), Instant::now());
    let row = shared.read(&client.sql().doctor_now, &[]).await?.pop();
    let trip = began.elapsed();
    let there = row.map(|row| row.try_get("now")).transpose().map_err(DatabaseError::Refused)?;
    Ok(there.and_then(|there| differ(here, time(there), trip, most)))
}

fn differ(here: SystemTime, there: SystemTime, trip: Duration, most: Duration) -> Option<Finding> {
    let (skew, side) = match there.duration_since(here) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    (skew > most + trip).then(|| Finding {
        check: Check::Clock,
        severity: Severity::Warning,
        subject: "clock".to_owned(),
        sentence: format!(
            "the clock of the database is {:?} {side} that of this machine: times that programs set, such as `run_at`, are off by that; \
             synchronize both with NTP",
            Duration::from_secs(skew.as_secs())
        ),
        repair: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_is_no_skew() {
        let (now, second) = (SystemTime::now(), Duration::from_secs(1));
        assert_eq!(differ(now, now + 3 * second, second * 2, second), None);
        let found = differ(now, now + 4 * second, second * 2, second).map(|found| found.sentence);
        assert!(found.is_some_and(|said| said.starts_with("the clock of the database is 4s ahead of")));
        let found = differ(now, now - 4 * second, second * 2, second).map(|found| found.sentence);
        assert!(found.is_some_and(|said| said.starts_with("the clock of the database is 4s behind that")));
    }
}
