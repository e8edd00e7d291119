//! What holds in a program that is built with `panic = "abort"`: the same texts and statuses, and a goexit that stops without unwinding.
//!
//! Why here: how a program panics belongs to its build; the programs are in `testprog/abort.rs`, a binary that only this test builds.
//!
//! *Invariants*
//! - AB1. The program is built once, and beside those of the other tests, which it does not replace: it needs a feature that nobody else turns on.
//!
//! *Locks*: a `OnceLock` (AB1).
//!
//! *Go:* none.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use common::{Output, assert_crash, assert_fatal, assert_listed, assert_prints, build, run};

/// SIGABRT.
const ABORT: i32 = 6;

fn program(name: &str) -> Output {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // One of the two profiles is that of the tests.
        let abort = ["--config", "profile.dev.panic='abort'", "--config", "profile.release.panic='abort'"];
        let binary = ["--package", "goruntime-tests", "--bin", "testprog-abort", "--features", "abort"];
        build(&[&abort[..], &binary[..]].concat()).join("testprog-abort")
    });
    run(Command::new(built).arg(name))
}

#[test]
fn an_unobserved_panic_prints_gos_block_and_exits_with_2() {
    let out = program("panic_in_go");
    assert_crash(&out, "panic: boom");
    assert_listed(&out, &["running"]);
    assert!(out.stderr.contains("testprog/abort.rs:"), "{}", out.stderr);
    assert_eq!(out.stdout, "");
}

#[test]
fn a_panic_with_a_handle_aborts_as_that_of_a_thread_does() {
    let out = program("panic_in_spawn");
    assert_eq!((out.stdout.as_str(), out.status.signal()), ("", Some(ABORT)), "{}", out.stderr);
    assert!(out.stderr.contains("for nobody"), "{}", out.stderr);
}

#[test]
fn goexit_tells_the_joiner_and_runs_no_destructors() {
    assert_prints(&program("goexit_joined"), "joined: the goroutine ended by goexit\ngoroutines: 1\n");
}

#[test]
fn after_goexit_a_goroutine_is_not_counted() {
    assert_prints(&program("goexit_detached"), "alone\n");
}

#[test]
fn goexit_of_main_alone_is_a_deadlock() {
    let out = program("goexit_main");
    assert_fatal(&out, "no goroutines (main called runtime.Goexit) - deadlock!");
    assert!(out.blocks().is_empty(), "{}", out.stderr);
}

#[test]
fn goroutines_that_ended_by_goexit_are_not_listed() {
    let out = program("goexit_main_with_another");
    assert_fatal(&out, "all goroutines are asleep - deadlock!");
    assert_listed(&out, &["thread park"]);
}
