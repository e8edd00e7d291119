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
//! TU2. A waiter changes HELD to QUEUED and queues under one hold of the lock, so that whoever ends the turn finds it.
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

    /// Waits for the turn.
    #[inline]
    pub(crate) fn take(&self, at: &'static Location<'static>) -> Held<'_> {
        // Acquire: pairs with the Release in `drop`.
        if self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.queue(at);
        }
        Held(self)
    }

    #[cold]
    fn queue(&self, at: &'static Location<'static>) {
        let inside = enter_preemptible();
        self.lock.lock();
        // Acquire: as in `take`.
        if self.word.swap(QUEUED, Ordering::Acquire) == FREE {
            // SAFETY: locked above.
            return unsafe { SpinLock::unlock(&raw const self.lock) };
        }
        note_place(&inside, at);
        let sg = Sudog::new(inside.g(), core::ptr::null_mut(), false);
        // SAFETY: the lock is held, and the sudog stays on this frame until it was dequeued, which ends the park.
        unsafe { self.waiters.push_back(&sg) };
        sudog::park(&inside, &self.lock, WaitReason::IoWait);
    }

    #[cold]
    fn hand_over(&self) {
        let _inside = enter();
        self.lock.lock();
        // SAFETY: locked above.
        let next = unsafe { self.waiters.dequeue() };
        if next.is_none() {
            // Release: pairs with the Acquire in `take`.
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
        // Release: pairs with the Acquire in `take`.
        if self.0.word.compare_exchange(HELD, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            self.0.hand_over();
        }
    }
}
