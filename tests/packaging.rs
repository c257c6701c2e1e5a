//! Tests that a crate with strict lints of its own can use pgjobq.

use std::fs;
use std::process::Command;
use std::sync::Once;

/// Runs cargo on the crate in `tests/crates/strict`.
#[track_caller]
fn cargo(arguments: &[&str]) {
    static LOCKED: Once = Once::new();
    let root = env!("CARGO_MANIFEST_DIR");
    LOCKED.call_once(|| {
        // The versions that our tests use. They have been downloaded already.
        let locked = fs::copy(format!("{root}/Cargo.lock"), format!("{root}/tests/crates/strict/Cargo.lock"));
        locked.expect("the lock file can be copied");
    });
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .arg("--manifest-path")
        .arg(format!("{root}/tests/crates/strict/Cargo.toml"))
        .env("CARGO_TARGET_DIR", format!("{}/strict", env!("CARGO_TARGET_TMPDIR")))
        .env("DATABASE_URL", "postgres://nowhere/none") // The build must not connect to a database.
        .env("RUSTDOCFLAGS", "-D warnings")
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn strict_crate_builds_without_a_warning() {
    cargo(&["clippy", "--all-features", "--all-targets"]);
    cargo(&["clippy"]);
}

#[test]
fn strict_crate_is_documented_without_a_warning() {
    cargo(&["doc", "--no-deps", "--all-features", "--document-private-items"]);
    cargo(&["doc", "--no-deps"]);
}
