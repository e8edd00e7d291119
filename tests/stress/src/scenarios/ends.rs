//! Ends other than a return: panics, goexit, and destructors that park meanwhile.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* None. *Go:* none.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use goruntime::runtime::{goexit, yield_now};
use goruntime::{Goexit, go, scope, spawn};

use super::{Context, SLOWER, pause};
use crate::check::{Ledger, ensure, thread_here};
use crate::rand::Rand;

/// Payloads arrive at the joiner.
pub(crate) fn panics(_: &Context, mut rand: Rand) -> u64 {
    let ledger = Ledger::default();
    let count = rand.range(1, 100 / SLOWER);
    let handles: Vec<_> = (0..count)
        .map(|number| {
            let (mut own, token) = (rand.fork(), ledger.token());
            spawn(move || {
                let _held = token;
                pause(&mut own);
                match own.range(0, 3) {
                    0 => resume_unwind(Box::new(number)),
                    1 => std::panic::panic_any(number),
                    _ => {
                        let caught = catch_unwind(|| std::panic::panic_any(7u8));
                        ensure!(caught.is_err(), "a panic was not caught");
                        pause(&mut own);
                        std::panic::panic_any(number)
                    }
                }
            })
        })
        .collect();
    for (number, handle) in (0..count).zip(handles) {
        let handle: goruntime::JoinHandle<()> = handle;
        let payload = handle.join().err().and_then(|payload| payload.downcast::<u64>().ok());
        ensure!(payload.as_deref() == Some(&number), "goroutine {number} panicked with {payload:?}");
    }
    let caught = catch_unwind(AssertUnwindSafe(|| scope(|s| s.go(|| resume_unwind(Box::new(1))))));
    ensure!(caught.is_err(), "a scope hid the panic of its goroutine");
    ledger.settle("a panic drops what the goroutine held");
    count
}

/// Goexit runs the destructors and tells the joiner.
pub(crate) fn goexits(_: &Context, mut rand: Rand) -> u64 {
    let ledger = Ledger::default();
    let count = rand.range(1, 150 / SLOWER);
    let mut handles = Vec::new();
    for _ in 0..count {
        let (mut own, token) = (rand.fork(), ledger.token());
        let body = move || {
            let _held = token;
            if own.one_in(2) {
                pause(&mut own);
            }
            goexit()
        };
        if rand.one_in(3) { go(body) } else { handles.push(spawn(body)) }
    }
    for handle in handles {
        let handle: goruntime::JoinHandle<()> = handle;
        let payload = handle.join().err();
        ensure!(payload.is_some_and(|payload| payload.is::<Goexit>()), "a joiner was not told of a goexit");
    }
    ledger.settle("goexit runs destructors");
    count
}

/// Parks while it is dropped; counts that it came to the end, on the same thread if it was unwinding.
struct Slow<'a>(Rand, &'a AtomicU64);

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        let (unwinding, here) = (std::thread::panicking(), thread_here());
        for _ in 0..3 {
            pause(&mut self.0);
        }
        if unwinding {
            ensure!(thread_here() == here, "an unwinding goroutine changed its thread");
            ensure!(std::thread::panicking(), "a goroutine forgot that it unwinds");
        }
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// Destructors park while a panic or a goexit unwinds.
pub(crate) fn park_in_drop(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 60 / SLOWER + 2);
    let dropped = AtomicU64::new(0);
    scope(|s| {
        let handles: Vec<_> = (0..count)
            .map(|_| {
                let (mut own, dropped) = (rand.fork(), &dropped);
                s.spawn(move || {
                    let slow = Slow(own.fork(), dropped);
                    pause(&mut own);
                    let _also = Slow(own.fork(), dropped);
                    match own.range(0, 3) {
                        0 => drop(slow),
                        1 => resume_unwind(Box::new(1u8)),
                        _ => goexit(),
                    }
                })
            })
            .collect();
        for handle in handles {
            // Two in three end by unwinding: either way the destructors below are counted.
            drop(handle.join());
        }
    });
    let dropped = dropped.load(Ordering::Relaxed);
    ensure!(dropped == 2 * count, "{dropped} of {} slow destructors came to the end", 2 * count);
    count
}

/// A goexit that is caught goes on at the next operation that may park.
pub(crate) fn caught_goexit(_: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 30);
    for _ in 0..count {
        let handle = spawn(|| {
            let caught = catch_unwind(|| goexit());
            ensure!(caught.is_err(), "goexit returned");
            yield_now();
            crate::check::fail("a goroutine survived its goexit")
        });
        let payload = handle.join().err();
        ensure!(payload.is_some_and(|payload| payload.is::<Goexit>()), "a caught goexit was forgotten");
    }
    count
}
