//! Locks that block the thread: for the scheduler's own short critical sections.
//!
//! **What.** `RawLock`, one futex word, and `Lock<T>`, the same with the data inside.
//!
//! **Why here.** Floor 1. The std mutex would do, but it may be poisoned and its size and spinning are not ours.
//!
//! **Invariants.**
//! - LK1. The word is one of:
//!
//!   | word | held | a thread may sleep on it |
//!   |---|---|---|
//!   | 0 `FREE` | no | no |
//!   | 1 `HELD` | yes | no |
//!   | 2 `CONTENDED` | yes | yes |
//!
//!   A thread that has slept takes the lock as `CONTENDED`, because it cannot know whether it was the last sleeper:
//!   the cost is one needless wake at the end of a contended phase.
//! - LK2. No suspension of a goroutine while a lock of this kind is held: the scheduler asserts nothing here, it
//!   follows from `enter` coming before any lock.
//!
//! **Locks.** This file is the mechanism; ranks stand with the locks that are made of it.
//!
//! **Go:** `lock_futex.go`, `lock_spinbit.go`.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use crate::base::shim::{AtomicU32, Ordering};
use crate::os;

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// Pauses of the first and of the last round of spinning; they double in between.
const FIRST_PAUSE: u32 = 4;
const LAST_PAUSE: u32 = 64;

/// A futex lock without data.
pub(crate) struct RawLock {
    word: AtomicU32,
}

impl RawLock {
    /// Makes a free lock.
    pub(crate) const fn new() -> Self {
        Self { word: AtomicU32::new(FREE) }
    }

    /// Takes the lock; blocks the thread while another one holds it.
    #[inline]
    pub(crate) fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        // Acquire: pairs with the Release in `unlock`.
        self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Frees the lock, which the caller holds, and wakes one sleeper.
    #[inline]
    pub(crate) fn unlock(&self) {
        // Release: pairs with the Acquires in `try_lock` and `lock_slow`.
        let before = self.word.swap(FREE, Ordering::Release);
        debug_assert_ne!(before, FREE, "unlock of a free RawLock");
        if before == CONTENDED {
            self.wake_one();
        }
    }

    /// Spins a little, then sleeps until the lock is ours.
    #[cold]
    fn lock_slow(&self) {
        let mut pause = FIRST_PAUSE;
        while pause <= LAST_PAUSE {
            // Relaxed: a hint whether the attempt is worth its cache line.
            if self.word.load(Ordering::Relaxed) == FREE && self.try_lock() {
                return;
            }
            os::cpu_relax(pause);
            pause *= 2;
        }
        // Acquire: pairs with the Release in `unlock`.
        while self.word.swap(CONTENDED, Ordering::Acquire) != FREE {
            os::futex_wait(&self.word, CONTENDED, None);
        }
    }

    /// Wakes one thread that sleeps in `lock_slow`.
    #[cold]
    fn wake_one(&self) {
        os::futex_wake(&self.word, 1);
    }
}

impl Default for RawLock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RawLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.word.load(Ordering::Relaxed) {
            FREE => "free",
            HELD => "held",
            _ => "contended",
        };
        f.debug_tuple("RawLock").field(&state).finish()
    }
}

/// A value behind a [`RawLock`].
pub(crate) struct Lock<T> {
    raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: moving the lock moves the value in it, which T: Send permits; nobody else can reach it meanwhile.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: shared threads reach the value only through a guard, one at a time, so the value is handed from thread to
// thread (T: Send); the raw lock's Release and Acquire order one holder's accesses before the next one's.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// Makes a free lock around a value.
    pub(crate) const fn new(value: T) -> Self {
        Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock; blocks the thread while another one holds it.
    #[inline]
    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        self.raw.lock();
        LockGuard { lock: self, not_send: PhantomData }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<LockGuard<'_, T>> {
        self.raw.try_lock().then(|| LockGuard { lock: self, not_send: PhantomData })
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.try_lock() {
            Some(guard) => f.debug_tuple("Lock").field(&*guard).finish(),
            None => f.debug_tuple("Lock").field(&"held").finish(),
        }
    }
}

/// The right to the value of a held [`Lock`]; frees it when dropped.
///
/// It stays on its thread: a goroutine that moved with it would have parked while holding a lock (LK2).
#[must_use = "the lock is freed when the guard is dropped"]
pub(crate) struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
    not_send: PhantomData<*const ()>,
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard exists, so its lock is held, and only the guard's own borrows reach the value.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard exists, so its lock is held, and it is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.raw.unlock();
    }
}

impl<T: fmt::Debug> fmt::Debug for LockGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn no_increment_is_lost_between_threads() {
        let total = Arc::new(Lock::new(0_u64));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let total = Arc::clone(&total);
                thread::spawn(move || {
                    for _ in 0..100_000 {
                        *total.lock() += 1;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("a counting thread ends");
        }
        assert_eq!(*total.lock(), 400_000);
        assert_eq!(total.raw.word.load(Ordering::Relaxed), FREE);
    }

    #[test]
    fn a_held_lock_cannot_be_tried_and_a_freed_one_can() {
        let lock = Lock::new(5);
        let guard = lock.lock();
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert_eq!(*lock.try_lock().expect("the lock is free"), 5);
    }

    #[test]
    fn a_sleeping_thread_is_woken_by_unlock() {
        let lock = Arc::new(RawLock::new());
        lock.lock();
        let waiter = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                lock.lock();
                lock.unlock();
            }
        });
        // The waiter marks the word when it is about to sleep.
        while lock.word.load(Ordering::Relaxed) != CONTENDED {
            os::yield_cpu();
        }
        lock.unlock();
        waiter.join().expect("the waiter gets the lock");
    }

    #[test]
    fn a_lock_is_free_after_a_panic_under_it() {
        let lock = Arc::new(Lock::new(()));
        let panicked = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                let _guard = lock.lock();
                panic!("on purpose");
            }
        });
        assert!(panicked.join().is_err());
        assert!(lock.try_lock().is_some());
    }
}
