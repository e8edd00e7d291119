//! What a program says that waits for locks for good, or misuses them.
//!
//! Why here: the process is the subject; the programs are in `testprog/locks.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestMutexMisuse` of mutex_test.go; the wait reasons of runtime2.go.

mod common;

use common::{Output, assert_fatal, assert_listed, run_program};

const ASLEEP: &str = "all goroutines are asleep - deadlock!";

#[track_caller]
fn dead(name: &str, statuses: &[&str]) -> Output {
    let out = run_program(name, &[]);
    assert_fatal(&out, ASLEEP);
    assert_listed(&out, statuses);
    out
}

#[test]
fn each_lock_has_its_reason() {
    let out = dead(
        "locks_dead",
        &[
            "chan receive",
            "semacquire",
            "sync.Barrier.Wait",
            "sync.Mutex.Lock",
            "sync.Once.Do",
            "sync.Once.Do",
            "sync.RWMutex.Lock",
            "sync.RWMutex.RLock",
            "sync.WaitGroup.Wait",
            "thread park",
        ],
    );
    let source = include_str!("testprog/locks.rs");
    let calls = [
        ("chan receive", "rx.recv()"),
        ("semacquire", "SEMAPHORE.acquire_many(2)"),
        ("sync.Barrier.Wait", "BARRIER.wait()"),
        ("sync.Mutex.Lock", "MUTEX.lock()"),
        ("sync.RWMutex.Lock", "RWLOCK.write()"),
        ("sync.RWMutex.RLock", "RWLOCK.read()"),
        ("sync.WaitGroup.Wait", "group.wait()"),
    ];
    for (status, call) in calls {
        let block = out.blocks().into_iter().find(|block| block.status == status).expect("it is listed");
        let line = first_line(&block.text);
        let text = source.lines().nth(line - 1).unwrap_or_default();
        assert!(text.contains(call), "{status} is said to wait in line {line}: {text}");
    }
    for block in out.blocks().iter().filter(|block| block.status == "sync.Once.Do") {
        let text = source.lines().nth(first_line(&block.text) - 1).unwrap_or_default();
        assert!(text.contains("ONCE.call_once(|| ())") || text.contains("*LAZY"), "{block:?}");
    }
}

/// The first line of the program that a block names.
fn first_line(text: &str) -> usize {
    let after = text.split_once("testprog/locks.rs:").expect("a place").1;
    after.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).expect("a number")
}

#[test]
fn a_notified_waiter_waits_for_the_mutex() {
    dead("locks_dead_condvar", &["sync.Mutex.Lock", "thread park"]);
}

/// Debug builds say before that who waits for itself, and where.
#[test]
fn a_second_read_behind_a_writer_is_a_deadlock() {
    for (name, what, statuses) in [
        ("locks_dead_read", "read", &["sync.RWMutex.Lock", "sync.RWMutex.RLock"] as &[&str]),
        ("locks_dead_upgrade", "write", &["sync.RWMutex.Lock"]),
    ] {
        let mut out = run_program(name, &[]);
        if cfg!(debug_assertions) {
            let (report, rest) = out.stderr.split_once('\n').expect("a line");
            assert!(report.starts_with(&format!("goruntime: goroutine 1 waits to {what} at ")), "{report}");
            assert!(report.ends_with(" while it reads: a deadlock"), "{report}");
            let line = first_line(report);
            let text = include_str!("testprog/locks.rs").lines().nth(line - 1).unwrap_or_default();
            assert!(text.contains(&format!("_second = RWLOCK.{what}()")), "line {line}: {text}");
            out.stderr = rest.to_owned();
        }
        assert_fatal(&out, ASLEEP);
        assert_listed(&out, statuses);
    }
}

#[test]
fn idle_values_of_pools_only_delay_the_report() {
    dead("locks_dead_pool", &["thread park"]);
}

#[test]
fn misuse_has_the_words_of_go() {
    for (name, text) in [
        ("locks_unlock_twice", "sync: unlock of unlocked mutex"),
        ("locks_unlock_write_twice", "sync: Unlock of unlocked RWMutex"),
        ("locks_unlock_read_twice", "sync: RUnlock of unlocked RWMutex"),
        ("locks_unlock_caught", "sync: unlock of unlocked mutex"),
    ] {
        let out = run_program(name, &[]);
        assert_fatal(&out, text);
        assert_eq!(out.stdout, "", "{name} went on");
    }
}

#[test]
fn a_panic_in_a_group_ends_the_program_before_anybody_goes_on() {
    for procs in ["1", "4"] {
        let out = run_program("locks_group_panics", &[("GOMAXPROCS", procs)]);
        assert_eq!((out.status.code(), out.stdout.as_str()), (Some(2), ""));
        assert!(out.stderr.starts_with("panic: in the group\n"), "{}", out.stderr);
    }
}

#[test]
fn what_nobody_else_wants_is_had_without_the_runtime() {
    let out = run_program("locks_uncontended", &[]);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("threads: 1\nmore: true\n", ""));
}
