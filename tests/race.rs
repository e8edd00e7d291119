//! What thread sanitizer says of programs: the race of those that race, with the stacks of both goroutines, and nothing of the others.
//!
//! Why here: it takes a build of its own, of std as well, which `scripts/race.sh` makes: `scripts/race.sh check` runs this. The feature
//! `race` keeps it out of everything else.
//!
//! *Invariants*
//! - R1. Every program runs on one processor, where nothing but knowledge of goroutines finds a race, and on four.
//!
//! *Locks*: none.
//!
//! *Go:* `runtime/race/output_test.go`, `race_test.go`.

mod common;

use std::process::Command;

use common::{Output, run};

/// The sanitizer's own exit status.
const RACED: i32 = 66;

fn programs(name: &str, procs: &str) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_raceprog"))
        .arg(name)
        .env("GOMAXPROCS", procs)
        .env("GODEBUG", "tlsguard=on")
        .env_remove("TSAN_OPTIONS"))
}

fn assert_reported(name: &str) {
    for procs in ["1", "4"] {
        let out = programs(name, procs);
        assert_eq!(out.status.code(), Some(RACED), "{name} on {procs}:\n{}", out.stderr);
        let report = out.stderr.split("==================").find(|text| text.contains("data race"));
        let report = report.unwrap_or_else(|| panic!("{name} on {procs}:\n{}", out.stderr));
        for word in ["first_culprit", "second_culprit", "'goroutine "] {
            assert!(report.contains(word), "{name} on {procs} without {word}:\n{report}");
        }
    }
}

#[test]
fn two_goroutines_that_know_nothing_of_each_other_race() {
    assert_reported("racy_counter");
}

#[test]
fn what_was_sent_is_not_the_senders_any_more() {
    assert_reported("racy_after_send");
}

#[test]
fn a_lock_orders_only_those_who_take_it() {
    assert_reported("racy_half_locked");
}

#[test]
fn a_common_channel_does_not_order_what_came_before() {
    assert_reported("racy_common_channel");
}

#[test]
fn a_timer_orders_only_what_came_before_it_was_armed() {
    assert_reported("racy_timer");
}

#[test]
fn to_run_after_another_one_has_ended_is_no_order() {
    assert_reported("racy_ended");
}

#[test]
fn the_report_tells_where_the_goroutines_were_started() {
    let report = programs("racy_counter", "1").stderr;
    let created = report.split("created by").count() - 1;
    assert!(created >= 2 && report.contains("racy::racy_counter"), "{report}");
}

#[test]
fn programs_that_order_what_they_share_are_not_suspected() {
    let list = programs("list", "1").stdout;
    assert!(list.lines().count() > 20, "{list}");
    for name in list.lines() {
        for procs in ["1", "4"] {
            let out = programs(name, procs);
            assert!(out.status.success() && out.stderr.is_empty(), "{name} on {procs}: {}\n{}", out.status, out.stderr);
        }
    }
}
