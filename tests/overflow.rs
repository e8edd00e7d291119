//! A goroutine that runs out of stack ends the program with Go's three lines.
//!
//! Why here: the process is the subject; the programs are in `testprog/overflow.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestStackOverflow` of `runtime/crash_test.go`.

mod common;

use std::os::unix::process::ExitStatusExt;

use common::{assert_prints, run_program};

/// Runs a program that overflows a stack of `bytes`.
#[track_caller]
fn overflows(name: &str, bytes: usize) {
    let out = run_program(name, &[]);
    let lines: Vec<&str> = out.stderr.lines().collect();
    assert_eq!(lines[0], format!("runtime: goroutine stack exceeds {bytes}-byte limit"), "{name}");
    assert!(lines[1].starts_with("runtime: sp=0x") && lines[1].contains(" stack=[0x"), "{}", lines[1]);
    assert_eq!(lines[2..5], ["fatal error: stack overflow", "", "runtime stack:"], "{name}");
    assert_eq!(out.status.code(), Some(2), "{name}");
}

#[test]
fn a_goroutine_overflows() {
    overflows("overflow_go", 256 << 10);
}

#[test]
fn main_overflows() {
    overflows("overflow_main", 8 << 20);
}

#[test]
fn a_small_stack_overflows_at_its_size() {
    overflows("overflow_small_stack", 32 << 10);
}

#[test]
fn a_frame_larger_than_the_guard_is_caught() {
    overflows("overflow_big_frame", 256 << 10);
}

#[test]
fn a_stack_that_is_asked_for_is_there() {
    assert_prints(&run_program("overflow_not", &[]), "45150\n1250025000\n");
    assert_prints(&run_program("main_stack_of_the_attribute", &[]), "20000100000\n1250025000\n");
}

#[test]
fn an_overflow_of_a_plain_thread_is_stds() {
    let out = run_program("overflow_std_thread", &[]);
    assert!(out.stderr.contains("has overflowed its stack"), "{}", out.stderr);
    assert!(!out.stderr.contains("goroutine"), "{}", out.stderr);
    assert!(out.status.signal().is_some(), "{:?}", out.status);
}

#[test]
fn a_stack_size_out_of_range_in_the_attribute_is_an_error() {
    let out = run_program("stack_too_small_in_attribute", &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(
        out.stderr.contains("`stack_size`") && out.stderr.contains("1 bytes is out of range; accepted are "),
        "{}",
        out.stderr
    );
}
