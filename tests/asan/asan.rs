//! What address sanitizer says of programs: where the culprit of a wrong one is, and nothing of the others.
//!
//! Why here: it takes a build of its own, of std as well, which `scripts/asan.sh` makes: `scripts/asan.sh check` runs this. The feature
//! `asan` keeps it out of everything else.
//!
//! *Invariants*
//! - A1. Every program runs on one processor and on four.
//!
//! *Locks*: none.
//!
//! *Go:* `cmd/cgo/internal/testsanitizers/asan_test.go`.

#[path = "../common/mod.rs"]
mod common;

use std::process::Command;

use common::{Output, run};

/// The sanitizer's own exit status.
const WRONG: i32 = 1;

fn program(name: &str, procs: &str) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_asanprog"))
        .arg(name)
        .env("GOMAXPROCS", procs)
        .env("GODEBUG", "tlsguard=on")
        .env_remove("ASAN_OPTIONS")
        .env_remove("LSAN_OPTIONS"))
}

/// The program is stopped by a report of this kind, in which the culprit stands, and the other words.
#[track_caller]
fn assert_reported(name: &str, kind: &str, words: &[&str]) {
    for procs in ["1", "4"] {
        let out = program(name, procs);
        assert_eq!(out.status.code(), Some(WRONG), "{name} on {procs}:\n{}", out.stderr);
        assert_eq!(out.stdout, "", "{name} on {procs} went on:\n{}", out.stderr);
        assert!(out.stderr.contains(&format!("AddressSanitizer: {kind}")), "{name} on {procs}:\n{}", out.stderr);
        for word in ["culprit"].iter().chain(words) {
            assert!(out.stderr.contains(word), "{name} on {procs} without {word}:\n{}", out.stderr);
        }
    }
}

#[test]
fn the_report_of_a_use_after_free_names_all_three_goroutines_functions() {
    assert_reported("heap_after_free", "heap-use-after-free", &["liberator", "allocator", "prog/wrong.rs"]);
}

#[test]
fn the_end_of_a_variable_on_a_goroutines_stack_is_guarded() {
    assert_reported("beyond_a_variable", "stack-buffer-overflow", &["beyond_a_variable", "'array'"]);
}

#[test]
fn a_variable_ends_with_its_block() {
    assert_reported("out_of_scope", "stack-use-after-scope", &["out_of_scope", "'array'"]);
}

#[test]
fn the_stack_of_a_parked_goroutine_is_guarded() {
    assert_reported("stack_of_another", "stack-buffer-overflow", &["stack_of_another"]);
}

#[test]
fn the_stack_of_a_goroutine_that_has_ended_is_nobodys() {
    assert_reported("stack_of_one_who_has_ended", "use-after-poison", &["stack_of_one_who_has_ended"]);
}

#[test]
fn a_fault_that_is_no_overflow_is_the_sanitizers() {
    assert_reported("wild_pointer", "SEGV on unknown address", &["wild_pointer"]);
}

#[test]
fn what_is_lost_is_a_leak() {
    for procs in ["1", "4"] {
        let out = program("lost", procs);
        assert_eq!(out.status.code(), Some(WRONG), "on {procs}:\n{}", out.stderr);
        for word in ["detected memory leaks", "culprit", "8 byte(s) leaked in 1 allocation(s)"] {
            assert!(out.stderr.contains(word), "no {word} on {procs} in:\n{}", out.stderr);
        }
    }
}

#[test]
fn programs_that_use_their_own_memory_are_not_suspected() {
    let list = program("list", "1").stdout;
    assert!(list.lines().count() > 5, "{list}");
    for name in list.lines() {
        for procs in ["1", "4"] {
            let out = program(name, procs);
            assert!(out.status.success() && out.stderr.is_empty(), "{name} on {procs}: {}\n{}", out.status, out.stderr);
        }
    }
}
