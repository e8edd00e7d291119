#!/usr/bin/env bash
# Random inputs for the parsers of the macros, and random programs beside a sequential model: `tests/fuzz`.
#
#   scripts/fuzz.sh [TARGET [SECONDS]]   one target, or each, under libFuzzer, for 600 seconds by default
#   scripts/fuzz.sh again TARGET FILE    one input again
#   scripts/fuzz.sh shrink TARGET        what libFuzzer found, fewer and shorter, in target/fuzz/TARGET.shrunk
#   scripts/fuzz.sh quick                seeds and a few random inputs, without libFuzzer: what `.ci/run fuzz` does
#
# The targets: select_macro, attributes, programs. What libFuzzer finds interesting goes to target/fuzz/TARGET, inputs that fail to
# target/fuzz/failed-TARGET-*; the seeds are in tests/fuzz/corpus and stay as they are. Works with the stable compiler, and installs cargo-fuzz where it is
# missing. `FUZZ_INPUTS=100000 FUZZ_SEED=1 scripts/fuzz.sh quick` has other numbers of inputs, and another seed.
# `GODEBUG=chaos=SEED scripts/fuzz.sh programs` makes the scheduling random, too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

TARGETS=(select_macro attributes programs)
OUTPUT=${CARGO_TARGET_DIR:-$ROOT/target}/fuzz

cargo_fuzz() {
    if ! cargo fuzz --version >/dev/null 2>&1; then
        need c++ g++ || return 1
        run cargo install cargo-fuzz --locked || {
            not_done 'cargo-fuzz is missing and cannot be installed'
            return 1
        }
    fi
}

# under_libfuzzer TARGET ARGUMENTS...: goroutines have stacks of their own, which address sanitizer does not know: no sanitizer.
under_libfuzzer() {
    local target=$1
    shift
    mkdir -p "$OUTPUT/$target"
    run cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none --features link "$target" "$@"
}

fuzz() {
    under_libfuzzer "$TARGET" "$OUTPUT/$TARGET" "tests/fuzz/corpus/$TARGET" -- \
        -max_total_time="$TIME" -max_len=1024 -timeout=240 -rss_limit_mb=4096 -artifact_prefix="$OUTPUT/failed-$TARGET-" -print_final_stats=1
}

again() {
    under_libfuzzer "$TARGET" "$FILE"
}

shrink() {
    mkdir -p "$OUTPUT/$TARGET.shrunk"
    under_libfuzzer "$TARGET" "$OUTPUT/$TARGET.shrunk" "$OUTPUT/$TARGET" "tests/fuzz/corpus/$TARGET" -- -merge=1 -max_len=1024
}

quick() {
    run cargo test --manifest-path tests/fuzz/Cargo.toml
}

trap report EXIT
case ${1:-all} in
quick)
    step quick quick
    ;;
again)
    TARGET=$2 FILE=$3
    if cargo_fuzz; then step "again $TARGET" again; fi
    ;;
shrink)
    TARGET=$2
    if cargo_fuzz; then step "shrink $TARGET" shrink; fi
    ;;
all | select_macro | attributes | programs)
    [[ ${1:-all} == all ]] || TARGETS=("$1")
    TIME=${2:-600}
    if cargo_fuzz; then
        for TARGET in "${TARGETS[@]}"; do
            step "$TARGET" fuzz
        done
    fi
    ;;
*)
    printf 'unknown target `%s`; expected one of %s\n' "$1" "${TARGETS[*]}" >&2
    exit 64
    ;;
esac
FINISHED=yes
