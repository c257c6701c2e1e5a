//! SHA-256, which PostgreSQL has as well: both sides name the same shard and the same unique key.

use sha2::{Digest, Sha256};

/// The digest of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A digest in lower-case hexadecimal.
pub(crate) fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
