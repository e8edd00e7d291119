#!/usr/bin/env bash
# The tests and random operations under chaos: `GODEBUG=chaos=SEED` makes every decision of the scheduler random, steals, moves goroutines
# and processors between threads, takes processors from goroutines that compute, and trims stacks of goroutines that wait.
#
#   scripts/chaos.sh [FIRST [LAST]]    the tests under each seed, 1 to 100 by default, and ten million operations at the end
#   scripts/chaos.sh quick [SEED]      some of the tests and fewer operations, under one seed
#   scripts/chaos.sh tests FIRST LAST  the tests alone
#   scripts/chaos.sh models COUNT SEED the operations alone: channels, locks and timers beside a sequential model, on 2 and 16 processors
#
# What fails is run again by `GODEBUG=chaos=SEED cargo test -p goruntime-tests --test NAME`: a seed makes the decisions of each thread the
# same ones, but not the moments at which threads take them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Tests that run in the process which has the setting. The others start programs, each with an environment of its own.
IN_PROCESS=(goroutines thread_mirror test_attribute channel_basic select sync_basic sync_std sync_rwlock sync_condvar sync_once
    sync_semaphore sync_pool timers context context_ops context_scope net)
QUICK=(goroutines channel_basic sync_basic sync_condvar sync_semaphore timers context_scope)
# What goroutines are woken in Go's order is what these tests are about, and what chaos changes.
ABOUT_ORDER=(--skip run_in_order_after_the_last --skip and_the_last_one_runs_first --skip runs_the_first_waiter_first)

# tests FIRST LAST NAMES...
tests() {
    local first=$1 last=$2 arguments=() name seed
    shift 2
    for name in "$@"; do
        arguments+=(--test "$name")
    done
    for ((seed = first; seed <= last; seed++)); do
        GODEBUG=chaos=$seed run cargo test --quiet -p goruntime-tests "${arguments[@]}" -- "${ABOUT_ORDER[@]}" ||
            { printf 'failed under chaos=%d\n' "$seed" >&2 && return 1; }
    done
}

# models COUNT SEED
models() {
    GODEBUG=chaos=$2 run cargo run --release --quiet -p goruntime-stress -- \
        --operations "$1" --seed "$2" --scenario models --procs 2,16 --mode program
}

all_tests() { tests "$FIRST" "$LAST" "${IN_PROCESS[@]}"; }
some_tests() { tests "$FIRST" "$LAST" "${QUICK[@]}"; }
operations() { models "$COUNT" "$FIRST"; }

trap report EXIT
case ${1:-} in
quick)
    FIRST=${2:-1} LAST=${2:-1} COUNT=200000
    step tests some_tests
    step models operations
    ;;
tests)
    FIRST=$2 LAST=$3
    step tests all_tests
    ;;
models)
    COUNT=$2 FIRST=$3
    step models operations
    ;;
*)
    FIRST=${1:-1} LAST=${2:-${1:-100}} COUNT=10000000
    step tests all_tests
    step models operations
    ;;
esac
FINISHED=yes
