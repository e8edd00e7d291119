//! A million goroutines, each parked with a stack of its own.
//!
//! Prints `N goroutines parked` and then, where /proc tells it, `B bytes each, page tables included`. The argument is N, 1000000 unless given.
//! Then all are released and it prints `all ended`; and the runtime gives their memory back by itself, of which the last line tells:
//! `back within 32 MiB of the start after S s`. A million take 4.7 GB, and some ten seconds in a release build.

use std::fs;

use goruntime::time::{Duration, Instant, sleep};
use goruntime::{channel, go, runtime};

/// What may stay for the next goroutines, bytes.
const KEPT: usize = 32 << 20;

/// Resident memory and page tables of this process, bytes.
fn memory() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib = |name: &str| -> Option<usize> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some((kib("VmRSS:")? + kib("VmPTE:")?) << 10)
}

#[goruntime::main]
fn main() {
    let count: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let before = memory();
    let (started, starts) = channel::bounded(1024);
    let (release, gate) = channel::bounded::<()>(0);
    for _ in 0..count {
        let (started, gate) = (started.clone(), gate.clone());
        go(move || {
            started.send(()).expect("main counts the starts");
            drop(started);
            // Nobody sends: the channel ends when main lets go of it.
            gate.recv().unwrap_err();
        });
    }
    drop(started);
    println!("{} goroutines parked", starts.iter().count());
    if let (Some(before), Some(after)) = (before, memory()) {
        println!("{} bytes each, page tables included", after.saturating_sub(before) / count.max(1));
    }
    drop(release);
    while runtime::num_goroutine() > 1 {
        runtime::yield_now();
    }
    println!("all ended");
    let (ended, Some(before)) = (Instant::now(), before) else { return };
    while memory().is_some_and(|now| now > before + KEPT) {
        sleep(Duration::from_millis(50));
    }
    println!("back within {} MiB of the start after {:.1} s", KEPT >> 20, ended.elapsed().as_secs_f64());
}
