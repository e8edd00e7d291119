//! What makes Ps change hands: blocking calls, computing, resizes; and what looks at everything meanwhile: sweeps and counts.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use goruntime::runtime;
use goruntime::{go, spawn, time};

use super::{Context, SLOWER, pause, spin};
use crate::check::{ensure, eventually};
use crate::rand::Rand;

/// Most goroutines that anything here has at once, with room to spare.
const MANY: usize = 10_000_000;

/// Blocking calls, announced or not, beside goroutines that only yield.
pub(crate) fn blocking(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(1, 40), rand.range(1, 6));
    let handles: Vec<_> = (0..count)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..rounds {
                    let length = own.micros(10, 5_000);
                    match own.range(0, 4) {
                        0 => std::thread::sleep(length),
                        1 => runtime::blocking(|| std::thread::sleep(length)),
                        2 => runtime::blocking(|| {
                            std::thread::sleep(length / 2);
                            runtime::yield_now();
                            runtime::blocking(|| std::thread::sleep(length / 2));
                        }),
                        _ => runtime::yield_now(),
                    }
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a blocked goroutine panicked");
    }
    count * rounds
}

/// Goroutines that compute for long; a ticker beside them goes on.
pub(crate) fn hogs(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 8);
    let stop = Arc::new(AtomicBool::new(false));
    let ticker = {
        let stop = Arc::clone(&stop);
        spawn(move || {
            let mut ticks = 0u64;
            while !stop.load(Ordering::Relaxed) {
                time::sleep(Duration::from_micros(500));
                ticks += 1;
            }
            ticks
        })
    };
    let hogs: Vec<_> = (0..count)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..own.range(1, 3) {
                    spin(own.micros(1_000, 30_000));
                    if own.one_in(2) {
                        pause(&mut own);
                    }
                }
            })
        })
        .collect();
    for hog in hogs {
        ensure!(hog.join().is_ok(), "a hog panicked");
    }
    stop.store(true, Ordering::Relaxed);
    let Ok(ticks) = ticker.join() else { crate::check::fail("the ticker panicked") };
    count + ticks
}

/// GOMAXPROCS changes while others work; two change it at once.
pub(crate) fn resize(context: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 20);
    let changers: Vec<_> = (0..rand.range(1, 3))
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..rounds {
                    let before = runtime::set_gomaxprocs(own.range(1, 17) as usize);
                    ensure!((1..=1024).contains(&before), "GOMAXPROCS was {before}");
                    pause(&mut own);
                }
            })
        })
        .collect();
    let worked = Arc::new(AtomicU64::new(0));
    for _ in 0..50 {
        let (worked, mut own) = (Arc::clone(&worked), rand.fork());
        go(move || {
            for _ in 0..20 / SLOWER {
                pause(&mut own);
            }
            worked.fetch_add(1, Ordering::Relaxed);
        });
    }
    for changer in changers {
        ensure!(changer.join().is_ok(), "a resize panicked");
    }
    runtime::set_gomaxprocs(context.procs);
    eventually("the workers end", || worked.load(Ordering::Relaxed) == 50);
    rounds
}

/// Memory is given back while goroutines come and go.
pub(crate) fn sweeps(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 6);
    for _ in 0..rounds {
        let handles: Vec<_> = (0..rand.range(1, 4_000 / SLOWER))
            .map(|number| {
                let parks = rand.one_in(20);
                spawn(move || {
                    let buffer = [number; 64];
                    if parks {
                        runtime::yield_now();
                    }
                    std::hint::black_box(&buffer).iter().sum::<u64>()
                })
            })
            .collect();
        if rand.one_in(2) {
            runtime::sweep();
        }
        for (number, handle) in (0u64..).zip(handles) {
            ensure!(handle.join().ok() == Some(64 * number), "a stack was swept under goroutine {number}");
        }
        match rand.range(0, 3) {
            0 => runtime::free_os_memory(),
            _ => drop(runtime::sweep()),
        }
    }
    rounds
}

/// The counts make sense at every moment.
pub(crate) fn counts(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(100, 2_000 / SLOWER);
    let stop = Arc::new(AtomicBool::new(false));
    let churn: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            spawn(move || {
                let mut rounds = 0u32;
                while !stop.load(Ordering::Relaxed) {
                    ensure!(spawn(|| ()).join().is_ok(), "an empty goroutine panicked");
                    rounds += 1;
                    if rounds.is_multiple_of(16) {
                        // Two that ready each other share a time slice, and the one that counts gets its turn only after it.
                        runtime::yield_now();
                    }
                }
            })
        })
        .collect();
    for _ in 0..rounds {
        let count = runtime::num_goroutine();
        ensure!((1..MANY).contains(&count), "there are {count} goroutines");
        let stats = runtime::mem_stats();
        ensure!(stats.stacks >= stats.stacks_free, "more stacks are free than there are: {stats:?}");
        runtime::yield_now();
    }
    stop.store(true, Ordering::Relaxed);
    for churner in churn {
        ensure!(churner.join().is_ok(), "a churner panicked");
    }
    rounds
}
