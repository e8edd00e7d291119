//! Whose turn it is to wait for a side of a socket.
//!
//! *Why here.* Floor 8: a descriptor has room for one waiter a side; the others queue here, first come, first served.
//!
//! | word     | meaning                                  |
//! |----------|------------------------------------------|
//! | `FREE`   | nobody has the turn                      |
//! | `HELD`   | somebody has it, nobody queues           |
//! | `QUEUED` | somebody has it, others may queue        |
//!
//! *Invariants.* TU1. Who leaves FREE behind has the turn; with waiters it is handed to the first, and the word does not become FREE.
//! TU2. A waiter changes HELD to QUEUED and queues under one hold of the lock, so that whoever ends the turn finds it. TU3. A waiter whose time is up
//! has left the queue before its frame ends; the word stays QUEUED until the turn ends.
//!
//! *Locks.* Its own, rank 1, never together with a descriptor's. *Go:* `fdMutex`, whose references are `net::fd`'s descriptor numbers here.

use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};

use crate::gmp::WaitReason;
use crate::proc::park::note_place;
use crate::proc::{enter, enter_preemptible};
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{self, Sudog, WaitQueue};

const FREE: u32 = 0;
const HELD: u32 = 1;
const QUEUED: u32 = 2;

/// The turns of one side.
pub(crate) struct Turn {
    word: AtomicU32,
    lock: SpinLock,
    waiters: WaitQueue,
}

// SAFETY: the queue belongs to whoever holds the lock, and its sudogs may be of any goroutine.
unsafe impl Send for Turn {}
// SAFETY: the word is an atomic, and the queue is touched only under the lock.
unsafe impl Sync for Turn {}

/// The right to wait; ends when dropped.
#[must_use]
pub(crate) struct Held<'a>(&'a Turn);

impl Turn {
    /// Nobody has it.
    pub(crate) const fn new() -> Turn {
        Turn { word: AtomicU32::new(FREE), lock: SpinLock::new(), waiters: WaitQueue::new() }
    }

    /// Takes the turn if nobody has it.
    #[inline]
    pub(crate) fn try_take(&self) -> Option<Held<'_>> {
        // Acquire: pairs with the Release in `drop`.
        self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).ok().map(|_| Held(self))
    }

    /// Waits for the turn, at most until `limit`, ns of the monotonic clock. None: the time was up.
    #[cold]
    pub(crate) fn take(&self, at: &'static Location<'static>, limit: Option<i64>) -> Option<Held<'_>> {
        let inside = enter_preemptible();
        self.lock.lock();
        // Acquire: as in `try_take`.
        if self.word.swap(QUEUED, Ordering::Acquire) == FREE {
            // SAFETY: locked above.
            unsafe { SpinLock::unlock(&raw const self.lock) };
            return Some(Held(self));
        }
        note_place(&inside, at);
        let sg = Sudog::new(inside.g(), core::ptr::null_mut(), limit.is_some());
        // SAFETY: the lock is held, and the sudog stays on this frame until it has left the queue: it was dequeued, or is removed below.
        unsafe { self.waiters.push_back(&sg) };
        let Some(limit) = limit else {
            sudog::park(&inside, &self.lock, WaitReason::IoWait);
            return Some(Held(self));
        };
        if sudog::park_until(&inside, &self.lock, WaitReason::IoWait, limit) {
            return Some(Held(self));
        }
        self.lock.lock();
        // SAFETY: locked above, and the sudog was in this queue only.
        unsafe { self.waiters.remove(&sg) };
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        None
    }

    #[cold]
    fn hand_over(&self) {
        let _inside = enter();
        self.lock.lock();
        // SAFETY: locked above.
        let next = unsafe { self.waiters.dequeue() };
        if next.is_none() {
            // Release: pairs with the Acquire in `try_take`.
            self.word.store(FREE, Ordering::Release);
        }
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        if let Some(next) = next {
            next.wake(true);
        }
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the Acquire in `try_take`.
        if self.0.word.compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            self.0.hand_over();
        }
    }
}
