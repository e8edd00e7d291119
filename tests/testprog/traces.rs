//! Programs that live long enough to be looked at.
//!
//! Why here: driven by `tests/traces.rs`.
//!
//! *Invariants*
//! - TR1. A program that is to get SIGQUIT prints `ready` when its goroutines are where they stay.
//!
//! *Locks*: none.
//!
//! *Go:* `testprog/crashdump.go`.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};

use goruntime::runtime::{self, gomaxprocs, num_goroutine, yield_now};
use goruntime::time::{Duration, sleep};
use goruntime::{go, run, spawn, thread};

use crate::Program::{Body, Plain};
use crate::Table;

pub(crate) const PROGRAMS: Table = &[
    ("quit_mixed", Body(quit_mixed)),
    ("quit_busy", Body(quit_busy)),
    ("quit_library", Plain(quit_library)),
    ("trace_sweeps", Body(trace_sweeps)),
    ("trace_for_ever", Body(|| sleep(Duration::from_secs(1 << 30)))),
];

static ARRIVED: AtomicUsize = AtomicUsize::new(0);

fn forever() -> ! {
    loop {
        thread::park();
    }
}

fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Release);
}

fn until_arrived(count: usize) {
    while ARRIVED.load(Ordering::Acquire) < count {
        yield_now();
    }
}

/// One goroutine computes, the others wait, each for its own reason. On one processor, without time slices, an arrival and the
/// park after it are one step.
fn quit_mixed() {
    go(|| {
        arrive();
        forever()
    });
    go(|| {
        arrive();
        sleep(Duration::from_secs(3600));
    });
    go(|| {
        let parked = spawn(|| {
            arrive();
            forever()
        });
        drop(parked.join());
    });
    until_arrived(3);
    println!("ready");
    loop {
        spin_loop();
    }
}

fn quit_busy() {
    let count = 2 * gomaxprocs();
    for _ in 0..count {
        go(|| {
            arrive();
            loop {
                spin_loop();
            }
        });
    }
    until_arrived(count);
    println!("ready");
    forever()
}

fn quit_library() {
    run(|| {
        go(|| {
            arrive();
            forever()
        });
        until_arrived(1);
    });
    // The goroutine of `run` ends a moment after `run`.
    while num_goroutine() > 1 {
        std::thread::yield_now();
    }
    println!("ready");
    loop {
        std::thread::park();
    }
}

/// Ends more goroutines than a sweep leaves alone, each of which had a stack of its own, and sweeps on demand.
fn trace_sweeps() {
    let all: Vec<_> = (0..10_000).map(|_| spawn(yield_now)).collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    runtime::free_os_memory();
    let stats = runtime::mem_stats();
    println!("{} {}", stats.sweeps >= 2, stats.swept_bytes > 0);
}
