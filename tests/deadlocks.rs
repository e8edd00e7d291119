//! When everybody sleeps for good the program says so, and only then.
//!
//! Why here: the process is the subject; the programs are in `testprog/deadlocks.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestSimpleDeadlock`, `TestLockedDeadlock`, `TestNoHelperGoroutines` of `runtime/crash_test.go`.

mod common;

use common::{Output, assert_fatal, assert_listed, run_program};

const ASLEEP: &str = "all goroutines are asleep - deadlock!";

/// Runs a program that ends in a deadlock of exactly these goroutines.
#[track_caller]
fn dead(name: &str, statuses: &[&str]) -> Output {
    let out = run_program(name, &[]);
    assert_fatal(&out, ASLEEP);
    assert_listed(&out, statuses);
    out
}

#[track_caller]
fn alive(name: &str) {
    let out = run_program(name, &[]);
    assert_eq!((out.stderr.as_str(), out.status.code()), ("", Some(0)), "{name}");
}

#[test]
fn main_that_waits_alone_is_reported() {
    let out = dead("dead_main", &["thread park"]);
    assert!(
        out.stderr.starts_with("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [thread park]:\n")
    );
}

#[test]
fn a_locked_goroutine_is_marked() {
    dead("dead_locked", &["thread park, locked to thread"]);
    dead("dead_locked_other", &["thread park", "thread park, locked to thread"]);
}

#[test]
fn each_goroutine_has_its_reason() {
    dead("dead_reasons", &["join", "scope wait", "thread park", "thread park", "thread park"]);
}

/// Futures have no reason of Go's. The place is that of the wait.
#[test]
fn waits_for_futures_are_reported() {
    let out = dead("dead_futures", &["future", "future", "future"]);
    for block in out.blocks() {
        assert!(!place_lines(&block.text, "testprog/deadlocks.rs:").is_empty(), "{block:?}");
    }
    alive("alive_future");
}

#[test]
fn channels_have_gos_reasons() {
    dead("dead_channels", &["chan receive", "chan send", "chan send"]);
}

#[test]
fn selects_have_gos_reasons() {
    let out = dead("dead_selects", &["select (no cases)", "select", "select", "chan receive"]);
    let source: Vec<_> = include_str!("testprog/channels.rs").lines().collect();
    for block in out.blocks().iter().filter(|block| block.status.starts_with("select")) {
        let line = *place_lines(&block.text, "testprog/channels.rs:").first().expect("a place");
        let call = ["select! {", "select.ready()"].iter().any(|call| source[line - 1].contains(call));
        assert!(call, "line {line} does not select: {block:?}");
    }
}

#[test]
fn a_channel_that_time_fills_keeps_alive_only_who_waits_for_it() {
    dead("dead_beside_clocks", &["chan receive (nil chan)"]);
    alive("alive_clock");
}

#[test]
fn the_place_is_that_of_the_call_that_blocks() {
    let out = dead("dead_channels", &["chan receive", "chan send", "chan send"]);
    let source = include_str!("testprog/channels.rs");
    for block in out.blocks() {
        let (what, call) =
            if block.status == "chan send" { ("send", ".send(()).unwrap()") } else { ("recv", ".recv().unwrap()") };
        let lines = place_lines(&block.text, "testprog/channels.rs:");
        let line = *lines.first().unwrap_or_else(|| panic!("no place in {block:?}"));
        assert!(
            source.lines().nth(line - 1).is_some_and(|line| line.contains(call)),
            "line {line} does not {what}: {block:?}"
        );
    }
}

/// The line numbers that follow `file` in a text.
fn place_lines(text: &str, file: &str) -> Vec<usize> {
    let after = text.match_indices(file).map(|(at, _)| &text[at + file.len()..]);
    after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
}

#[test]
fn the_creator_is_named_with_its_goroutine() {
    let out = dead("dead_created_by", &["thread park", "thread park", "thread park"]);
    let blocks = out.blocks();
    let child =
        blocks.iter().find(|block| block.id != 1 && block.text.contains("in goroutine 1\n")).expect("main's child");
    let grandchild = blocks.iter().find(|block| block.text.contains(&format!("in goroutine {}\n", child.id)));
    let origin = "created by testprog::deadlocks::dead_created_by in goroutine ";
    assert!(child.text.contains(origin), "{}", out.stderr);
    assert!(grandchild.is_some_and(|block| block.text.contains(origin)), "{}", out.stderr);
    let main = blocks.iter().find(|block| block.id == 1).expect("main is listed");
    assert!(!main.text.contains("created by"), "{}", out.stderr);
}

#[test]
fn the_creator_of_a_bare_function_is_its_goroutine_and_place() {
    let out = dead("dead_created_by_item", &["thread park", "thread park"]);
    let (_, origin) = out.stderr.split_once("\ncreated by ").expect("an origin");
    assert!(!origin.contains("forever"), "{}", out.stderr);
    let line = place_lines(origin, "testprog/deadlocks.rs:")[0];
    let source = include_str!("testprog/deadlocks.rs").lines().nth(line - 1);
    assert_eq!(source.map(str::trim), Some("go(forever);"));
    assert!(origin.contains("goroutine 1\n"), "{}", out.stderr);
}

#[test]
fn goroutines_of_a_scope_name_the_user_as_their_creator() {
    let out = run_program("dead_reasons", &[]);
    assert!(!out.stderr.contains("created by goruntime::"), "{}", out.stderr);
}

#[test]
fn main_is_listed_first() {
    let out = dead("dead_created_by", &["thread park", "thread park", "thread park"]);
    assert_eq!(out.blocks()[0].id, 1, "{}", out.stderr);
}

#[test]
fn goroutines_that_ended_are_not_listed() {
    dead("dead_after_work", &["thread park"]);
}

#[test]
fn the_last_foreign_thread_or_timer_may_go_unnoticed_by_nobody() {
    dead("dead_after_thread", &["thread park"]);
    dead("dead_after_timer", &["thread park"]);
}

/// While the goroutine is kept everybody sleeps, and nothing is reported; what was suspected then is suspected again.
#[test]
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn who_was_kept_on_a_thread_goes_on_before_it_is_reported() {
    for procs in ["1", "2", "4"] {
        let out = run_program("dead_after_keeping", &[("GOMAXPROCS", procs), ("GODEBUG", "tlsguard=1")]);
        assert_fatal(&out, ASLEEP);
        assert_listed(&out, &["thread park", "thread park", "thread park, locked to thread"]);
        assert_eq!(out.stdout, "let go: 1\n", "{}", out.stderr);
    }
}

#[test]
fn it_is_found_on_any_number_of_processors() {
    for procs in ["1", "2", "4", "16"] {
        let out = run_program("dead_reasons", &[("GOMAXPROCS", procs)]);
        assert_fatal(&out, ASLEEP);
    }
}

#[test]
fn traceback_none_keeps_the_message() {
    let out = run_program("dead_reasons", &[("GOTRACEBACK", "none")]);
    assert_fatal(&out, ASLEEP);
    assert_listed(&out, &[]);
}

#[test]
fn a_pending_timer_keeps_it_silent() {
    alive("alive_timer");
    alive("alive_park_timeout");
}

#[test]
fn a_foreign_thread_keeps_it_silent() {
    alive("alive_thread");
}

#[test]
fn a_blocked_call_keeps_it_silent() {
    alive("alive_blocked_call");
    alive("alive_announced_call");
}

#[test]
fn a_busy_goroutine_keeps_it_silent() {
    alive("alive_busy");
}

#[test]
fn timers_that_nobody_waits_for_hide_no_deadlock() {
    dead("dead_beside_timers", &["thread park"]);
    dead("dead_on_stopped_ticker", &["chan receive"]);
}

#[test]
fn a_function_that_is_due_later_comes_first() {
    assert_eq!(dead("dead_after_func", &["thread park"]).stdout, "called\n");
}

#[test]
fn stopped_timers_and_ended_waits_leave_nothing_behind() {
    dead("dead_after_stops", &["thread park"]);
    dead("dead_after_contexts", &["thread park"]);
}

#[test]
fn a_wait_under_a_context_shows_what_it_waits_for() {
    dead("dead_under_context", &["sync.Mutex.Lock"]);
}

#[test]
fn tickers_and_deadlines_that_are_waited_for_are_no_deadlock() {
    alive("alive_on_ticker");
    alive("alive_under_deadline");
}
