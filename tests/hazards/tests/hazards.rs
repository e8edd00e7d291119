//! What the affinity guard prevents, what it does not, and what helps then.
//!
//! Why here: the programs are in `src/`; what they are expected to do depends on how they were built, which is how these tests were built:
//!
//! ```sh
//! cargo test --manifest-path tests/hazards/Cargo.toml
//! cargo test --manifest-path tests/hazards/Cargo.toml --release
//! cargo test --manifest-path tests/hazards/Cargo.toml --profile lto
//! ```
//!
//! `HAZARDS` names another command than the binary that was built with the tests: under an emulator, which starts no program by itself.
//!
//! *Invariants*
//! - T1. A program has been moved, or kept from it, often enough when it says that nothing was wrong.
//!
//! *Locks*: none.
//!
//! *Go:* none.

#[path = "../../common/mod.rs"]
mod common;

use std::path::Path;
use std::process::Command;

/// The guard as it is, off, and without the end of its patience, which a busy machine may reach.
const OFF: &str = "tlsguard=0";
const ON: &str = "tlsguard=1";
const STRICT: &str = "tlsguard=strict";

/// Times that a program has to have been moved, or kept from it.
const ENOUGH: u64 = 20;

/// How the programs were built.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Build {
    Debug,
    Release,
    Lto,
}

/// The command that runs the programs; its last word is their path.
fn program() -> Vec<String> {
    let words = std::env::var("HAZARDS").unwrap_or_else(|_| env!("CARGO_BIN_EXE_hazards").to_owned());
    words.split(' ').map(str::to_owned).collect()
}

fn build() -> Build {
    let program = program();
    let path = program.last().expect("a command has words");
    let profile = Path::new(path).parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match profile.expect("a program is in the directory of its profile") {
        "debug" => Build::Debug,
        "release" => Build::Release,
        "lto" => Build::Lto,
        other => panic!("what the programs do when they are built with the profile {other} is not known"),
    }
}

/// Whether the programs are of aarch64, where the thread pointer is kept in a register over a wait, and seen.
fn is_aarch64() -> bool {
    cfg!(target_arch = "aarch64") || program().iter().any(|word| word.contains("aarch64"))
}

/// What a program has said.
#[derive(Debug)]
struct Said {
    wrong: u64,
    moved: u64,
    kept: u64,
    moved_anyway: u64,
    stderr: String,
}

/// Runs a program that ends well; None if it did not, which only happens where there is no guard.
fn try_run(name: &str, settings: &[(&str, &str)]) -> Option<Said> {
    let program = program();
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .arg(name)
        .env_remove("GOTRACEBACK")
        .envs([("GOMAXPROCS", "4"), ("RUST_BACKTRACE", "0")]);
    let output = common::run(command.envs(settings.iter().copied()));
    let (stdout, stderr) = (output.stdout, output.stderr);
    if !output.status.success() {
        eprintln!("{name} {settings:?}: {}\n{stderr}", output.status);
        return None;
    }
    let last = stdout.lines().last().unwrap_or_else(|| panic!("{name} said nothing"));
    let number = |key: &str| {
        let value = last.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} said {last:?}"))
    };
    Some(Said {
        wrong: number("wrong"),
        moved: number("moved"),
        kept: number("kept"),
        moved_anyway: number("moved_anyway"),
        stderr,
    })
}

#[track_caller]
fn run(name: &str, settings: &[(&str, &str)]) -> Said {
    try_run(name, settings).unwrap_or_else(|| panic!("{name} did not end well"))
}

/// Without the guard the program is moved; it then goes wrong if `shows` says so.
#[track_caller]
fn goes_wrong_without_the_guard(name: &str, shows: bool) {
    // Undefined behaviour may also end it.
    match try_run(name, &[("GODEBUG", OFF)]) {
        Some(off) => {
            assert!(off.moved >= ENOUGH, "{name} was not moved: {off:?}");
            assert_eq!(off.wrong > 0, shows, "{name}: {off:?}");
        }
        None => assert!(shows, "{name} did not end well"),
    }
}

/// The program goes wrong without the guard, and with it it does not.
#[track_caller]
fn is_prevented(name: &str) {
    goes_wrong_without_the_guard(name, true);
    is_kept(name);
}

/// Whether the program goes wrong without the guard; for a hazard that the optimiser may take out.
#[track_caller]
fn shows_without_the_guard(name: &str) -> bool {
    try_run(name, &[("GODEBUG", OFF)]).is_none_or(|off| {
        assert!(off.moved >= ENOUGH, "{name} was not moved: {off:?}");
        off.wrong > 0
    })
}

/// The same as [`is_prevented`], if the optimiser has left the hazard there.
#[track_caller]
fn is_prevented_if_it_shows(name: &str) {
    if shows_without_the_guard(name) {
        is_kept(name);
    }
}

/// With the guard the program stays on its thread, as long as its thread comes for it in time.
#[track_caller]
fn is_kept(name: &str) {
    let strict = run(name, &[("GODEBUG", STRICT)]);
    assert!(strict.kept >= ENOUGH, "{name} was not kept: {strict:?}");
    assert_eq!((strict.wrong, strict.moved), (0, 0), "{name}: {strict:?}");
    let on = run(name, &[("GODEBUG", ON)]);
    assert!(on.kept >= ENOUGH, "{name} was not kept: {on:?}");
    assert!(on.moved <= on.moved_anyway && on.wrong <= on.moved_anyway, "{name}: {on:?}");
}

/// The guard does not see what the program holds.
#[track_caller]
fn is_missed(name: &str) {
    for settings in [OFF, STRICT] {
        let said = run(name, &[("GODEBUG", settings)]);
        assert!(said.moved >= ENOUGH && said.wrong > 0, "{name} {settings}: {said:?}");
    }
}

/// Each time the guard sees what the program holds, or never.
#[track_caller]
fn is_kept_or_missed(name: &str) {
    match run(name, &[("GODEBUG", STRICT)]).kept {
        0 => is_missed(name),
        _ => is_kept(name),
    }
}

/// A debug build keeps it, and reports it once, with what it needs to be found.
#[track_caller]
fn is_reported(name: &str, function: &str) {
    let said = run(name, &[]);
    assert!(said.kept >= ENOUGH, "{name} was not kept: {said:?}");
    let head = " seems to hold a reference into thread-local storage while it waits in";
    let reports: Vec<&str> = said.stderr.split("goruntime: goroutine ").filter(|text| text.contains(head)).collect();
    let ours = reports.iter().filter(|report| report.contains(function) && report.contains("runtime::pin()")).count();
    assert_eq!(ours, 1, "{}", said.stderr);
}

/// Nobody moves the program where nothing moves, and it is not wrong.
#[track_caller]
fn is_cured_without_migration(name: &str) {
    let said = run(name, &[("GODEBUG", OFF), ("TIED", "1")]);
    assert_eq!((said.wrong, said.moved), (0, 0), "{name}: {said:?}");
}

#[test]
fn hashers_of_a_library_are_made_from_the_keys_of_their_thread() {
    match build() {
        Build::Release => is_prevented("hashers"),
        // The keys are found anew each time, or they are not: link-time optimisation makes of it what it likes.
        Build::Lto => is_prevented_if_it_shows("hashers"),
        Build::Debug => goes_wrong_without_the_guard("hashers", false),
    }
}

#[test]
fn a_value_with_a_destructor_in_a_library_is_that_of_its_thread() {
    match build() {
        Build::Release | Build::Lto => is_prevented("destructor"),
        Build::Debug => goes_wrong_without_the_guard("destructor", false),
    }
}

#[test]
fn a_value_without_a_destructor_in_a_library_is_that_of_its_thread() {
    match build() {
        Build::Release => is_prevented("plain"),
        Build::Lto => is_prevented_if_it_shows("plain"),
        Build::Debug => goes_wrong_without_the_guard("plain", false),
    }
}

#[test]
fn an_address_that_the_compiler_has_kept_is_that_of_the_thread() {
    match build() {
        Build::Release | Build::Lto => is_prevented("address"),
        Build::Debug => goes_wrong_without_the_guard("address", false),
    }
}

#[test]
fn a_poll_knows_nothing_of_the_thread_of_the_last_one() {
    goes_wrong_without_the_guard("polls", false);
}

#[test]
fn a_random_number_generator_that_is_held_is_that_of_the_thread() {
    is_prevented("rng");
}

#[test]
fn a_pinned_collector_stays_pinned() {
    is_prevented("epoch");
}

#[test]
fn the_lock_of_standard_output_has_one_holder() {
    is_prevented("stdout");
}

#[test]
fn the_panic_count_is_that_of_the_goroutine() {
    // Not by the guard: who waits while unwinding has the thread for itself.
    for settings in [OFF, ON] {
        let said = run("unwinding", &[("GODEBUG", settings)]);
        assert_eq!((said.wrong, said.moved), (0, 0), "{said:?}");
    }
}

#[test]
fn destructors_of_thread_local_values_may_wait() {
    for settings in [OFF, ON] {
        assert_eq!(run("exit", &[("GODEBUG", settings)]).wrong, 0);
    }
}

#[test]
fn a_reference_to_a_constant_cell_of_a_library_is_seen_or_lost_to_link_time_optimisation() {
    match build() {
        // It stays the address of the first thread's cell: what is read is what was written, though by two threads without any order.
        Build::Release | Build::Debug => {
            goes_wrong_without_the_guard("constant", false);
            is_kept("constant");
        }
        // The address is on the stack or it is not, as the optimiser likes.
        Build::Lto if shows_without_the_guard("constant") => is_kept_or_missed("constant"),
        Build::Lto => is_kept("constant"),
    }
    is_cured_without_migration("constant");
}

#[test]
fn a_reference_to_a_cell_of_the_program_is_seen_in_debug_builds_only() {
    match build() {
        Build::Debug => is_reported("cell", "hazards::own::cell"),
        Build::Release if is_aarch64() => {
            goes_wrong_without_the_guard("cell", false);
            is_kept("cell");
        }
        Build::Release | Build::Lto => is_missed("cell"),
    }
    is_cured_without_migration("cell");
    let pinned = run("pinned_cell", &[("GODEBUG", OFF)]);
    assert_eq!((pinned.wrong, pinned.moved), (0, 0), "{pinned:?}");
}

#[test]
fn a_reference_to_a_refcell_of_the_program_is_seen_in_debug_builds_only() {
    match build() {
        Build::Debug => is_reported("refcell", "hazards::own::refcell"),
        Build::Release if is_aarch64() => {
            goes_wrong_without_the_guard("refcell", false);
            is_kept("refcell");
        }
        Build::Release | Build::Lto => is_missed("refcell"),
    }
    is_cured_without_migration("refcell");
}

#[test]
fn a_release_build_reports_when_it_is_asked_to() {
    if build() != Build::Debug {
        let said = run("address", &[("GODEBUG", "tlsguard=log")]);
        assert_eq!(said.stderr.matches("a reference into thread-local storage").count(), 1, "{}", said.stderr);
        assert!(said.stderr.contains("src/own.rs:"), "{}", said.stderr);
    }
}

#[test]
fn state_that_nests_wants_a_thread_of_its_own() {
    for (nested, alone) in [("scoped", "locked_scoped"), ("spans", "locked_spans")] {
        for settings in [OFF, ON] {
            let said = run(nested, &[("GOMAXPROCS", "1"), ("GODEBUG", settings)]);
            assert!(said.wrong > 0 && said.moved == 0, "{nested}: {said:?}");
            assert_eq!(run(alone, &[("GOMAXPROCS", "1"), ("GODEBUG", settings)]).wrong, 0, "{alone}");
        }
    }
}

#[test]
fn what_holds_nothing_moves() {
    let said = run("nothing", &[("GODEBUG", ON)]);
    assert!(said.moved >= ENOUGH && said.moved_anyway == 0, "{said:?}");
    // In debug builds frames have slots that nothing is written to, with whatever was there before.
    if build() != Build::Debug {
        assert_eq!(said.kept, 0, "{said:?}");
    }
}

#[test]
fn a_mutex_that_is_held_by_a_kept_goroutine_stops_nobody() {
    let said = run("mutex", &[("GODEBUG", ON)]);
    assert!(said.wrong == 0 && said.kept > 0 && said.moved_anyway > 0, "{said:?}");
}

#[test]
fn a_goroutine_whose_thread_computes_goes_on_elsewhere() {
    let said = run("computing", &[("GODEBUG", ON)]);
    assert!(said.kept > 0 && said.moved_anyway > 0 && said.moved > 0, "{said:?}");
}

#[test]
fn words_that_were_left_behind_stop_nobody() {
    let said = run("stale", &[("GODEBUG", ON)]);
    assert!(said.wrong == 0 && said.kept > 0, "{said:?}");
}
