//! What happens when the system refuses memory, threads, the poller or descriptors at random: programs come to their right results all the same, or end
//! with a fatal error that says what was refused. Nothing else: no hang, no other signal, no wrong result.
//!
//! Why here: it takes a goruntime that is built with its feature `faults`; the programs are in `faultprog`, a binary that only this test builds.
//!
//! `FAULTS_SEEDS=FIRST-LAST` runs other seeds than the few of the short form; `scripts/faults.sh` does it.
//!
//! *Invariants*
//! - FT1. The program is built once, and beside those of the other tests, which it does not replace: it needs a feature that nobody else turns on.
//! - FT2. What is refused, and on how many processors, follows from the name of the program and the seed.
//!
//! *Locks*: a `OnceLock` (FT1).
//!
//! *Go:* none.

mod common;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use common::{Output, assert_crash, assert_prints, build, run, run_program};

/// The seeds of the short form.
const SEEDS: RangeInclusive<u64> = 1..=6;
/// One of so many calls fails.
const RATES: [u64; 7] = [5, 10, 20, 30, 50, 100, 300];
const KINDS: [&str; 8] = [
    "mmap+madvise+thread+epoll+fd",
    "madvise+thread+epoll+fd",
    "mmap",
    "madvise",
    "thread",
    "epoll",
    "fd",
    "thread+epoll",
];
const PROCS: [&str; 4] = ["1", "2", "4", "16"];
/// How a program may end that lacks something of a kind.
const FATAL: [(&str, &str); 3] = [("mmap", "out of memory"), ("mmap", "out of stacks"), ("thread", "newosproc")];

/// Runs a program of `faultprog`.
fn refuse(name: &str, faults: &str, procs: &str) -> Output {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let binary = ["--package", "goruntime-tests", "--bin", "faultprog", "--features", "faults"];
        build(&binary).join("faultprog")
    });
    run(Command::new(built)
        .arg(name)
        .env("GODEBUG", format!("tlsguard=on,faults={faults}"))
        .env("GOTRACEBACK", "all")
        .env("GOMAXPROCS", procs))
}

/// How many calls have failed in a program that has come to its results.
fn failures_of(out: &Output) -> Option<u64> {
    let count = out.stdout.strip_prefix("ok ")?.strip_suffix('\n')?.parse().ok()?;
    (out.status.code() == Some(0) && out.stderr.is_empty()).then_some(count)
}

/// The fatal error of a program that has ended with nothing but one: before its results, or between them and its end.
fn fatal_of(out: &Output) -> Option<&str> {
    let (facts, rest) = out.stderr.split_once("fatal error: ")?;
    let is_alone = !facts.is_empty() && facts.lines().all(|line| line.starts_with("runtime: "));
    let is_silent = (out.stdout.is_empty() || out.stdout.starts_with("ok "))
        && !rest.contains("fatal error: ")
        && !rest.contains("panic");
    (out.status.code() == Some(2) && is_alone && is_silent).then(|| rest.lines().next().unwrap_or_default())
}

/// One step of a generator (FT2).
fn draw(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % below
}

fn seeds() -> RangeInclusive<u64> {
    let Ok(text) = std::env::var("FAULTS_SEEDS") else { return SEEDS };
    let numbers = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    let (first, last) = numbers.unwrap_or_else(|| panic!("FAULTS_SEEDS={text}: expected FIRST-LAST"));
    first..=last
}

/// A program under all seeds. Refusals must have been overcome, or there was nothing to see.
fn assert_right_or_fatal(name: &str) {
    let (mut overcome, mut ended) = (0, 0);
    for seed in seeds() {
        let mut state = name.bytes().fold(seed, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into()));
        draw(&mut state, 2);
        let kinds = KINDS[draw(&mut state, KINDS.len())];
        let faults = format!("{seed}:{}:{kinds}", RATES[draw(&mut state, RATES.len())]);
        let procs = PROCS[draw(&mut state, PROCS.len())];
        let out = refuse(name, &faults, procs);
        if let Some(failures) = failures_of(&out) {
            overcome += failures;
            continue;
        }
        ended += 1;
        let known = |text| FATAL.iter().any(|&(kind, fatal)| kinds.contains(kind) && fatal == text);
        assert!(
            fatal_of(&out).is_some_and(known),
            "GOMAXPROCS={procs} GODEBUG=faults={faults} faultprog {name}: {}\n{}\n{}",
            out.status,
            out.stdout,
            out.stderr
        );
    }
    println!("{name}: {overcome} refusals overcome, {ended} fatal errors");
    assert!(overcome + ended > 0, "nothing was refused");
}

macro_rules! programs {
    ($($test:ident $name:literal),* $(,)?) => {$(
        #[test]
        fn $test() {
            assert_right_or_fatal($name);
        }
    )*};
}

programs! {
    stacks_keep_what_is_on_them "stacks",
    stacks_of_all_sizes_keep_what_is_on_them "sizes",
    a_crowd_is_complete "crowd",
    blocking_calls_get_their_threads "blocking",
    locked_threads_stay_with_their_goroutines "locked",
    processors_come_and_go "processors",
    plain_threads_start_the_runtime "library",
    timers_are_not_early_and_not_lost "timers",
    echoes_are_complete "echo",
    time_limits_hold "silence",
    pipes_lose_nothing "pipes",
    children_are_reaped "children",
}

#[test]
fn without_threads_the_fatal_error_is_gos() {
    let out = refuse("blocking", "1:1:thread", "2");
    assert_crash(&out, "runtime: failed to create new OS thread (have 1 already; errno=11)");
    let lines: Vec<&str> = out.stderr.lines().skip(1).take(2).collect();
    assert_eq!(lines, ["runtime: may need to increase max user processes (ulimit -u)", "fatal error: newosproc"]);
}

#[test]
fn library_mode_without_threads_ends_alike() {
    let out = refuse("library", "1:1:thread", "2");
    assert_crash(&out, "runtime: failed to create new OS thread (have 0 already; errno=11)");
    assert_eq!(fatal_of(&out), Some("newosproc"));
}

#[test]
fn without_any_memory_the_start_says_so() {
    let out = refuse("stacks", "1:1:mmap", "2");
    assert_crash(&out, "runtime: cannot make the record of a thread (errno=12)");
    assert_eq!(fatal_of(&out), Some("out of memory"));
}

#[test]
fn without_memory_for_a_stack_the_goroutine_is_named() {
    let found = (1..200).map(|seed| refuse("sizes", &format!("{seed}:20:mmap"), "2"));
    let out = found.into_iter().find(|out| fatal_of(out) == Some("out of stacks")).expect("some seed refuses a stack");
    let facts = out.stderr.lines().next().unwrap_or_default();
    let (start, reason) = facts.split_once(": out of memory for goroutine stacks: ").expect(facts);
    let number = start.strip_prefix("runtime: cannot start goroutine ").expect(facts);
    assert!(number.parse::<u64>().is_ok() && reason.ends_with("(errno 12)"), "{facts}");
}

#[test]
fn memory_that_cannot_be_given_back_stays() {
    let out = refuse("stacks", "1:1:madvise", "2");
    assert!(failures_of(&out).is_some_and(|failures| failures > 10), "{out:#?}");
}

#[test]
fn without_a_poller_what_would_wait_fails_and_what_need_not_does_not() {
    let out = refuse("refused", "1:1:epoll", "2");
    assert!(failures_of(&out).is_some_and(|failures| failures >= 3), "{out:#?}");
}

#[test]
fn without_descriptors_pipes_say_so_as_long_as_it_lasts() {
    let out = refuse("pipes", "1:1:fd", "2");
    assert_eq!((out.stderr.as_str(), out.status.code()), ("", Some(3)));
    assert!(
        out.stdout.starts_with("gave up: pipe: ") && out.stdout.ends_with("(os error 24)\n")
            || out.stdout.ends_with("(os error 23)\n")
    );
}

#[test]
fn the_same_seed_refuses_the_same_calls() {
    let run = || refuse("refused", "7:2:epoll", "1").stdout;
    let first = run();
    assert!((0..5).all(|_| run() == first), "{first}");
}

#[test]
fn a_setting_that_is_none_ends_the_program() {
    for bad in ["", "x", "7:0", "7:20:disk"] {
        let out = refuse("stacks", bad, "2");
        let expected = "expected SEED[:ONE_IN_N[:KINDS]], with some of mmap+madvise+thread+epoll+fd";
        assert_crash(&out, &format!("runtime: GODEBUG: faults={bad}: {expected}"));
        assert!(out.stderr.contains("\nfatal error: bad GODEBUG\n"), "{}", out.stderr);
    }
    assert_prints(&refuse("stacks", "0", "2"), "ok 0\n");
}

#[test]
fn a_program_without_the_feature_does_not_pretend() {
    let out = run_program("dead_after_func", &[("GODEBUG", "faults=1")]);
    assert_crash(&out, "runtime: GODEBUG: faults: the program is built without the feature `faults` of goruntime");
}
