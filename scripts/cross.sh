#!/usr/bin/env bash
# The other platforms.
#
#   scripts/cross.sh            both
#   scripts/cross.sh aarch64    Linux on aarch64: builds everything, runs programs and tests under qemu-user
#   scripts/cross.sh check      macOS and Windows: compiles the runtime, runs nothing
#   scripts/cross.sh quick      aarch64: builds everything, runs hello and sieve; and the check
#
# Debian's cross compiler, its binutils for Windows and qemu-user are installed if they are missing.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
trap report EXIT

ARM=aarch64-unknown-linux-gnu
# Seconds after which an emulated program hangs.
LIMIT=${LIMIT:-180}

# Unit tests that run themselves again as a child, which the emulator cannot start by its path, and those that look at the
# memory of the process, of which the emulator is a part.
NOT_EMULATED=(
    --skip base::throw::
    --skip base::tls::tests::an_armed_thread
    --skip coro::tests::
)
# Tests that are goroutines themselves, and tests that drive `testprog`. Not those of deadlocks: the emulator has a thread of its
# own, which keeps the report silent.
IN_PROCESS=(goroutines thread_mirror channel_basic sync_basic)
OF_PROGRAMS=(order threads progress library panics overflow traces)
# Does not hold on aarch64: the thread pointer stays in a register over every wait, which the guard takes for a reference.
NOT_EMULATED_HAZARDS=(
    --skip what_holds_nothing_moves
)
# Tests of signals that see the emulator: its thread, which also keeps a deadlock silent; its words about a program that a signal has ended; its own use of
# real-time signals, whose numbers it shifts; and the first process of a container, which is the emulator.
NOT_EMULATED_SIGNALS=(
    --skip a_deadlock_is_reported_when_nobody_listens_any_more
    --skip no_thread_blocks_signals
    --skip a_library_leaves_the_signals_to_the_program
    --skip aborts_and_faults_of_the_program_itself_end_it_by_the_signal
    --skip a_signal_comes_through_the_channel_and_has_no_other_effect
    --skip none_named_is_all_that_can_be_caught
    --skip other_signals_have_no_effect
    --skip the_first_process_of_a_container_is_ended_by_signals_too
)

arm_tools() {
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu || return 1
    # The compiler does without it, the linker does not.
    need /usr/aarch64-linux-gnu/lib/Scrt1.o libc6-dev-arm64-cross || return 1
    need qemu-aarch64 qemu-user || return 1
    std_for "$ARM" || return 1
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="timeout $LIMIT qemu-aarch64 -L /usr/aarch64-linux-gnu"
}

build_arm() {
    arm_tools || return 0
    run cargo build --workspace --target "$ARM" "${CARGO_STD[@]}"
}

examples_arm() {
    arm_tools || return 0
    local name
    # Not `deadlock`: the emulator has a thread of its own, which keeps the report silent.
    for name in hello sieve worker_pool scope hog blocking; do
        run cargo run --release --target "$ARM" "${CARGO_STD[@]}" --example "$name"
    done
    run_status 2 cargo run --release --target "$ARM" "${CARGO_STD[@]}" --example panic
}

hello_arm() {
    arm_tools || return 0
    local name
    for name in hello sieve; do
        run cargo run --release --target "$ARM" "${CARGO_STD[@]}" --example "$name"
    done
}

tests_arm() {
    arm_tools || return 0
    local profile
    for profile in dev release; do
        run cargo test -p goruntime --lib --profile "$profile" --target "$ARM" "${CARGO_STD[@]}" -- "${NOT_EMULATED[@]}"
    done
    run cargo test -p goruntime-tests "${IN_PROCESS[@]/#/--test=}" --target "$ARM" "${CARGO_STD[@]}"
}

# The tests run here; what they start is the emulated program.
programs_arm() {
    arm_tools || return 0
    run cargo build -p goruntime-tests --bin testprog --target "$ARM" "${CARGO_STD[@]}"
    local native=(env -u RUSTC_BOOTSTRAP cargo test -p goruntime-tests)
    # Without this the tests below might pass with the program that was built for this machine.
    TESTPROG=false run_status 101 "${native[@]}" --quiet --test threads locks_nest >/dev/null 2>&1 || {
        echo 'the tests do not start what TESTPROG says' >&2
        return 1
    }
    TESTPROG="qemu-aarch64 -L /usr/aarch64-linux-gnu ${CARGO_TARGET_DIR:-$ROOT/target}/$ARM/debug/testprog" \
        run "${native[@]}" "${OF_PROGRAMS[@]/#/--test=}" -- --test-threads=1
    TESTPROG="qemu-aarch64 -L /usr/aarch64-linux-gnu ${CARGO_TARGET_DIR:-$ROOT/target}/$ARM/debug/testprog" \
        run "${native[@]}" --test signals -- --test-threads=1 "${NOT_EMULATED_SIGNALS[@]}"
}

# What goroutines with thread-local state do, with the affinity guard and without: the programs are emulated, as above.
hazards_arm() {
    arm_tools || return 0
    local manifest=(--manifest-path tests/hazards/Cargo.toml)
    local directory=${CARGO_TARGET_DIR:-$ROOT/tests/hazards/target}
    run cargo build --release "${manifest[@]}" --target "$ARM" "${CARGO_STD[@]}"
    HAZARDS="qemu-aarch64 -L /usr/aarch64-linux-gnu $directory/$ARM/release/hazards" \
        run env -u RUSTC_BOOTSTRAP cargo test --release "${manifest[@]}" -- --test-threads=1 "${NOT_EMULATED_HAZARDS[@]}"
}

check_macos() {
    std_for aarch64-apple-darwin || return 0
    run cargo check -p goruntime --target aarch64-apple-darwin "${CARGO_STD[@]}"
}

check_windows() {
    need x86_64-w64-mingw32-dlltool binutils-mingw-w64-x86-64 || return 0
    std_for x86_64-pc-windows-gnu || return 0
    run cargo check -p goruntime --target x86_64-pc-windows-gnu "${CARGO_STD[@]}"
}

case ${1:-all} in
all | aarch64 | check | quick) ;;
*)
    printf 'unknown argument `%s`; expected `aarch64`, `check` or `quick`\n' "$1" >&2
    exit 64
    ;;
esac
if [[ ${1:-all} == quick ]]; then
    step 'aarch64: build' build_arm
    step 'aarch64: hello and sieve under qemu-user' hello_arm
elif [[ ${1:-all} != check ]]; then
    step 'aarch64: build' build_arm
    step 'aarch64: examples under qemu-user' examples_arm
    step 'aarch64: tests under qemu-user' tests_arm
    step 'aarch64: tests of programs under qemu-user' programs_arm
    step 'aarch64: thread-local hazards under qemu-user' hazards_arm
fi
if [[ ${1:-all} != aarch64 ]]; then
    step 'macOS: check' check_macos
    step 'Windows: check' check_windows
fi
FINISHED=yes
