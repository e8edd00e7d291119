//! The runtime in programs without the attribute, and on threads that are not goroutines.
//!
//! Why here: the runtime starts once a process; the programs are in `testprog/library.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* the c-archive tests.

mod common;

use common::{assert_crash, assert_prints, run_program};

#[track_caller]
fn prints(name: &str, expected: &str) {
    assert_prints(&run_program(name, &[]), expected);
}

#[test]
fn a_program_that_does_not_use_the_runtime_does_not_start_it() {
    let out = run_program("lib_unused", &[("GODEBUG", "boottrace=1,inittrace=1")]);
    assert_prints(&out, "plain\n");
    assert_eq!(out.stderr, "");
}

#[test]
fn run_returns_the_value() {
    prints("lib_run", "42\n");
}

#[test]
fn run_borrows_from_its_caller() {
    prints("lib_run_borrows", "[1, 2, 3, 4]\n");
}

#[test]
fn run_nests() {
    prints("lib_run_nested", "5\n");
}

#[test]
fn run_hands_a_panic_to_its_caller() {
    prints("lib_run_panics", "through\n");
}

#[test]
fn go_works_from_a_plain_thread() {
    prints("lib_go", "4950\n");
}

#[test]
fn join_works_on_a_plain_thread() {
    prints("lib_join", "joined\n");
}

#[test]
fn scope_works_on_a_plain_thread() {
    prints("lib_scope", "6\n");
}

#[test]
fn many_threads_may_be_the_first() {
    for _ in 0..5 {
        prints("lib_many_threads", "120\n");
    }
}

#[test]
fn threads_come_and_go() {
    prints("lib_threads_come_and_go", "19900\n");
}

#[test]
fn an_unobserved_panic_ends_the_process_here_too() {
    assert_crash(&run_program("lib_panic_in_go", &[]), "panic: unobserved");
}

#[test]
fn nobody_is_called_dead_in_a_library() {
    let out = run_program("lib_silent", &[]);
    assert_prints(&out, "silent\n");
    assert_eq!(out.stderr, "");
}

#[test]
fn inits_run_before_the_first_use() {
    let out = run_program("lib_run", &[("GODEBUG", "inittrace=1")]);
    assert!(out.stderr.starts_with("init testprog::inits::by_name @"), "{}", out.stderr);
}

#[test]
fn the_programs_own_status_counts() {
    assert_eq!(run_program("lib_status", &[]).status.code(), Some(11));
}

#[test]
fn a_plain_thread_has_no_goroutine_id() {
    prints("lib_goid", "0 true\n");
}

#[test]
fn a_plain_thread_is_parked_and_unparked() {
    prints("lib_park", "unparked\n");
}

#[test]
fn threads_of_a_program_with_the_attribute_use_it_as_well() {
    prints("lib_thread_in_program", "3\n");
}
