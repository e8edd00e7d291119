//! The order in which goroutines run on one processor, and how many processors there are.
//!
//! Why here: GOMAXPROCS belongs to the process; the programs are in `testprog/order.rs` and `testprog/channels.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `GO-RUNTIME.md` §3.12; `TestCgroupGOMAXPROCS` and others of `runtime`.

mod common;

use std::collections::BTreeSet;

use common::{assert_crash, assert_prints, run_program};

/// On one processor the order is the same in every run.
#[track_caller]
fn order(name: &str, expected: &str) {
    for _ in 0..5 {
        // A machine that is busy may keep the program waiting for longer than a time slice, which would cost a goroutine its turn.
        let env = [("GOMAXPROCS", "1"), ("GODEBUG", "asyncpreemptoff=1")];
        assert_prints(&run_program(name, &env), &format!("{expected}\n"));
    }
}

#[test]
fn the_last_spawned_runs_first_and_the_others_in_order() {
    order("order_spawn", "9 0 1 2 3 4 5 6 7 8");
}

#[test]
fn those_who_yield_take_turns() {
    order("order_yield", "2 0 1 2 0 1 2 0 1");
}

#[test]
fn the_last_unparked_runs_first_and_the_others_in_order() {
    order("order_unpark", "5 0 1 2 3 4");
}

#[test]
fn receivers_of_a_closed_channel_wake_last_first_after_the_oldest() {
    order("order_close", "0 5 4 3 2 1");
}

#[test]
fn receivers_of_single_sends_wake_in_order_after_the_newest() {
    order("order_send", "5 0 1 2 3 4");
}

#[test]
fn under_chaos_the_order_is_another_one_for_another_seed() {
    let orders: BTreeSet<String> = (1..=8)
        .map(|seed| {
            let chaos = format!("chaos={seed},asyncpreemptoff=1");
            let out = run_program("order_spawn", &[("GOMAXPROCS", "1"), ("GODEBUG", &chaos)]);
            assert_eq!((out.stderr.as_str(), out.status.code()), ("", Some(0)), "seed {seed}");
            out.stdout
        })
        .collect();
    for order in &orders {
        let mut ran: Vec<u32> = order.split_whitespace().map(|id| id.parse().expect("a number")).collect();
        ran.sort_unstable();
        assert!(ran.iter().copied().eq(0..10), "{order}");
    }
    // That all eight are alike has a chance of one in ten to the power of many.
    assert!(orders.len() > 1, "{orders:?}");
}

/// Under these seeds the first decision was to hand the only processor to another thread, before there was anything else than the main goroutine.
#[test]
fn under_chaos_the_main_goroutine_starts_on_the_main_thread() {
    for seed in [2021, 2024, 2025, 2026, 2036] {
        let out = run_program("order_spawn", &[("GOMAXPROCS", "2"), ("GODEBUG", &format!("chaos={seed}"))]);
        assert_eq!((out.stderr.as_str(), out.status.code()), ("", Some(0)), "seed {seed}");
    }
}

#[test]
fn a_seed_of_chaos_that_is_none_is_an_error() {
    let out = run_program("order_spawn", &[("GODEBUG", "chaos=often")]);
    assert_eq!((out.stdout.as_str(), out.status.code()), ("", Some(2)), "{}", out.stderr);
    let facts = "runtime: GODEBUG: chaos=often: expected a seed, a number from 0 to 9223372036854775807\n";
    assert!(out.stderr.starts_with(facts), "{}", out.stderr);
}

/// What a program says about its processors.
#[track_caller]
fn procs(name: &str, gomaxprocs: &str) -> usize {
    let out = run_program(name, &[("GOMAXPROCS", gomaxprocs)]);
    assert_eq!((out.stderr.as_str(), out.status.code()), ("", Some(0)));
    out.stdout.trim().parse().expect("a number")
}

#[test]
fn gomaxprocs_of_the_environment_counts() {
    for count in [1, 3, 16] {
        assert_eq!(procs("procs", &count.to_string()), count);
        assert_eq!(procs("lib_procs", &count.to_string()), count);
    }
}

#[test]
fn garbage_in_gomaxprocs_is_ignored() {
    let default = run_program("procs", &[]).stdout.trim().parse().expect("a number");
    for garbage in ["", "0", "-3", "four", "4 ", "4.0", "99999999999999999999"] {
        assert_eq!(procs("procs", garbage), default, "GOMAXPROCS={garbage:?}");
    }
}

#[test]
fn the_attribute_sets_the_number_and_the_environment_wins() {
    assert_eq!(procs("procs_of_the_attribute", ""), 3);
    assert_eq!(procs("procs_of_the_attribute", "junk"), 3);
    assert_eq!(procs("procs_of_the_attribute", "5"), 5);
}

#[test]
fn no_processors_in_the_attribute_is_an_error() {
    let out = run_program("procs_zero_in_attribute", &[]);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stderr.contains("`max_procs`") && out.stderr.contains("at least 1"), "{}", out.stderr);
}

#[test]
fn setting_no_processors_panics_and_says_what_is_expected() {
    let out = run_program("procs_set_to_zero", &[]);
    assert_crash(&out, "panic: set_gomaxprocs: 0 processors asked for; expected at least 1");
    assert!(out.stderr.contains("testprog/order.rs:"), "{}", out.stderr);
}

#[test]
fn setting_the_number_returns_the_one_before() {
    assert_prints(&run_program("procs_set", &[("GOMAXPROCS", "3")]), "3 5 1 1024 2\n");
}

#[test]
fn unknown_names_in_godebug_are_ignored() {
    for settings in ["nosuchthing=1", "=,,=", "schedtrace", "schedtrace=x", "asyncpreemptoff=,gctrace"] {
        assert_prints(&run_program("return_unit", &[("GODEBUG", settings)]), "done\n");
        assert_eq!(run_program("return_unit", &[("GODEBUG", settings)]).stderr, "", "GODEBUG={settings:?}");
    }
}
