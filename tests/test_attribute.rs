//! `#[goruntime::test]`: the body is a goroutine, and a deadlock fails the test.
//!
//! Why here: a failing test cannot be a test of itself, so this binary runs itself again with one test alone.
//!
//! *Invariants*
//! - TA1. A test that is meant to fail does so only in a process that was started for it.
//!
//! *Locks*: none.
//!
//! *Go:* `testing`; `TestDeadlock` of synctest.

mod common;

use std::process::Command;

use common::{Output, run};
use goruntime::{go, spawn, thread};

/// Set in a process that runs one failing test (TA1).
const ALONE: &str = "GORUNTIME_FAILING_TEST";

fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs tests of this binary in a process of its own.
fn alone(filters: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("the test program has a path"));
    run(command.args(filters).env(ALONE, "1"))
}

/// The process ran one test, which failed, and the output contains `text`.
#[track_caller]
fn assert_fails(out: &Output, text: &str) {
    assert_eq!(out.status.code(), Some(101), "{out:#?}");
    assert!(out.stdout.contains("0 passed; 1 failed"), "{out:#?}");
    assert!(out.stdout.contains(text) || out.stderr.contains(text), "{out:#?}");
}

mod failing {
    use super::*;

    #[goruntime::test]
    fn deadlock() {
        if is_alone() {
            go(|| thread::park());
            drop(spawn(thread::park).join());
        }
    }

    #[goruntime::test]
    fn deadlock_beside_another() {
        if is_alone() {
            thread::park();
        }
    }

    #[goruntime::test]
    fn deadlock_beside_one_that_passes() {
        assert_eq!(spawn(|| 1).join().unwrap(), 1);
    }

    #[goruntime::test]
    fn panics() {
        assert!(!is_alone(), "as it was told");
    }

    #[goruntime::test]
    fn returns_an_error() -> Result<(), String> {
        if is_alone() { Err("an error of the test".to_owned()) } else { Ok(()) }
    }

    #[goruntime::test]
    fn exits_by_goexit() {
        if is_alone() {
            goruntime::runtime::goexit();
        }
    }

    #[goruntime::test]
    fn has_a_goroutine_that_panics() {
        if is_alone() {
            go(|| panic!("unobserved"));
            loop {
                thread::park();
            }
        }
    }
}

#[test]
fn a_deadlock_fails_the_test() {
    assert_fails(&alone(&["--exact", "failing::deadlock"]), "all goroutines are asleep - deadlock!");
}

#[test]
fn a_deadlock_fails_only_the_test_that_is_in_it() {
    let out = alone(&["--test-threads=2", "failing::deadlock_beside"]);
    assert!(out.stdout.contains("1 passed; 1 failed"), "{out:#?}");
    assert!(out.stdout.contains("all goroutines are asleep - deadlock!"), "{out:#?}");
}

#[test]
fn a_panic_fails_the_test_with_its_message() {
    assert_fails(&alone(&["failing::panics"]), "as it was told");
}

#[test]
fn an_error_fails_the_test() {
    assert_fails(&alone(&["failing::returns_an_error"]), "an error of the test");
}

#[test]
fn goexit_fails_the_test() {
    assert_fails(&alone(&["failing::exits_by_goexit"]), "goexit");
}

#[test]
fn an_unobserved_panic_ends_the_test_process() {
    let out = alone(&["failing::has_a_goroutine_that_panics"]);
    assert!(out.stderr.contains("panic: unobserved\n\ngoroutine "), "{out:#?}");
    assert_eq!(out.status.code(), Some(2));
}

#[goruntime::test]
fn the_body_is_a_goroutine_and_others_go_on_beside_it() {
    assert!(goruntime::runtime::goid() > 0);
    let sum: u32 = (0..10).map(|number| spawn(move || number).join().unwrap()).sum();
    assert_eq!(sum, 45);
}
