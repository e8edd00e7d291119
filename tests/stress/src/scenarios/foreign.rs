//! Plain threads that use the runtime.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* cgo callbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goruntime::{go, run, spawn, thread};

use super::{Context, SLOWER, pause};
use crate::check::{ensure, not_late, punctual};
use crate::rand::Rand;

/// Waits for a plain thread, without a processor.
fn join<T>(handle: std::thread::JoinHandle<T>) -> T {
    goruntime::runtime::blocking(|| handle.join()).unwrap_or_else(|_| crate::check::fail("a plain thread panicked"))
}

/// Plain threads start goroutines.
pub(crate) fn foreign_go(_: &Context, mut rand: Rand) -> u64 {
    let (threads, each) = (rand.range(1, 6), rand.range(1, 400 / SLOWER));
    let (left, me) = (Arc::new(AtomicU64::new(threads * each)), thread::current());
    let plain: Vec<_> = (0..threads)
        .map(|_| {
            let (left, me) = (Arc::clone(&left), me.clone());
            std::thread::spawn(move || {
                for _ in 0..each {
                    let (left, me) = (Arc::clone(&left), me.clone());
                    go(move || {
                        if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                            me.unpark();
                        }
                    });
                }
            })
        })
        .collect();
    while left.load(Ordering::Acquire) != 0 {
        thread::park();
    }
    plain.into_iter().for_each(join);
    threads * each
}

/// Plain threads wait for goroutines by `run` and `join`.
pub(crate) fn foreign_run(_: &Context, mut rand: Rand) -> u64 {
    let (threads, each) = (rand.range(1, 6), rand.range(1, 60 / SLOWER + 2));
    let plain: Vec<_> = (0..threads)
        .map(|_| {
            let mut own = rand.fork();
            std::thread::spawn(move || {
                for number in 0..each {
                    let mut inner = own.fork();
                    let work = move || {
                        pause(&mut inner);
                        number
                    };
                    let got = match own.range(0, 3) {
                        0 => run(work),
                        1 => run(|| run(work)),
                        _ => spawn(work).join().unwrap_or(u64::MAX),
                    };
                    ensure!(got == number, "a plain thread got {got} for {number}");
                }
            })
        })
        .collect();
    plain.into_iter().for_each(join);
    threads * each
}

/// Plain threads park, sleep and are unparked; their ids are their own.
pub(crate) fn foreign_park(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 200 / SLOWER);
    let (turn, me) = (Arc::new(AtomicU64::new(0)), thread::current());
    let (tell, told) = std::sync::mpsc::channel();
    let plain = {
        let (turn, mut own) = (Arc::clone(&turn), rand.fork());
        std::thread::spawn(move || {
            if tell.send(thread::current()).is_err() {
                crate::check::fail("nobody wants to know a plain thread");
            }
            for round in 0..rounds {
                while turn.load(Ordering::Acquire) != 2 * round + 1 {
                    if own.one_in(4) { thread::park_timeout(Duration::from_millis(50)) } else { thread::park() }
                }
                let (begun, length) = (Instant::now(), own.micros(1, 100));
                if own.one_in(10) {
                    thread::sleep(length);
                    punctual("a plain thread's sleep", begun, length);
                } else if own.one_in(10) {
                    thread::park_timeout(length);
                    not_late("a plain thread's timed park", begun, length);
                }
                turn.store(2 * round + 2, Ordering::Release);
                me.unpark();
            }
            thread::current().id()
        })
    };
    let Ok(other) = goruntime::runtime::blocking(|| told.recv()) else {
        crate::check::fail("a plain thread ended early")
    };
    for round in 0..rounds {
        turn.store(2 * round + 1, Ordering::Release);
        other.unpark();
        while turn.load(Ordering::Acquire) != 2 * round + 2 {
            thread::park();
        }
    }
    let id = join(plain);
    ensure!(id == other.id() && id != thread::current().id(), "a plain thread changed its id");
    2 * rounds
}

/// Plain threads that come and go have an id each, and no permit of their predecessors' memory.
pub(crate) fn foreign_ids(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 40);
    let mut seen: Vec<thread::Thread> = Vec::new();
    for _ in 0..count {
        let plain = std::thread::spawn(thread::current);
        let thread = join(plain);
        ensure!(
            seen.iter().all(|other| other.id() != thread.id()),
            "an id was given to two plain threads: {:?}",
            thread.id()
        );
        thread.unpark();
        seen.push(thread);
    }
    count
}

/// Every goroutine is parked while a plain thread, which will wake one, waits for a goroutine of its own: that is no deadlock.
pub(crate) fn foreign_lone(_: &Context, mut rand: Rand) -> u64 {
    let rounds = rand.range(1, 30);
    for _ in 0..rounds {
        let (done, me) = (Arc::new(AtomicBool::new(false)), thread::current());
        let plain = {
            let (done, steps, mut own) = (Arc::clone(&done), rand.range(1, 4), rand.fork());
            std::thread::spawn(move || {
                for _ in 0..steps {
                    ensure!(run(|| 1) == 1, "a run returned another value");
                    if own.one_in(3) {
                        std::thread::sleep(own.micros(1, 200));
                    }
                }
                done.store(true, Ordering::Release);
                me.unpark();
            })
        };
        while !done.load(Ordering::Acquire) {
            thread::park();
        }
        // The thread ends by itself: waiting for it would keep a thread of the runtime awake.
        drop(plain);
    }
    rounds
}
