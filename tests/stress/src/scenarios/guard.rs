//! Goroutines that the affinity guard keeps on their threads, which others lock, pin themselves to, unwind on, block and compute on.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. GU1. A goroutine that has an address of a thread-local value on its stack changes its thread only if the guard has let it go,
//! which it counts.
//!
//! *Locks.* A `std::sync::Mutex` that is contended on purpose, also by the threads that its holders are kept on.
//!
//! *Go:* none.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use goruntime::runtime::{guard_stats, lock_os_thread, pin, unlock_os_thread, yield_now};
use goruntime::spawn;

use super::{Context, SLOWER, pause};
use crate::check::{ensure, thread_here};
use crate::rand::Rand;

thread_local! {
    static VALUE: u8 = const { 0 };
}

/// Times that a goroutine was on another thread after a wait although it had such an address.
static MOVED: AtomicU64 = AtomicU64::new(0);

/// Runs `wait` with an address of a thread-local value on the stack.
#[inline(never)]
fn holding(wait: impl FnOnce()) {
    let held = [VALUE.with(|value| std::ptr::from_ref(value).addr()), 0];
    let here = thread_here();
    black_box(&held);
    wait();
    black_box(&held);
    if thread_here() != here {
        MOVED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits when it is dropped.
struct Waits<'a>(&'a mut Rand);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        pause(self.0);
    }
}

/// Kept goroutines among those that have their threads for themselves.
pub(crate) fn kept(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(1, 20), rand.range(1, 30 / SLOWER + 2));
    let sum = Arc::new(Mutex::new(0u64));
    let handles: Vec<_> = (0..count)
        .map(|_| {
            let (sum, mut own) = (Arc::clone(&sum), rand.fork());
            spawn(move || (0..rounds).for_each(|_| one_round(&sum, &mut own)))
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a goroutine panicked for good");
    }
    let stats = guard_stats();
    // No scans: there is no guard here, or it is off.
    ensure!(
        stats.scans == 0 || MOVED.load(Ordering::Relaxed) <= stats.moved_anyway.total(),
        "{} moves of goroutines that were to be kept: {stats:?}",
        MOVED.load(Ordering::Relaxed)
    );
    count * rounds
}

fn one_round(sum: &Mutex<u64>, own: &mut Rand) {
    match own.range(0, 12) {
        0..=4 => holding(|| pause(own)),
        5 => holding(|| {
            lock_os_thread();
            pause(own);
            unlock_os_thread();
        }),
        6 => holding(|| {
            let _pinned = pin();
            pause(own);
        }),
        7 => holding(|| {
            // Whoever is kept with the lock blocks others, also on the thread that it is kept on.
            let mut guard = sum.lock().unwrap_or_else(PoisonError::into_inner);
            pause(own);
            *guard += 1;
        }),
        8 => *sum.lock().unwrap_or_else(PoisonError::into_inner) += 1,
        9 => {
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let _waits = Waits(own);
                panic!("on purpose");
            }));
        }
        10 => {
            lock_os_thread();
            pause(own);
            unlock_os_thread();
        }
        _ => yield_now(),
    }
}
