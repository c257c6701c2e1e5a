#!/usr/bin/env bash
# Runs tests and their PostgreSQL with a shifted clock, on Linux:
#   tests/shifted_clock.sh '2028-12-31 23:59:30' --test it
# The time is UTC. The other arguments are passed to `cargo test`. Every test program begins at that time.
set -eu
if [ "${1:-}" = --run ]; then
    shift
    export CLOCK_OFFSET=$((CLOCK_BEGINS - $(date +%s)))
    LD_PRELOAD=$CLOCK_SHIFT exec "$@"
fi

CLOCK_BEGINS=$(date -u -d "$1" +%s)
shift
script=$(realpath "$0")
cd "$(dirname "$script")/.."
cargo test --no-run "$@" # Built first, because it takes a while and needs the true clock.

# A separate server, in a folder that its user can enter, because a running server has the true clock.
folder=$(mktemp -d "${TMPDIR:-/tmp}/pgjobq-clock-XXXXXX")
trap 'rm -rf "$folder"' EXIT
chmod 711 "$folder"
CLOCK_SHIFT=$folder/shift.so
cc -shared -fPIC -O2 -o "$CLOCK_SHIFT" tests/clock/shift.c
unset DATABASE_URL
export CLOCK_BEGINS CLOCK_SHIFT XDG_CACHE_HOME=$folder
runner=CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_RUNNER
export "$runner=$script --run"
cargo test "$@"
