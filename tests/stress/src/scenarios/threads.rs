//! Goroutines and their threads: locked, pinned, left behind, and blocked by each other's locks.
//!
//! *Why here.* See `scenarios`.
//!
//! *Invariants.* SN1. *Locks.* A `std::sync::Mutex` that is contended on purpose. A merely pinned holder of it shares its thread with others, which
//! must not block there; so only holders that have their thread for themselves are waited for with `lock`.
//!
//! *Go:* none.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use goruntime::runtime::{lock_os_thread, pin, unlock_os_thread, yield_now};
use goruntime::spawn;

use super::{Context, SLOWER, pause};
use crate::check::{ensure, thread_here};
use crate::rand::Rand;

/// A locked goroutine stays on its thread, whatever it does.
pub(crate) fn lock_thread(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(1, 8), rand.range(1, 40 / SLOWER + 2));
    let handles: Vec<_> = (0..count)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..own.range(1, 4) {
                    let levels = own.range(1, 4);
                    (0..levels).for_each(|_| lock_os_thread());
                    let here = thread_here();
                    for _ in 0..rounds {
                        pause(&mut own);
                        ensure!(thread_here() == here, "a locked goroutine changed its thread");
                    }
                    (0..levels).for_each(|_| unlock_os_thread());
                    unlock_os_thread();
                    pause(&mut own);
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a locked goroutine panicked");
    }
    count * rounds
}

/// A goroutine that ends locked leaves its thread behind; others never run there again.
pub(crate) fn end_locked(context: &Context, mut rand: Rand) -> u64 {
    let count = rand.range(1, 4);
    let mut done = 0;
    for _ in 0..count {
        if !context.may_taint() {
            break;
        }
        let mut own = rand.fork();
        let locked = spawn(move || {
            lock_os_thread();
            let here = thread_here();
            pause(&mut own);
            if own.one_in(3) {
                goruntime::runtime::goexit();
            }
            here
        });
        let Ok(left) = locked.join() else { continue };
        let others: Vec<_> = (0..20)
            .map(|_| {
                let mut own = rand.fork();
                spawn(move || {
                    pause(&mut own);
                    thread_here()
                })
            })
            .collect();
        for other in others {
            ensure!(other.join().ok() != Some(left), "a goroutine runs on a thread that was left locked");
        }
        done += 1;
    }
    done
}

/// A pinned goroutine stays on its thread, which others use meanwhile.
pub(crate) fn pins(_: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(1, 30), rand.range(1, 40 / SLOWER + 2));
    let handles: Vec<_> = (0..count)
        .map(|_| {
            let mut own = rand.fork();
            spawn(move || {
                for _ in 0..own.range(1, 4) {
                    let _outer = pin();
                    let here = thread_here();
                    for _ in 0..rounds {
                        let _inner = own.one_in(4).then(pin);
                        pause(&mut own);
                        ensure!(thread_here() == here, "a pinned goroutine changed its thread");
                    }
                    drop(_outer);
                    yield_now();
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a pinned goroutine panicked");
    }
    count * rounds
}

/// A mutex of std is held while its holder is suspended.
///
/// Who locks his thread blocks it as well. Goroutines that stay on their threads may live there, and the holder may wait for one of them: somebody who unwinds
/// on the holder's thread, which he has for himself meanwhile, and who joins it.
pub(crate) fn mutex(context: &Context, mut rand: Rand) -> u64 {
    let (count, rounds) = (rand.range(2, 10), rand.range(1, 30 / SLOWER + 2));
    let dedicated = !context.sticky && rand.one_in(2);
    let sum = Arc::new(Mutex::new(0u64));
    let handles: Vec<_> = (0..count)
        .map(|_| {
            let (sum, mut own) = (Arc::clone(&sum), rand.fork());
            spawn(move || {
                for _ in 0..rounds {
                    if dedicated { hold_locked(&sum, &mut own) } else { hold_pinned(&sum, &mut own) }
                }
            })
        })
        .collect();
    for handle in handles {
        ensure!(handle.join().is_ok(), "a holder panicked");
    }
    let sum = *sum.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(sum == count * rounds, "the mutex let two in: {sum} of {}", count * rounds);
    sum
}

fn hold_locked(sum: &Mutex<u64>, rand: &mut Rand) {
    lock_os_thread();
    {
        let mut guard = sum.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *guard;
        pause(rand);
        *guard = before + 1;
    }
    unlock_os_thread();
}

fn hold_pinned(sum: &Mutex<u64>, rand: &mut Rand) {
    let _pinned = pin();
    loop {
        match sum.try_lock() {
            Ok(mut guard) => {
                let before = *guard;
                pause(rand);
                *guard = before + 1;
                return;
            }
            Err(TryLockError::WouldBlock) => yield_now(),
            Err(TryLockError::Poisoned(_)) => crate::check::fail("a holder panicked"),
        }
    }
}
