#!/usr/bin/env bash
# Which memory orderings the models hold in place: each one that is not Relaxed is weakened in turn, and the models that come by it run until one fails.
#
#   scripts/orderings.sh              all files
#   scripts/orderings.sh join_word    those of which the place (`join_word.rs:90:16`) begins so
#
# Prints a line for each: the place, the ordering as it is and as it was weakened to, and the model that failed, or SURVIVES. What survives is explained in
# `tests/models/README.md`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Seconds after which a model that a weak ordering has led astray counts as failed.
LIMIT=${LIMIT:-120}

weaker() {
    case $1 in
    AcqRel) echo Acquire Release ;;
    *) echo Relaxed ;;
    esac
}

# The test binaries that are models; `MODELS` names others than those that are built here.
binaries() {
    cargo test -p goruntime-models --no-run 2>&1 | sed -n 's/.*Executable.*(\(.*\))$/\1/p' | grep -v /runq-
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
for binary in ${MODELS:-$(binaries)}; do
    "$binary" --list 2>/dev/null | sed -n 's/: test$//p' | while read -r test; do
        MODELS_SITES=yes "$binary" --exact "$test" --nocapture 2>&1 |
            sed -n "s|^site \(.*\) \(.*\)$|\1 \2 $binary $test|p" >>"$list"
    done
done
# `shim.rs`, `os.rs` and the models themselves are no subject.
cut -d' ' -f1,2 "$list" | sort -u -V | grep -v '^\(shim\|os\|goroutines\|[a-z_]*_model\)\.rs' | grep "^${1:-}" | while read -r place order; do
    for to in $(weaker "$order"); do
        verdict=SURVIVES
        while read -r _ _ binary test; do
            if ! MODELS_WEAKEN="$place=$to" timeout "$LIMIT" "$binary" --exact "$test" </dev/null >/dev/null 2>&1; then
                verdict="fails $test"
                break
            fi
        done < <(grep -F "$place $order " "$list")
        printf '%-28s %-8s %-8s %s\n' "$place" "$order" "$to" "$verdict"
    done
done
