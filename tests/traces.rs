//! What the runtime tells about itself on demand: SIGQUIT, schedtrace, inittrace, boottrace.
//!
//! Why here: all of it comes from the environment or from outside; the programs are in `testprog/traces.rs`.
//!
//! *Invariants*: none. *Locks*: none.
//!
//! *Go:* `TestCrashDumpsAllThreads`, `TestSchedTrace`-like checks; `GO-RUNTIME.md` §2.3, §4.7, §5.1.

mod common;

use std::collections::BTreeSet;
use std::process::Command;

use common::{Output, Running, assert_listed, assert_prints, program, run, run_program};

/// On one processor and without time slices a goroutine that has said where it is going to wait does wait there when another one runs.
const IN_STEPS: [(&str, &str); 2] = [("GOMAXPROCS", "1"), ("GODEBUG", "asyncpreemptoff=1")];

/// Starts a program that writes a line when it is ready, waits for that, and sends SIGQUIT.
fn quit(name: &str, env: &[(&str, &str)]) -> Output {
    let mut running = Running::start(program(name).envs(env.iter().copied()));
    running.wait_for_line("ready");
    running.signal("QUIT");
    running.wait()
}

#[test]
fn sigquit_lists_every_goroutine_and_exits_with_2() {
    let out = quit("quit_mixed", &IN_STEPS);
    assert!(out.stderr.starts_with("SIGQUIT: quit\n"), "{}", out.stderr);
    assert_eq!(out.status.code(), Some(2));
    assert_listed(&out, &["sleep", "thread park", "thread park", "join", "running"]);
}

#[test]
fn sigquit_names_place_and_creator() {
    let out = quit("quit_mixed", &IN_STEPS);
    for block in out.blocks() {
        assert_eq!(block.text.contains("created by "), block.id != 1, "{block:?}");
        if block.status != "running" {
            assert!(block.text.contains("testprog/traces.rs:"), "{block:?}");
        }
    }
}

#[test]
fn sigquit_works_while_every_processor_is_busy() {
    let out = quit("quit_busy", &[("GOMAXPROCS", "2")]);
    assert!(out.stderr.starts_with("SIGQUIT: quit\n"), "{}", out.stderr);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.blocks().len() >= 5, "{}", out.stderr);
}

#[test]
fn sigquit_works_in_a_library() {
    let out = quit("quit_library", &IN_STEPS);
    assert!(out.stderr.starts_with("SIGQUIT: quit\n"), "{}", out.stderr);
    assert_eq!(out.status.code(), Some(2));
    assert_listed(&out, &["thread park"]);
}

/// The numbers in a text, and the text without them.
fn shape(text: &str) -> (String, Vec<u64>) {
    let mut numbers = Vec::new();
    let mut shape = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        if let Ok(number) = digits.parse() {
            numbers.push(number);
            shape.push('N');
        }
        shape.push_str(&part[digits.len()..]);
    }
    (shape, numbers)
}

/// The first lines on standard error of a program that does nothing for ever.
fn first_lines(count: usize, env: &[(&str, &str)]) -> Vec<String> {
    let mut running = Running::start(program("trace_for_ever").envs(env.iter().copied()));
    let lines = running.wait_for_error_lines(count);
    running.kill();
    lines
}

#[test]
fn schedtrace_prints_gos_line() {
    for line in first_lines(3, &[("GOMAXPROCS", "2"), ("GODEBUG", "schedtrace=20")]) {
        let (text, numbers) = shape(&line);
        let expected = "SCHED Nms: gomaxprocs=N idleprocs=N threads=N spinningthreads=N needspinning=N idlethreads=N runqueue=N [ N N ] schedticks=[ N N ]";
        assert_eq!(text, expected);
        let [_, gomaxprocs, idleprocs, threads, ..] = numbers[..] else { panic!("{line}") };
        assert!(gomaxprocs == 2 && idleprocs <= 2 && threads >= 2, "{line}");
    }
}

#[test]
fn the_first_line_of_schedtrace_does_not_wait_for_the_period() {
    // An hour: if it waited for that, the test would not see its end.
    let lines = first_lines(1, &[("GODEBUG", "schedtrace=3600000")]);
    assert!(lines[0].starts_with("SCHED "), "{lines:?}");
}

#[test]
fn scheddetail_lists_processors_threads_and_goroutines() {
    let env = [("GOMAXPROCS", "2"), ("GODEBUG", "schedtrace=20,scheddetail=1")];
    let mut running = Running::start(program("trace_for_ever").envs(env));
    let mut seen = running.wait_for_error_lines(1);
    // Until the second table begins, the first one is complete.
    while seen.iter().filter(|line| line.starts_with("SCHED ")).count() < 2 {
        seen.extend(running.wait_for_error_lines(1));
    }
    running.kill();
    for start in ["SCHED ", "  P0: status=", "  P1: status=", "  M0: p=", "  G1: status="] {
        assert!(seen.iter().any(|line| line.starts_with(start)), "{start} is not in {seen:#?}");
    }
    assert!(seen[0].contains(" gcwaiting=false nmidlelocked="), "{seen:#?}");
}

/// Name, start and time of a line of inittrace, and what follows.
#[track_caller]
fn init_line(line: &str) -> (&str, &str) {
    let (name, rest) = line.strip_prefix("init ").and_then(|rest| rest.split_once(" @")).expect(line);
    let (start, rest) = rest.split_once(" ms, ").expect(line);
    let (clock, rest) = rest.split_once(" ms clock").expect(line);
    assert!(start.parse::<f64>().is_ok() && clock.parse::<f64>().is_ok(), "{line}");
    (name, rest)
}

#[test]
fn inittrace_prints_gos_line_as_far_as_it_is_known() {
    let out = run_program("return_unit", &[("GODEBUG", "inittrace=1")]);
    let lines: Vec<_> = out.stderr.lines().map(init_line).collect();
    // Nothing counts the allocations of this program.
    assert_eq!(lines, [("testprog::inits::by_name", "")]);
}

#[test]
fn with_an_allocator_that_counts_the_line_is_complete() {
    let out = run(Command::new(env!("CARGO_BIN_EXE_testprog-counted")).env("GODEBUG", "inittrace=1"));
    assert_prints(&out, "counted\n");
    let lines: Vec<_> = out.stderr.lines().map(init_line).collect();
    let (name, rest) = lines[0];
    assert_eq!((name, rest), ("testprog_counted::allocates", ", 3564 bytes, 4 allocs"));
    assert_eq!(lines[1], ("testprog_counted::allocates_nothing", ", 0 bytes, 0 allocs"));
    let (name, rest) = lines[2];
    let bytes = shape(rest).1[0];
    assert!(name == "testprog_counted::lets_others_allocate" && bytes < 100_000, "{name}{rest}");
}

#[test]
fn inittrace_does_not_print_an_init_that_fails() {
    let out = run_program("init_fails", &[("GODEBUG", "inittrace=1")]);
    assert!(!out.stderr.contains("init testprog"), "{}", out.stderr);
}

#[test]
fn boottrace_prints_each_step_in_gos_order() {
    const STEPS: [&str; 16] = [
        "rt0_go",
        "check",
        "args",
        "osinit",
        "schedinit",
        "newproc",
        "mstart",
        "runtime_main",
        "sysmon",
        "lock_os_thread",
        "runtime_inits",
        "gcenable",
        "updater",
        "inits",
        "main",
        "exit",
    ];
    let out = run_program("return_unit", &[("GODEBUG", "boottrace=1")]);
    assert_prints(&out, "done\n");
    let lines =
        out.stderr.lines().map(|line| line.strip_prefix("boot ").and_then(|line| line.split_once(" @")).expect(line));
    let (steps, times): (Vec<&str>, Vec<&str>) = lines.unzip();
    assert_eq!(steps, STEPS);
    let times: Vec<f64> = times.iter().map(|time| time.strip_suffix(" ms").expect(time).parse().expect(time)).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn gctrace_prints_a_line_for_each_sweep() {
    let out = run_program("trace_sweeps", &[("GODEBUG", "gctrace=1")]);
    assert_prints(&out, "true true\n");
    let lines: Vec<_> = out.stderr.lines().map(shape).collect();
    const SWEEP: &str = "sweep N @N.Ns: N us, N KiB of stacks, N KiB of goroutines, N slabs unmapped";
    let deep = format!("{SWEEP} (scavenge)");
    assert!(lines.iter().all(|(text, _)| text == SWEEP || *text == deep), "{}", out.stderr);
    // The two that were asked for; the runtime may have swept by itself as well.
    assert!(lines.iter().filter(|(text, _)| *text == deep).count() >= 2, "{}", out.stderr);
    let numbers: BTreeSet<u64> = lines.iter().map(|(_, numbers)| numbers[0]).collect();
    assert!(numbers.len() == lines.len() && !numbers.contains(&0), "{}", out.stderr);
    let given_back: u64 = lines.iter().map(|(_, numbers)| numbers[4] + numbers[5]).sum();
    assert!(given_back > 0, "{}", out.stderr);
}

#[test]
fn without_settings_nothing_is_printed() {
    for name in ["return_unit", "locked_main_spawns", "lib_run"] {
        assert_eq!(run_program(name, &[]).stderr, "", "{name}");
    }
}

#[test]
fn no_two_goroutines_in_a_list_have_the_same_number() {
    let out = quit("quit_busy", &[]);
    let ids: BTreeSet<u64> = out.blocks().iter().map(|block| block.id).collect();
    assert_eq!(ids.len(), out.blocks().len(), "{}", out.stderr);
}
