//! The place of jobs that share a limit or a unique key: all of them lie on one shard, so that one index compares them.

use uuid::Uuid;

use crate::JobId;
use crate::job::sha256::sha256;

/// The last bits of a job's id, which name its shard: see `JobId::shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u16);

const BITS: u128 = 0x3ff;

impl Place {
    /// Returns the place of the jobs of a kind, or of those of them with this key. The function `place_of` in SQL returns the same.
    pub(crate) fn of(kind: &str, key: Option<&str>) -> Self {
        let name = key.map_or_else(|| kind.to_owned(), |key| format!("{kind} {key}"));
        let [.., high, low] = sha256(name.as_bytes());
        Self(u16::from_be_bytes([high, low]) & BITS as u16)
    }

    /// Returns the id with this place, and the rest as it is.
    pub(crate) fn stamp(self, id: JobId) -> JobId {
        Uuid::from_u128(id.as_uuid().as_u128() & !BITS | u128::from(self.0)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_with_one_key_share_the_shard() {
        let stamped = |kind, key| Place::of(kind, key).stamp(JobId::new());
        let first = stamped("sync", Some("tenant:42"));
        assert_ne!(first, stamped("sync", Some("tenant:42")));
        assert_eq!(first.shard(1024), stamped("sync", Some("tenant:42")).shard(1024));
        assert_ne!(first.shard(1024), stamped("sync", Some("tenant:43")).shard(1024));
        assert_ne!(first.shard(1024), stamped("sync", None).shard(1024));
        assert_eq!(first.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn keys_are_spread_over_the_shards() {
        let mut jobs = [0; 8];
        for key in 0..8000 {
            jobs[Place::of("sync", Some(&key.to_string())).stamp(JobId::new()).shard(8).0 as usize] += 1;
        }
        assert!(jobs.iter().all(|jobs| (850..1150).contains(jobs)), "{jobs:?}");
    }
}
