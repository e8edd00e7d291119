#!/usr/bin/env bash
# Finds uses of memory that is not the program's, and leaks, with address sanitizer, which is told of every switch between goroutines.
#
#   scripts/asan.sh run ARGUMENTS...     as `cargo run ARGUMENTS...`, in the current directory
#   scripts/asan.sh test ARGUMENTS...    as `cargo test ARGUMENTS...`
#   scripts/asan.sh check                goruntime itself: programs that are wrong and programs that are not, and the tests
#   scripts/asan.sh quick                the programs
#
# `run` and `test` work in any crate that depends on goruntime by path. An error is reported where it happens, with the frames of the goroutine
# that made it, and what was allocated and lost at the end of the program; the status is 1 then. Only Linux on x86-64; std is built anew, which
# takes the toolchain's rust-src and a minute.
set -euo pipefail
HERE=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The sanitizer follows frame pointers to tell where memory was allocated and freed.
SANITIZER_FLAGS='--cfg goruntime_asan -Cforce-frame-pointers=yes'

# Tests that run in this process, and some that drive `testprog`. What is left out has subjects that a sanitizer changes: sizes of stacks, memory,
# thread counts, exact texts of the system's own reports, instructions.
SUITES=(goroutines thread_mirror test_attribute channel_basic select sync_basic sync_std sync_rwlock sync_condvar sync_once
    sync_semaphore sync_pool timers context context_ops context_scope net futures locks fs io_pipes process ends)

programs() {
    run sanitized address test -p goruntime-asan --features asan
}

suites() {
    local arguments=() name
    for name in "${SUITES[@]}"; do
        arguments+=(--test "$name")
    done
    # Backtraces of the many panics on purpose take longer than the tests.
    export PROPTEST_CASES=${PROPTEST_CASES:-20} RUST_BACKTRACE=0
    run sanitized address test -p goruntime-tests "${arguments[@]}" -- --test-threads=2
}

CHECK=(programs suites)
QUICK=(programs)
sanitizer_command address "$@"
