//! What is printed about a panic that nobody can observe, and what is not printed about one that somebody can.
//!
//! Why here: the process is the subject; the programs are in `testprog/panics.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestRecursivePanic`, `TestMainGoroutineID`, `TestPanicRace`, `TestTracebackElision` of `runtime/crash_test.go`; `GO-RUNTIME.md` §4.

mod common;

use common::{Output, assert_crash, assert_listed, assert_prints, run_program};

/// The lines of the only goroutine in the report.
#[track_caller]
fn only_block(out: &Output) -> Vec<String> {
    assert_listed(out, &["running"]);
    out.blocks()[0].text.lines().map(str::to_owned).collect()
}

#[test]
fn a_panic_prints_gos_block() {
    let out = run_program("panic_in_go", &[]);
    assert_crash(&out, "panic: boom");
    let lines: Vec<&str> = out.stderr.lines().collect();
    assert_eq!(lines[1], "");
    assert!(lines[2].starts_with("goroutine ") && lines[2].ends_with(" [running]:"), "{}", out.stderr);
}

#[test]
fn the_stack_begins_where_the_panic_was_raised() {
    let block = only_block(&run_program("panic_in_go", &[]));
    assert_eq!(block[0], "testprog::panics::leaf(...)");
    assert!(block[1].starts_with("\t") && block[1].contains("testprog/panics.rs:"), "{block:?}");
    assert!(!block.iter().any(|line| line.starts_with("goruntime::") || line.starts_with("std::")), "{block:?}");
}

#[test]
fn created_by_names_creator_and_place() {
    let block = only_block(&run_program("panic_in_go", &[]));
    let [.., by, place] = block.as_slice() else { panic!("{block:?}") };
    assert_eq!(by, "created by testprog::panics::panic_in_go in goroutine 1");
    assert!(place.contains("testprog/panics.rs:"), "{place}");
}

#[test]
fn mains_panic_is_goroutine_1s_and_nobody_created_it() {
    let out = run_program("panic_in_main", &[]);
    assert_crash(&out, "panic: main fails");
    assert_eq!(out.blocks()[0].id, 1);
    assert!(!out.stderr.contains("created by"), "{}", out.stderr);
}

#[test]
fn newlines_in_the_message_cannot_fake_a_block() {
    let out = run_program("panic_newlines", &[]);
    assert!(
        out.stderr.starts_with("panic: a\n\t\tb\n\tgoroutine 1 [running]:\n\ngoroutine 1 [running]:\n"),
        "{}",
        out.stderr
    );
}

#[test]
fn a_payload_that_is_no_text_still_ends_the_program() {
    let out = run_program("panic_payload", &[]);
    assert!(out.stderr.starts_with("panic: "), "{}", out.stderr);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_panic_in_a_destructor_during_a_panic_prints_the_chain() {
    let out = run_program("panic_nested", &[]);
    assert_crash(&out, "panic: first");
    assert!(out.stderr.starts_with("panic: first\n\tpanic: second\n\ngoroutine "), "{}", out.stderr);
    assert_listed(&out, &["running"]);
}

#[test]
fn a_panic_in_a_destructor_of_a_local_ends_the_program() {
    assert_crash(&run_program("panic_in_drop_of_local", &[]), "panic: in a local");
}

#[test]
fn a_caught_panic_ends_nothing() {
    assert_prints(&run_program("panic_caught", &[]), "caught true\n");
}

#[test]
fn a_panic_with_a_handle_is_the_joiners() {
    let out = run_program("panic_joined", &[]);
    assert_prints(&out, "joined: for the joiner\n");
    assert!(!out.stderr.contains("panic: "), "{}", out.stderr);
}

#[test]
fn a_resumed_panic_prints_its_message() {
    assert_crash(&run_program("panic_resumed", &[]), "panic: again");
}

#[test]
fn an_observed_panic_is_printed_with_the_goroutines_name() {
    let out = run_program("panic_named", &[]);
    assert!(out.stderr.contains("thread 'worker' (goroutine "), "{}", out.stderr);
    assert!(out.stderr.contains("thread '<unnamed>' (goroutine "), "{}", out.stderr);
    assert!(out.stderr.contains(":\nby name\n"), "{}", out.stderr);
    assert_eq!(out.status.code(), Some(0));
}

#[test]
fn of_many_panics_at_once_each_block_is_whole() {
    let out = run_program("panic_many", &[("GOMAXPROCS", "4")]);
    assert_eq!(out.status.code(), Some(2));
    let heads = out.stderr.lines().filter(|line| line.starts_with("panic: number ")).count();
    assert!(heads >= 1, "{}", out.stderr);
    assert_eq!(out.blocks().len(), heads, "{}", out.stderr);
    assert!(out.blocks().iter().all(|block| block.text.contains("\ncreated by ")), "{}", out.stderr);
}

#[test]
fn main_that_returns_during_a_panic_lets_it_be_heard() {
    // Without time slices, so that a busy machine does not decide who is first.
    let out = run_program("panic_race", &[("GOMAXPROCS", "1"), ("GODEBUG", "asyncpreemptoff=1")]);
    assert_crash(&out, "panic: heard");
    assert_eq!(out.stdout, "main returns\n");
}

#[test]
fn a_slow_destructor_loses_against_mains_return() {
    assert_prints(&run_program("panic_slow_destructor", &[]), "");
}

#[test]
fn exit_hooks_do_not_run_after_a_panic() {
    let out = run_program("panic_skips_hooks", &[]);
    assert_crash(&out, "panic: no hooks");
    assert_eq!(out.stdout, "");
}

#[test]
fn a_panic_of_a_plain_thread_is_stds() {
    let out = run_program("panic_on_thread", &[]);
    assert_prints(&out, "joined: true\n");
    assert!(out.stderr.contains("panicked at ") && out.stderr.contains("std's own"), "{}", out.stderr);
}

#[test]
fn destructors_run_before_the_program_ends() {
    let out = run_program("panic_destructors_run", &[]);
    assert_crash(&out, "panic: after that");
    assert_eq!(out.stdout, "dropped\n");
}

#[test]
fn of_a_deep_stack_fifty_frames_from_either_end_are_printed() {
    let block = only_block(&run_program("panic_deep", &[]));
    assert_eq!(block.iter().filter(|line| line.ends_with(" frames elided...")).count(), 1, "{block:?}");
    let functions = block.iter().filter(|line| line.ends_with("(...)")).count();
    assert_eq!(functions, 100);
}

#[test]
fn a_hook_of_the_user_replaces_ours() {
    let out = run_program("panic_hook_of_user", &[]);
    assert_eq!(out.stdout, "hook: hooked\n");
    assert_crash(&out, "panic: hooked");
}

mod traceback {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// SIGABRT.
    const ABORT: i32 = 6;

    fn crashed(level: &str) -> Output {
        run_program("panic_beside_parked", &[("GOTRACEBACK", level)])
    }

    #[test]
    fn none_prints_the_message_only() {
        for level in ["none", "0"] {
            let out = crashed(level);
            assert_crash(&out, "panic: boom");
            assert!(out.blocks().is_empty(), "{}", out.stderr);
        }
    }

    #[test]
    fn single_is_the_default() {
        for level in ["", "single"] {
            assert_listed(&crashed(level), &["running"]);
        }
    }

    #[test]
    fn all_prints_the_users_goroutines_and_unknown_words_mean_it() {
        for level in ["all", "1", "nonsense"] {
            let out = crashed(level);
            assert_eq!(out.blocks()[0].status, "running", "{}", out.stderr);
            assert_eq!(out.blocks().len(), 4, "{}", out.stderr);
            assert!(!out.stderr.contains(" gp=0x"), "{}", out.stderr);
        }
    }

    #[test]
    fn system_adds_the_runtimes_goroutines_and_addresses() {
        for level in ["system", "2"] {
            let out = crashed(level);
            let statuses: Vec<String> = out.blocks().into_iter().map(|block| block.status).collect();
            for service in ["force gc (idle)", "GC sweep wait", "GC scavenge wait"] {
                assert!(statuses.iter().any(|status| status == service), "{service} is not in {statuses:?}");
            }
            assert!(out.stderr.contains(" gp=0x"), "{}", out.stderr);
        }
    }

    #[test]
    fn crash_ends_by_sigabrt() {
        let out = crashed("crash");
        assert!(out.stderr.starts_with("panic: boom\n\ngoroutine "), "{}", out.stderr);
        assert_eq!(out.status.signal(), Some(ABORT));
    }
}

#[test]
fn what_was_printed_before_a_panic_is_written() {
    let out = run_program("panic_in_a_line", &[]);
    assert_crash(&out, "panic: in its middle");
    assert_eq!(out.stdout, "half a line");
}

#[test]
fn a_panic_does_not_wait_for_ever_for_who_holds_standard_output() {
    let out = run_program("panic_locked_out", &[]);
    assert_crash(&out, "panic: nobody lets me write");
}
