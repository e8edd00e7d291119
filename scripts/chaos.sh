#!/usr/bin/env bash
# The tests and random operations under chaos: `GODEBUG=chaos=SEED` makes every decision of the scheduler random, steals, moves goroutines
# and processors between threads, takes processors from goroutines that compute, and trims stacks of goroutines that wait.
#
#   scripts/chaos.sh [FIRST [LAST]]       the tests under each seed, 1 to 100 by default, and ten million operations at the end
#   scripts/chaos.sh quick [SEED]         some of the tests and fewer operations, under one seed
#   scripts/chaos.sh tests FIRST LAST     the tests alone
#   scripts/chaos.sh programs FIRST LAST  of these, the tests that start programs of their own
#   scripts/chaos.sh hazards FIRST LAST   the tests of the affinity guard, on release builds, and the tests without the guard
#   scripts/chaos.sh models COUNT SEED    the operations alone: channels, locks and timers beside a sequential model, on 2 and 16 processors
#
# JOBS test programs run at a time (2), which mostly wait; PROFILE=release takes optimised ones; SETTINGS=,NAME=VALUE adds to GODEBUG, and
# PROPTEST_CASES (100) is the number of random programs for each seed. What each of them said is in `chaos/SEED/NAME.log` below the target
# directory, and stays there if it failed.
#
# What fails is run again by `GODEBUG=chaos=SEED cargo test -p goruntime-tests --test NAME`, or with `GORUNTIME_TEST_CHAOS=SEED` in the place
# of GODEBUG if it starts programs: a seed makes the decisions of each thread the same ones, but not the moments at which threads take them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

JOBS=${JOBS:-2}
PROFILE=${PROFILE:-debug}
SETTINGS=${SETTINGS:-}
export PROPTEST_CASES=${PROPTEST_CASES:-100}
# Seconds after which a test program hangs: it then prints its goroutines. Single tests have limits of their own, of 240 s.
LIMIT=${LIMIT:-900}

# Tests that run in the process which has the setting, the longest first.
IN_PROCESS=(select net channel_basic sync_pool soundness process fs timers context context_ops context_scope futures io_pipes goroutines
    thread_mirror test_attribute sync_basic sync_std sync_rwlock sync_condvar sync_once sync_semaphore allocations)
# Tests that start programs, each with an environment of its own, to which `tests/common` adds the seed. Left out are those whose programs
# have nothing to decide (macros_ui, refused, race, tidy), or are built or measured by the test (abort, examples, gdb).
PROGRAMS=(signals panics deadlocks progress traces net_programs order locks threads library ends stream_programs inits overflow)
QUICK=(goroutines channel_basic sync_basic sync_condvar sync_semaphore timers context_scope)
QUICK_PROGRAMS=(threads ends inits)
SKIPPED=(
    # That goroutines run, or are woken, in Go's order, which is what chaos changes.
    those_who_yield_take_turns
    runs_first_and_the_others_in_order
    run_in_order_after_the_last
    and_the_last_one_runs_first
    runs_the_first_waiter_first
    wake_last_first_after_the_oldest
    wake_in_order_after_the_newest
)

SKIPPED_HAZARDS=(
    # That one processor is one thread: without the guard chaos changes it.
    --skip state_that_nests_wants_a_thread_of_its_own
)

ARGUMENTS=()
for name in "${SKIPPED[@]}"; do
    ARGUMENTS+=(--skip "$name")
done

LOGS=$(realpath -m "${CARGO_TARGET_DIR:-target}")/chaos

# Builds the tests once and fills the directory of links `BUILT` with them, by their names.
build() {
    local arguments=() name
    [[ $PROFILE == release ]] && arguments+=(--release)
    for name in "$@"; do
        arguments+=(--test "$name")
    done
    BUILT=$LOGS/$PROFILE
    mkdir -p "$BUILT"
    run cargo test --no-run --quiet -p goruntime-tests "${arguments[@]}"
    local found
    found=$(cargo test --no-run --quiet -p goruntime-tests "${arguments[@]}" --message-format=json |
        sed -n 's/.*"target":{"kind":\["test"\].*"name":"\([^"]*\)".*"executable":"\([^"]*\)".*/\1 \2/p')
    while read -r name path; do
        ln -sfn "$path" "$BUILT/$name"
    done <<<"$found"
}

# one VARIABLE SEED NAME: a test program under a seed, with its output in a file. Called in a process of its own.
one() {
    local variable=$1 seed=$2 name=$3 status=0 begun=$SECONDS
    local log=$LOGS/$seed/$name.log
    mkdir -p "${log%/*}"
    # Where cargo runs tests.
    cd tests
    env "$variable$seed$SETTINGS" timeout --signal=QUIT --kill-after=60 "$LIMIT" "$BUILT/$name" "${ARGUMENTS[@]}" >"$log" 2>&1 </dev/null ||
        status=$?
    if [[ $status -ne 0 ]]; then
        printf 'FAILED with status %d after %d s: %s under chaos=%s%s\n' "$status" $((SECONDS - begun)) "$name" "$seed" "$SETTINGS"
        tail -n 60 "$log"
        return 1
    fi
    # Said once a program, so that a long run shows where it is.
    printf 'chaos=%s%s %s: %s\n' "$seed" "$SETTINGS" "$name" "$(sed -n 's/^test result: ok. \([0-9]* passed\).*/\1/p' "$log")"
    rm "$log"
}

# each VARIABLE FIRST LAST NAMES...: all of the test programs under all seeds, several at a time.
each() {
    local variable=$1 first=$2 last=$3 seed name
    shift 3
    for ((seed = first; seed <= last; seed++)); do
        for name in "$@"; do
            printf '%s %s %s\n' "$variable" "$seed" "$name"
        done
    done | BUILT=$BUILT SETTINGS=$SETTINGS xargs -P "$JOBS" -L 1 "$ROOT/scripts/chaos.sh" one
}

in_process() {
    build "$@"
    each GODEBUG=chaos= "$FIRST" "$LAST" "$@"
}

programs() {
    build "$@"
    each GORUNTIME_TEST_CHAOS= "$FIRST" "$LAST" "$@"
}

# models PROFILE COUNT SEED
models() {
    local arguments=()
    [[ $1 == release ]] && arguments+=(--release)
    GODEBUG=chaos=$3$SETTINGS run cargo run "${arguments[@]}" --quiet -p goruntime-stress -- \
        --operations "$2" --seed "$3" --scenario models --procs 2,16 --mode program
}

# Whether a goroutine may move is the guard's to say, under chaos as well: in strict mode, which the tests of the guard use, no program is
# moved. The other tests are not made for it: who is kept on the thread of somebody that waits for him is never let go.
guarded() {
    local seed
    for ((seed = FIRST; seed <= LAST; seed++)); do
        GORUNTIME_TEST_CHAOS=$seed run cargo test --quiet --release --manifest-path tests/hazards/Cargo.toml -- "${SKIPPED_HAZARDS[@]}"
    done
    SETTINGS=,tlsguard=0 in_process "${IN_PROCESS[@]}"
}

all_in_process() { in_process "${IN_PROCESS[@]}"; }
all_programs() { programs "${PROGRAMS[@]}"; }
some_in_process() { in_process "${QUICK[@]}"; }
some_programs() { programs "${QUICK_PROGRAMS[@]}"; }
operations() { models release "$COUNT" "$FIRST"; }
# On what the tests have built: an optimised build takes much longer than the operations.
some_operations() { models debug "$COUNT" "$FIRST"; }

if [[ ${1:-} == one ]]; then
    shift
    one "$@"
    exit
fi

trap report EXIT
case ${1:-} in
quick)
    FIRST=${2:-1} LAST=${2:-1} COUNT=200000
    step tests some_in_process
    step programs some_programs
    step models some_operations
    ;;
tests)
    FIRST=$2 LAST=$3
    step tests all_in_process
    step programs all_programs
    ;;
programs)
    FIRST=$2 LAST=$3
    step programs all_programs
    ;;
hazards)
    FIRST=$2 LAST=$3
    step hazards guarded
    ;;
models)
    COUNT=$2 FIRST=$3
    step models operations
    ;;
*)
    FIRST=${1:-1} LAST=${2:-${1:-100}} COUNT=10000000
    step tests all_in_process
    step programs all_programs
    step models operations
    ;;
esac
FINISHED=yes
