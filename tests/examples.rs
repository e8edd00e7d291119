//! Each example prints what its head promises.
//!
//! Why here: examples are programs of another package, so cargo is asked for them; it has them ready after `cargo test --workspace`.
//!
//! *Invariants*
//! - EX1. The examples are built once, before the first one runs, with the profile and for the target of the tests.
//!
//! *Locks*: a `OnceLock` (EX1).
//!
//! *Go:* the `Example` functions of a package.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{Output, assert_crash, assert_fatal, assert_listed, assert_prints, build, run};

/// Where the examples are (EX1).
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--package", "goruntime-examples", "--examples"]).join("examples"))
}

fn example(name: &str, arguments: &[&str]) -> Output {
    run(Command::new(built().join(name)).args(arguments))
}

/// The number in front of `unit` in a line.
#[track_caller]
fn number(line: &str, unit: &str) -> u64 {
    let before = line.split(unit).next().expect("a first part");
    before
        .trim_end()
        .rsplit(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no number of {unit} in {line:?}"))
}

#[test]
fn hello() {
    let out = example("hello", &[]);
    let mut lines = out.lines();
    assert_eq!(lines.pop(), Some("all done"));
    lines.sort_unstable();
    assert_eq!(lines, ["goroutine says 0", "goroutine says 1", "goroutine says 2"]);
    assert!(out.status.success());
}

#[test]
fn boot() {
    let out = example("boot", &[]);
    let lines = out.lines();
    assert_eq!(lines.len(), 16, "{out:#?}");
    assert!(lines[0].contains(" rt0_go ") && lines[15].contains(" exit "), "{out:#?}");
    assert!(lines.iter().all(|line| line.contains(" ms ")), "{out:#?}");
    assert!(out.status.success());
}

#[test]
fn inits() {
    let lines = ["inits::announce", "storage::configure", "storage::open", "inits::connect: store in memory", "main\n"];
    assert_prints(&example("inits", &[]), &lines.join("\n"));
}

#[test]
fn sieve() {
    assert_prints(&example("sieve", &[]), "2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71\n");
    let out = example("sieve", &["200"]);
    assert!(out.stdout.ends_with(" 1223\n"), "{out:#?}");
}

#[test]
fn worker_pool() {
    assert_prints(&example("worker_pool", &[]), "100 jobs, 4 workers, sum of squares 328350\n");
}

#[test]
fn rate_limiter() {
    let requests: String = (1..=8).map(|number| format!("request {number}\n")).collect();
    let end = "a burst of 3, then one each 20 ms\nthat took at least 100 ms: true\n";
    assert_prints(&example("rate_limiter", &[]), &(requests + end));
}

#[test]
fn context_cancel() {
    let lines = "found 7919 * 104729\ntold to stop: 3\nthe cause: found\n";
    assert_prints(&example("context_cancel", &[]), lines);
}

#[test]
fn errgroup() {
    let lines = ["3 pages, 36 bytes", "/slow was given up: no such page: /missing", "failed: no such page: /missing\n"];
    assert_prints(&example("errgroup", &[]), &lines.join("\n"));
}

#[test]
fn hog() {
    let out = example("hog", &[]);
    let lines = out.lines();
    assert_eq!(lines.len(), 11, "{out:#?}");
    for (tick, line) in (1..=10).zip(&lines) {
        assert!(line.starts_with(&format!("tick {tick} after ")), "{line}");
        assert!(number(line, "ms") >= 10 * tick, "{line}");
    }
    assert!(lines[10].starts_with("10 ticks beside ") && number(lines[10], "busy loops") > 0, "{out:#?}");
    assert!(out.status.success());
}

#[test]
fn blocking() {
    let out = example("blocking", &[]);
    assert!(out.stdout.starts_with("100 blocking calls of 100 ms took "), "{out:#?}");
    let took = out
        .stdout
        .trim_end()
        .strip_suffix(" ms")
        .and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .expect("a time");
    // How much less than ten seconds is the machine's affair; that a hundred block at once is shown by `progress`.
    assert!(took >= 100, "{took} ms");
}

#[test]
fn million() {
    let out = example("million", &["20000"]);
    let lines = out.lines();
    assert_eq!(lines.first(), Some(&"20000 goroutines parked"), "{out:#?}");
    assert!(lines.contains(&"all ended"), "{out:#?}");
    if cfg!(target_os = "linux") {
        let bytes = number(lines[1], "bytes each");
        assert!((1_000..30_000).contains(&bytes), "{bytes} bytes each");
        // It ends only when the memory is back.
        assert!(lines[3].starts_with("back within 32 MiB of the start after "), "{out:#?}");
    }
    assert!(out.status.success());
}

#[test]
fn scope() {
    let out = example("scope", &[]);
    assert_prints(&out, "doubled: [2, 4, 6, 8, 10, 12]\nsum: 42\ncaught: odd one out\n");
}

#[test]
fn lock_main_thread() {
    let lines = [
        "main is on the main thread: true",
        "before and after a hundred switches: true",
        "others on the main thread: 0\n",
    ];
    assert_prints(&example("lock_main_thread", &[]), &lines.join("\n"));
}

#[test]
fn select_timeout() {
    let lines = [
        "is it quick: yes",
        "is it slow: no answer in time",
        "stopped after at least 3 heartbeats: true",
        "nothing there\n",
    ];
    assert_prints(&example("select_timeout", &[]), &lines.join("\n"));
}

#[test]
fn pipeline() {
    let lines = [
        "sum of the squares up to 1000: 333833500",
        "found one above 10000: true",
        "squares on their way are few: true\n",
    ];
    assert_prints(&example("pipeline", &[]), &lines.join("\n"));
}

#[test]
fn daisy_chain() {
    assert_prints(&example("daisy_chain", &[]), "10000 goroutines heard 10001\n");
    assert_prints(&example("daisy_chain", &["0"]), "0 goroutines heard 1\n");
}

#[test]
fn pubsub() {
    let lines = ["the readers got [5, 5]", "the broker dropped 3", "the slow one got [\"news 1\", \"news 2\"]\n"];
    assert_prints(&example("pubsub", &[]), &lines.join("\n"));
}

#[test]
fn tcp_echo() {
    let lines = ["100 clients, 1000 lines echoed", "the server has stopped\n"];
    assert_prints(&example("tcp_echo", &[]), &lines.join("\n"));
}

#[test]
fn graceful() {
    let lines = "told to stop: terminated signal received\n3 requests were answered in full\n";
    assert_prints(&example("graceful", &[]), lines);
}

#[test]
fn deadlock() {
    let out = example("deadlock", &[]);
    assert_eq!(out.stdout, "waiting\n");
    assert_fatal(&out, "all goroutines are asleep - deadlock!");
    assert_listed(&out, &["chan receive", "chan receive"]);
    assert!(out.stderr.contains("examples/deadlock.rs:"), "{}", out.stderr);
    assert!(out.stderr.contains("created by deadlock::main"), "{}", out.stderr);
}

#[test]
fn panic() {
    let out = example("panic", &[]);
    assert_eq!(out.stdout, "starting\nthe guard is dropped\n");
    assert_crash(&out, "panic: index 5 is beyond 3");
    assert_listed(&out, &["running"]);
    assert!(out.stderr.contains("panic::look_up"), "{}", out.stderr);
    assert!(out.stderr.contains("created by panic::main"), "{}", out.stderr);
}
