#!/usr/bin/env bash
# Finds data races between goroutines, as `go run -race` and `go test -race` do: with thread sanitizer, which is told of every goroutine.
#
#   scripts/race.sh run ARGUMENTS...     as `cargo run ARGUMENTS...`, in the current directory
#   scripts/race.sh test ARGUMENTS...    as `cargo test ARGUMENTS...`
#   scripts/race.sh check                goruntime itself: programs that race and programs that do not, and the tests
#   scripts/race.sh quick                the programs, and some of the tests
#
# `run` and `test` work in any crate that depends on goruntime by path. A race is reported with the stacks of both goroutines, and where
# they were started; the status is 66 then. Only Linux on x86-64; std is built anew, which takes the toolchain's rust-src and a minute.
# GODEBUG=raceruntime=1 examines the runtime itself instead of the program; then goroutines that share a thread count as ordered.
set -euo pipefail
HERE=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SANITIZER_FLAGS='--cfg goruntime_tsan'
PACKAGE=(-p goruntime-tests)

# Tests that run in this process, and what is left out of them. The others drive `testprog`, whose subjects are exact texts, addresses of
# faults, memory, and thread counts, which a sanitizer changes.
IN_PROCESS=(goroutines thread_mirror test_attribute channel_basic select sync_basic sync_std sync_rwlock sync_condvar sync_once
    sync_semaphore sync_pool timers context context_ops context_scope net futures)
QUICK_SUITES=(goroutines sync_basic timers context_scope)

programs() {
    run sanitized thread test "${PACKAGE[@]}" --features race --test race
}

# The tests of the process that they run in, once with the eyes on the program and once with the eyes on the runtime.
suites() {
    local arguments=() name mode
    for name in "$@"; do
        arguments+=(--test "$name")
    done
    # Backtraces of the many panics on purpose take longer than the tests.
    export PROPTEST_CASES=${PROPTEST_CASES:-20} RUST_BACKTRACE=0
    for mode in 0 1; do
        GODEBUG=raceruntime=$mode run sanitized thread test "${PACKAGE[@]}" "${arguments[@]}" -- --test-threads=2
    done
}

all_suites() { suites "${IN_PROCESS[@]}"; }
some_suites() { suites "${QUICK_SUITES[@]}"; }

CHECK=(programs all_suites)
QUICK=(programs some_suites)
sanitizer_command thread "$@"
