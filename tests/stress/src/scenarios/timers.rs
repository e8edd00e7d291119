//! Sleeping: short and long, few and many, and what a cancelled wait leaves behind.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::time::{sleep, sleep_until};
use goruntime::{spawn, thread};

use super::{Context, SLOWER, spin};
use crate::check::{ensure, punctual};
use crate::rand::Rand;

/// Sleeps of all lengths end neither early nor late.
pub(crate) fn sleeps(_: &Context, mut rand: Rand) -> u64 {
    let (sleepers, rounds) = (rand.range(1, 100), rand.range(1, 20));
    let handles: Vec<_> = (0..sleepers)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..rounds {
                    let longest = own.pick(&[2, 20, 200, 2_000, 10_000]);
                    let (begun, length) = (Instant::now(), own.micros(1, longest));
                    if own.one_in(3) {
                        sleep_until(begun + length)
                    } else {
                        sleep(length)
                    }
                    punctual("a sleep", begun, length);
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a sleeper panicked");
    }
    sleepers * rounds
}

/// Thousands of timers in the heaps at once.
pub(crate) fn many_timers(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1_000, 8_000) / SLOWER;
    let left = Arc::new(AtomicU64::new(count));
    let me = thread::current();
    for _ in 0..count {
        let (left, me, length) = (Arc::clone(&left), me.clone(), rand.micros(1, 50_000));
        goruntime::go(move || {
            let begun = Instant::now();
            sleep(length);
            punctual("one sleep of many", begun, length);
            if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                me.unpark();
            }
        });
    }
    while left.load(Ordering::Acquire) != 0 {
        thread::park();
    }
    count
}

/// A long wait that is cut short must not delay the short ones that follow, nor the next life of the goroutine's memory.
pub(crate) fn cancelled(_: &Context, mut rand: Rand) -> u64 {
    let (workers, rounds) = (rand.range(1, 30), rand.range(1, 12));
    let handles: Vec<_> = (0..workers)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..rounds {
                    one_cancelled(&mut own);
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a worker panicked");
    }
    workers * rounds
}

fn one_cancelled(rand: &mut Rand) {
    let me = thread::current();
    let waker = {
        let mut own = rand.fork();
        spawn(move || {
            if own.one_in(2) {
                sleep(own.micros(1, 300));
            }
            me.unpark();
        })
    };
    thread::park_timeout(Duration::from_secs(rand.pick(&[60, 600, 6_000])));
    ensure!(waker.join().is_ok(), "a waker panicked");
    for _ in 0..rand.range(0, 4) {
        let (begun, length) = (Instant::now(), rand.micros(1, 1_000));
        if rand.one_in(3) {
            thread::park_timeout(length);
            crate::check::not_late("a timed park after a cancelled one", begun, length);
        } else {
            sleep(length);
            punctual("a sleep after a cancelled wait", begun, length);
        }
    }
}

/// One timer, while all else blocks, computes or sleeps: somebody must watch it.
pub(crate) fn lone_timer(_: &Context, mut rand: Rand) -> u64 {
    let others: Vec<_> = (0..rand.range(0, 4))
        .map(|_| {
            let (how, length) = (rand.range(0, 3), rand.micros(1_000, 60_000));
            spawn(move || match how {
                0 => std::thread::sleep(length),
                1 => goruntime::runtime::blocking(|| std::thread::sleep(length)),
                _ => spin(length / 4),
            })
        })
        .collect();
    for _ in 0..3 {
        let (begun, length) = (Instant::now(), rand.micros(100, 20_000));
        sleep(length);
        punctual("a lone sleep", begun, length);
    }
    for other in others {
        ensure!(other.join().is_ok(), "a bystander panicked");
    }
    3
}
