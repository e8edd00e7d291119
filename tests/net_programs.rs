//! Sockets and the process: deadlocks that are none, dumps, shortages, and programs without.
//!
//! Why here: the process is the subject; the programs are in `testprog/net.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestNetpollDeadlock` of runtime/proc_test.go.

mod common;

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Running, assert_fatal, assert_listed, assert_prints, program, run_program};

const ASLEEP: &str = "all goroutines are asleep - deadlock!";

#[test]
fn a_program_that_has_used_the_network_can_be_dead() {
    for procs in ["1", "4"] {
        let out = run_program("net_dead_afterwards", &[("GOMAXPROCS", procs)]);
        assert_fatal(&out, ASLEEP);
        assert_listed(&out, &["thread park"]);
    }
}

#[test]
fn times_that_hold_no_longer_do_not_keep_the_report_back() {
    let out = run_program("net_dead_after_times", &[("GOMAXPROCS", "1")]);
    assert_fatal(&out, ASLEEP);
    assert_listed(&out, &["thread park"]);
}

#[test]
fn a_deadline_keeps_the_report_back_until_it_has_passed() {
    let out = run_program("net_dead_after_deadline", &[]);
    assert_fatal(&out, ASLEEP);
    assert_listed(&out, &["thread park", "thread park"]);
}

/// No goroutine and no thread of the runtime notices what a plain thread does, if it readies nobody.
#[test]
fn what_a_plain_thread_takes_away_keeps_no_report_back() {
    for procs in ["1", "4"] {
        for (name, parked) in [
            ("net_dead_by_deadline_of_thread", 1),
            ("net_dead_by_stop_of_thread", 1),
            ("net_dead_by_close_of_thread", 2),
        ] {
            let begun = Instant::now();
            let out = run_program(name, &[("GOMAXPROCS", procs)]);
            assert_fatal(&out, ASLEEP);
            assert_listed(&out, &vec!["thread park"; parked]);
            // Sysmon stirs every two minutes for another reason.
            assert!(begun.elapsed() < Duration::from_secs(90), "{name}: noticed by chance");
        }
    }
}

#[test]
fn who_accepts_is_not_dead() {
    for procs in ["1", "4"] {
        let mut running = Running::start(program("net_accepts").env("GOMAXPROCS", procs));
        let addr = running.next_line();
        assert!(running.is_silent_for(Duration::from_millis(100)), "the program has ended");
        drop(TcpStream::connect(addr).expect("the program listens"));
        let out = running.wait();
        assert_eq!((out.lines().last(), out.status.code()), (Some(&"accepted"), Some(0)), "{}", out.stderr);
    }
}

#[test]
fn dumps_tell_who_waits_for_the_network_and_where() {
    let mut running = Running::start(program("net_waits").env("GOMAXPROCS", "1"));
    running.wait_for_line("waiting");
    running.signal("QUIT");
    let out = running.wait();
    // What main does then is open: it may still be in the middle of printing.
    let waits: Vec<_> = out.blocks().into_iter().filter(|block| block.status == "IO wait").collect();
    assert_eq!((waits.len(), out.blocks().len()), (3, 4), "{}", out.stderr);
    let source: Vec<_> = include_str!("testprog/net.rs").lines().collect();
    for block in waits {
        let places = block.text.match_indices("testprog/net.rs:").map(|(at, name)| &block.text[at + name.len()..]);
        let line = places.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
        let line = line.map(|line| source[line - 1]).next().expect("a place");
        assert!([".read(", ".recv_from(", ".accept("].into_iter().any(|call| line.contains(call)), "{block:?}");
    }
}

/// Runs a program with few descriptors.
fn with_descriptors(count: u32, name: &str) -> common::Output {
    let inner = program(name);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {count} && exec \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args());
    common::run(&mut command)
}

#[test]
fn a_shortage_of_descriptors_passes() {
    let out = with_descriptors(48, "net_shortage");
    assert_prints(&out, "true\ntrue\ntrue\ntrue\nrecovered\n");
}

#[test]
fn a_shortage_before_the_first_wait_passes() {
    let out = with_descriptors(48, "net_shortage_at_first");
    assert_prints(&out, "true\ntrue\ntrue\n");
}

#[test]
fn a_shortage_of_descriptors_costs_no_time() {
    assert_prints(&with_descriptors(48, "net_shortage_is_calm"), "calm\n");
}

#[test]
fn a_shortage_is_told_to_all_who_accept() {
    assert_prints(&with_descriptors(48, "net_shortage_of_many"), "each\n");
}

#[test]
fn a_close_needs_no_descriptor() {
    assert_prints(&with_descriptors(48, "net_close_in_shortage"), "closed\n");
}

#[test]
fn a_close_without_a_descriptor_is_no_end_of_the_stream() {
    assert_prints(&with_descriptors(100, "net_read_beside_close_in_shortage"), "closed\nno end\n");
}

#[test]
fn a_storm_of_signals_disturbs_nobody() {
    for procs in ["1", "2", "4"] {
        assert_prints(&run_program("net_interrupted", &[("GOMAXPROCS", procs)]), "undisturbed\n");
    }
}

#[test]
fn plain_programs_may_use_sockets() {
    assert_prints(&run_program("net_plain", &[]), "plain\n");
}

#[test]
fn there_is_no_poller_before_somebody_waits() {
    assert_prints(&run_program("net_without", &[]), "none\n");
}

#[test]
fn main_returns_beside_those_who_wait() {
    assert_prints(&run_program("net_exit", &[]), "left\n");
}

/// The poller is shared with a child, and a registration belongs to the open socket, not to a process.
#[test]
fn what_a_forked_child_drops_stays_registered_for_its_parent() {
    assert_prints(&run_program("net_fork", &[("GOMAXPROCS", "1")]), "went on\n");
}
