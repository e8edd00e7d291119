//! Which thread a goroutine is on, where it matters.
//!
//! Why here: the number of processors belongs to the process; the programs are in `testprog/threads.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestLockOSThreadNesting`, `TestLockOSThreadExit`, `TestLockOSThreadAvoidsStatePropagation` of `runtime/proc_test.go`.

mod common;

use common::{assert_crash, assert_prints, run_program};

#[track_caller]
fn on_1_and_4(name: &str, expected: &str) {
    for procs in ["1", "4"] {
        assert_prints(&run_program(name, &[("GOMAXPROCS", procs)]), expected);
    }
}

#[test]
fn goroutines_move_when_nothing_keeps_them() {
    assert_prints(&run_program("wander", &[("GOMAXPROCS", "4")]), "moved\n");
}

#[test]
fn a_locked_goroutine_stays_on_its_thread() {
    on_1_and_4("locked_stays", "true\n");
}

#[test]
fn a_locked_thread_runs_nobody_else() {
    on_1_and_4("locked_alone", "false\n");
}

#[test]
fn locks_nest() {
    on_1_and_4("locked_nests", "true\n");
}

#[test]
fn too_deep_a_nesting_panics() {
    assert_crash(&run_program("locked_overflow", &[]), "panic: LockOSThread nesting overflow");
}

#[test]
fn one_unlock_too_many_does_nothing() {
    on_1_and_4("unlocked_too_often", "1\n");
}

#[test]
fn two_goroutines_never_have_one_thread_for_themselves() {
    on_1_and_4("locked_on_anothers", "Some(true)\n");
}

#[test]
fn the_thread_of_a_goroutine_that_ended_locked_runs_nobody() {
    on_1_and_4("locked_ends", "false\n");
}

#[test]
fn a_locked_main_spawns_and_joins() {
    on_1_and_4("locked_main_spawns", "19900\n");
}

#[test]
fn a_pinned_goroutine_stays_until_the_last_guard_is_dropped() {
    on_1_and_4("pinned_stays", "true\n");
}

#[test]
fn without_migration_every_goroutine_stays() {
    on_1_and_4("sticky", "true\n");
}

#[test]
fn more_threads_than_allowed_end_the_program() {
    let out = run_program("exhausted", &[]);
    let lines: Vec<&str> = out.stderr.lines().take(2).collect();
    assert_eq!(lines, ["runtime: program exceeds 10-thread limit", "fatal error: thread exhaustion"]);
    assert_eq!(out.status.code(), Some(2));
}
