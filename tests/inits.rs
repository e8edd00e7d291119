//! Init functions: what they may do, and how they fail.
//!
//! Why here: the process is the subject; the programs are in `testprog/inits.rs` and `testprog/cycle.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestInitDeadlock`, `test/init1.go`, `test/initloop.go`; `GO-RUNTIME.md` §2.

mod common;

use std::process::Command;

use common::{assert_crash, assert_fatal, assert_listed, assert_prints, run, run_program};

#[test]
fn a_panic_in_an_init_is_goroutine_1s() {
    let out = run_program("init_panics", &[]);
    assert_crash(&out, "panic: in init");
    let block = &out.blocks()[0];
    assert_eq!(block.id, 1);
    // An inlined function has no path in a release build.
    assert!(block.text.lines().next().is_some_and(|frame| frame.ends_with("by_name(...)")), "{}", out.stderr);
    assert_eq!(out.stdout, "");
}

#[test]
fn an_error_of_an_init_names_the_function() {
    let out = run_program("init_fails", &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stderr.contains("testprog::inits::by_name"), "{}", out.stderr);
    assert!(out.stderr.contains("no configuration"), "{}", out.stderr);
    assert_eq!(out.stdout, "");
}

#[test]
fn goexit_in_an_init_skips_main_but_not_the_others() {
    let out = run_program("init_goexits", &[]);
    assert_fatal(&out, "no goroutines (main called runtime.Goexit) - deadlock!");
    assert_eq!(out.stdout, "the other ends\n");
}

#[test]
fn a_deadlock_in_an_init_is_reported_on_the_locked_main_thread() {
    let out = run_program("init_deadlocks", &[]);
    assert_fatal(&out, "all goroutines are asleep - deadlock!");
    assert_listed(&out, &["thread park, locked to thread"]);
}

#[test]
fn goroutines_of_an_init_run_at_once() {
    assert_prints(&run_program("init_goes", &[]), "concurrent true\n");
    assert_prints(&run_program("init_goes", &[("GOMAXPROCS", "1")]), "concurrent true\n");
}

#[test]
fn inits_run_on_goroutine_1_on_the_main_thread() {
    let out = run_program("init_is_on_the_main_thread", &[]);
    assert_prints(&out, "init on the main thread\nmain is goroutine 1\n");
}

#[test]
fn a_lock_that_an_init_takes_persists_into_main() {
    assert_prints(&run_program("init_locks", &[]), "stays true\n");
}

#[test]
fn a_cycle_is_named_and_nothing_runs() {
    let out = run(&mut Command::new(env!("CARGO_BIN_EXE_testprog-cycle")));
    assert_eq!((out.stdout.as_str(), out.status.code()), ("", Some(2)), "{}", out.stderr);
    let names = ["first", "second", "third", "first"].map(|name| format!("testprog_cycle::{name}")).join(" -> ");
    assert!(out.stderr.contains(&names), "{}", out.stderr);
}
