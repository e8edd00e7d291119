//! How a program ends, and with which status: `main`'s return, `exit`, `goexit`.
//!
//! Why here: the process is the subject; the programs are in `testprog/ends.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestExitHooks`, `TestGoexitDeadlock`, `TestGoexitCrash`, `TestGoexitDefer` of `runtime/crash_test.go`.

mod common;

use common::{assert_crash, assert_fatal, assert_listed, assert_prints, run_program};

const GOEXIT_DEADLOCK: &str = "no goroutines (main called runtime.Goexit) - deadlock!";

#[track_caller]
fn status(name: &str) -> Option<i32> {
    run_program(name, &[]).status.code()
}

#[test]
fn mains_return_value_is_the_status() {
    assert_prints(&run_program("return_unit", &[]), "done\n");
    assert_eq!(status("return_ok"), Some(0));
    assert_eq!(status("return_exit_code"), Some(7));
    assert_eq!(status("return_never"), Some(9));
}

#[test]
fn mains_error_is_printed_as_std_prints_it() {
    let out = run_program("return_err", &[]);
    assert_eq!((out.stderr.as_str(), out.status.code()), ("Error: \"no luck\"\n", Some(1)));
}

#[test]
fn exit_ends_at_once_without_destructors() {
    assert_eq!(status("exit_in_main"), Some(3));
    let out = run_program("exit_in_goroutine", &[]);
    assert_eq!((out.stdout.as_str(), out.status.code()), ("", Some(3)));
}

#[test]
fn exit_works_on_a_plain_thread() {
    assert_eq!(status("exit_in_thread"), Some(4));
}

#[test]
fn exit_hooks_run_last_registered_first_at_return() {
    assert_prints(&run_program("hooks_at_return", &[]), "main\nhook third\nhook second\nhook first\n");
}

#[test]
fn exit_hooks_run_last_registered_first_at_exit() {
    let out = run_program("hooks_at_exit", &[]);
    assert_eq!(out.stdout, "main\nhook third\nhook second\nhook first\n");
    assert_eq!(out.status.code(), Some(5));
}

#[test]
fn a_hook_may_register_a_hook() {
    assert_prints(&run_program("hook_registers_hook", &[]), "outer\ninner\n");
}

#[test]
fn mains_return_abandons_other_goroutines() {
    assert_prints(&run_program("others_are_abandoned", &[]), "");
}

#[test]
fn a_second_main_ends_the_program() {
    let out = run_program("main_calls_main", &[]);
    assert_eq!(out.stdout, "main\n");
    assert_fatal(&out, "main called while the runtime runs");
    let out = run_program("main_after_library", &[]);
    assert_eq!(out.stdout, "library\n");
    assert_fatal(&out, "main called while the runtime runs");
}

#[test]
fn goexit_of_main_alone_is_a_deadlock() {
    let out = run_program("goexit_main_alone", &[]);
    assert_fatal(&out, GOEXIT_DEADLOCK);
    assert!(out.blocks().is_empty(), "{}", out.stderr);
}

#[test]
fn goexit_of_main_lets_the_others_finish() {
    let out = run_program("goexit_main_then_others", &[]);
    assert_fatal(&out, GOEXIT_DEADLOCK);
    let mut lines = out.lines();
    lines.sort_unstable();
    assert_eq!(lines, ["dropped main's", "the other ends"]);
}

#[test]
fn after_goexit_of_main_another_goroutine_may_exit() {
    assert_eq!(status("goexit_main_then_exit"), Some(0));
}

#[test]
fn goexit_runs_destructors_and_tells_the_joiner() {
    let out = run_program("goexit_in_goroutine", &[]);
    assert_prints(&out, "dropped the goroutine's\njoined: the goroutine ended by goexit\n");
    assert_eq!(out.stderr, "");
}

#[test]
fn catching_goexit_only_delays_it() {
    assert_prints(&run_program("goexit_caught", &[]), "caught: true\njoined: true\n");
}

#[test]
fn a_panic_caught_during_goexit_does_not_stop_it() {
    assert_prints(&run_program("goexit_then_panic", &[]), "caught: true\njoined: true\n");
}

#[test]
fn goexit_in_a_destructor_during_a_panic_ends_the_program_with_the_panic() {
    let out = run_program("goexit_in_unwinding", &[]);
    assert_crash(&out, "panic: first");
    assert_listed(&out, &["running"]);
}

#[test]
fn goexit_that_is_caught_in_a_destructor_during_a_panic_waits_for_its_end() {
    let out = run_program("goexit_in_unwinding_caught", &[]);
    assert_prints(&out, "caught goexit: true\ncaught panic: true\njoined: true\n");
    assert_eq!(out.stderr, "");
}
