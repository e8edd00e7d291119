//! The lock of a channel or of a waiter list: held for tens of nanoseconds, never across a suspension of its holder's own making.
//!
//! *Why here.* Floor 7: every primitive that blocks goroutines has one. The futex lock of floor 1 is not it: its unlock must be an atomic
//! swap, to learn of sleepers, and that alone costs a buffered channel more than half of its speed.
//!
//! *Invariants.* SP1. The word is 1 while somebody holds the lock, else 0; only the holder writes 0. SP2. Whoever takes it is inside the
//! runtime (`enter` came first), so it is not suspended there except by a park whose commit unlocks. SP3. An unlock touches the word once:
//! the memory may be freed by whoever takes the lock next.
//!
//! *Locks.* This is the mechanism; rank 1, above the scheduler's lock and the timer heaps. Two of them are taken only in address order.
//!
//! *Go:* `lock2` of lock_futex.go, without its sleep.

use crate::base::shim::{AtomicU32, Ordering};
use crate::os;

/// Pauses of the first and of the last round of spinning; they double in between. After that the CPU is given away between looks.
const FIRST_PAUSE: u32 = 4;
const LAST_PAUSE: u32 = 64;

/// A lock of one word.
#[derive(Debug)]
pub(crate) struct SpinLock {
    word: AtomicU32,
}

impl SpinLock {
    /// A free lock.
    pub(crate) const fn new() -> SpinLock {
        SpinLock { word: AtomicU32::new(0) }
    }

    /// Takes the lock.
    #[inline(always)]
    pub(crate) fn lock(&self) {
        // Acquire: pairs with the Release in `unlock`.
        if self.word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_contended();
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            if pause <= LAST_PAUSE {
                os::cpu_relax(pause);
                pause *= 2;
            } else {
                os::yield_cpu();
            }
            // Relaxed: a hint whether the attempt is worth its cache line. Acquire: as in `lock`.
            if self.word.load(Ordering::Relaxed) == 0
                && self.word.compare_exchange_weak(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                return;
            }
        }
    }

    /// Frees the lock.
    ///
    /// # Safety
    ///
    /// - `lock` points to a lock that the caller holds, or that the park which the caller completes has taken.
    #[inline(always)]
    pub(crate) unsafe fn unlock(lock: *const SpinLock) {
        // SAFETY: what is locked is alive, because nobody frees it without taking the lock once more (SP3).
        let word = unsafe { &(*lock).word };
        debug_assert_eq!(word.load(Ordering::Relaxed), 1, "unlock of a free SpinLock");
        // Release: pairs with the Acquire in `lock`.
        word.store(0, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn two_holders_never_overlap() {
        let shared = Arc::new((SpinLock::new(), AtomicU32::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for _ in 0..20_000 {
                        shared.0.lock();
                        // A lost update shows that two were inside.
                        let seen = shared.1.load(Ordering::Relaxed);
                        shared.1.store(seen + 1, Ordering::Relaxed);
                        // SAFETY: locked above.
                        unsafe { SpinLock::unlock(&raw const shared.0) };
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("the thread ends");
        }
        assert_eq!(shared.1.load(Ordering::Relaxed), 60_000);
    }
}
