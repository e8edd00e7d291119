#!/usr/bin/env bash
# Programs while the system refuses memory, threads, the poller and descriptors at random: each has to come to its right results, or to end with a
# fatal error that says what was refused. A hang is one of four minutes; then the goroutines of the program are printed.
#
#   scripts/faults.sh [FIRST [LAST]]   every program under each seed, 1 to 300 by default, in debug and in release
#   scripts/faults.sh debug FIRST LAST | release FIRST LAST
#
# A seed stands for a rate, kinds of failures and a number of processors. The short form is a part of `cargo test`: seeds 1 to 6. What fails prints the command
# that runs it again: the same calls of each kind fail, at moments that depend on the machine.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# seeds ARGUMENTS...
seeds() {
    FAULTS_SEEDS=$FIRST-$LAST run cargo test "$@" -p goruntime-tests --test faults
}

in_debug() { seeds; }
in_release() { seeds --release; }

trap report EXIT
PROFILES=(debug release)
case ${1:-} in
debug | release)
    PROFILES=("$1")
    FIRST=$2 LAST=$3
    ;;
*) FIRST=${1:-1} LAST=${2:-${1:-300}} ;;
esac
for profile in "${PROFILES[@]}"; do
    step "$profile" "in_$profile"
done
FINISHED=yes
