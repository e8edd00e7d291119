# Shared by `.ci/run` and the scripts beside this file; to be sourced by bash.
#
# What a machine lacks is installed by the system's own client if it can be. If the client cannot reach its archive, the
# step is put on the list of what was not done, which `report` prints last; if the archive is there and the package is
# not, that is a failure.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

STEP=start
# What was not done, a line each. A script that is called by another adds to that one's list.
if [[ -z ${NOT_DONE:-} ]]; then
    NOT_DONE=$(mktemp)
    export NOT_DONE
    OWNS_LIST=yes
fi

# Prints a header, runs a function, prints how long it took.
step() {
    STEP=$1
    local begun=$SECONDS
    printf '\n==== %s ====\n' "$STEP"
    "$2"
    printf -- '---- %s: %d s\n' "$STEP" $((SECONDS - begun))
}

# Prints a command and runs it.
run() {
    printf '+ %s\n' "$*"
    "$@"
}

# Runs a command that is to end with the given status.
run_status() {
    local want=$1 got=0
    shift
    printf '+ %s    (expected status %s)\n' "$*" "$want"
    "$@" || got=$?
    if [[ $got -ne $want ]]; then
        printf 'status %s, expected %s\n' "$got" "$want" >&2
        return 1
    fi
}

# Notes, loudly, that something was left out.
not_done() {
    printf '%s: %s\n' "$STEP" "$*" >>"$NOT_DONE"
    printf '\n!!!! NOT DONE: %s: %s\n\n' "$STEP" "$*" >&2
}

# The last words: what was left out, how long everything took, where it failed. For `trap report EXIT`; a script says
# `FINISHED=yes` in its last line, since a signal leaves no status behind.
report() {
    local status=$? but=''
    [[ -s $NOT_DONE ]] && but=' of those that could be done here'
    if [[ ${OWNS_LIST:-no} == yes ]]; then
        printf '\n'
        sed 's/^/!!!! NOT DONE: /' "$NOT_DONE"
        rm -f "$NOT_DONE"
    fi
    if [[ $status -eq 0 && ${FINISHED:-no} == yes ]]; then
        printf 'all steps%s passed in %d s\n' "$but" "$SECONDS"
    else
        printf 'FAILED in step "%s" after %d s (status %d)\n' "$STEP" "$SECONDS" "$status"
    fi
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

# have COMMAND: whether there is such a command, or a file of that path.
have() {
    command -v "$1" >/dev/null || [[ -e $1 ]]
}

# need COMMAND PACKAGE: makes a command, or a file, available. False if the machine cannot get it (no apt, no rights, no network).
need() {
    local command=$1 package=$2
    if have "$command"; then
        return 0
    fi
    if ! command -v apt-get >/dev/null; then
        not_done "\`$command\` is missing, and there is no apt-get to install $package with"
        return 1
    fi
    if ! as_root true 2>/dev/null; then
        not_done "\`$command\` is missing, and installing $package takes root"
        return 1
    fi
    if [[ -z ${APT_UPDATED:-} ]]; then
        # An unreachable archive is a warning for apt-get unless it is told otherwise.
        if ! run as_root apt-get update -qq -o APT::Update::Error-Mode=any; then
            not_done "\`$command\` is missing, and the package archive cannot be reached"
            return 1
        fi
        APT_UPDATED=yes
    fi
    run as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null || exit 1
    have "$command" || {
        printf '%s does not bring `%s`\n' "$package" "$command" >&2
        exit 1
    }
}

# std_for TARGET: makes std available for a target and sets CARGO_STD to the arguments that cargo needs for it: none if the
# toolchain has it or rustup can add it, else std is built from the toolchain's own sources. False if neither is possible.
std_for() {
    local target=$1 sysroot
    CARGO_STD=()
    sysroot=$(rustc --print sysroot)
    if compgen -G "$sysroot/lib/rustlib/$target/lib/libstd-*" >/dev/null; then
        return 0
    fi
    if command -v rustup >/dev/null && run rustup target add "$target"; then
        return 0
    fi
    if [[ -d $sysroot/lib/rustlib/src/rust/library ]]; then
        printf 'no std for %s: building it from the sources of the toolchain\n' "$target"
        export RUSTC_BOOTSTRAP=1
        CARGO_STD=(-Zbuild-std=std,panic_unwind)
        return 0
    fi
    not_done "no std for $target: rustup cannot add it, and the toolchain has no rust-src to build it from"
    return 1
}

# rust_src: makes the sources of std available, from which instrumented programs build it. False if there is no way to get them.
rust_src() {
    if [[ -d $(rustc --print sysroot)/lib/rustlib/src/rust/library ]]; then
        return 0
    fi
    if ! command -v rustup >/dev/null; then
        not_done 'the toolchain has no rust-src to build an instrumented std from, and there is no rustup to add it with'
        return 1
    fi
    run rustup component add rust-src || {
        not_done 'rustup cannot add rust-src, from which an instrumented std is built'
        return 1
    }
}

# sanitized SANITIZER CARGO-ARGUMENTS: runs cargo with everything built for a sanitizer, std included, by the stable toolchain.
sanitized() {
    local sanitizer=$1 command=$2
    shift 2
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="${RUSTFLAGS:-} -Zsanitizer=$sanitizer ${SANITIZER_FLAGS:-}" \
        cargo "$command" -Zbuild-std --target x86_64-unknown-linux-gnu "$@"
}

# What `sanitized` needs.
sanitizer_tools() {
    if [[ $(uname -sm) != 'Linux x86_64' ]]; then
        echo 'sanitizers are told of goroutines on Linux x86-64 only' >&2
        exit 1
    fi
    rust_src || exit 1
    # Either gives the addresses of a report their names.
    command -v llvm-symbolizer >/dev/null || need addr2line binutils || true
}

# sanitizer_command SANITIZER COMMAND ARGUMENTS...: what a script for a sanitizer is told to do. It has said where it was called (HERE), and which steps
# are its commands `check` (CHECK) and `quick` (QUICK); its head is its help.
sanitizer_command() {
    local sanitizer=$1 command=${2:-} name
    shift
    local steps=()
    case $command in
    run | test)
        sanitizer_tools
        cd "$HERE"
        sanitized "$sanitizer" "$@"
        return
        ;;
    check) steps=("${CHECK[@]}") ;;
    quick) steps=("${QUICK[@]}") ;;
    *)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p}' "$ROOT/scripts/$(basename "$0")" >&2
        exit 64
        ;;
    esac
    # Reports tell lines, not values; this spares a fifth of the build.
    export CARGO_PROFILE_DEV_DEBUG=line-tables-only
    trap report EXIT
    step tools sanitizer_tools
    for name in "${steps[@]}"; do
        step "$name" "$name"
    done
    FINISHED=yes
}
