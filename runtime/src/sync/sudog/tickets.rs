//! Waiters that no goroutine stands behind: tasks, and values that have come back.
//!
//! *Why here.* Floor 7: what only tickets (`channel::ticket`) need of sudogs and their queues.
//!
//! *Invariants.* SU1-SU5, with a ticket in the place of the frame.
//!
//! *Locks.* The queue owner's.
//!
//! *Go:* none.

use core::ptr::NonNull;

use crate::proc::Entered;
use crate::sync::sudog::{Claimed, Kind, Sudog, WaitQueue};

impl Claimed {
    /// Whether it stands for a value that has come back.
    pub(crate) fn is_returned(&self) -> bool {
        // SAFETY: as in `elem`.
        unsafe { self.0.as_ref() }.kind == Kind::Returned
    }
}

/// Gives `promise` a receiver that does not park: whoever fulfils it readies the waiter of `sg`, which is in no queue.
///
/// # Safety
///
/// - `sg` stays where it is until its waiter is readied (SU3).
#[cold]
pub(crate) unsafe fn await_promise_as(_inside: &Entered, promise: Claimed, sg: &Sudog) {
    promise.hand(Claimed(NonNull::from(sg)));
}

impl WaitQueue {
    /// Takes the first waiter, if it stands for a value that has come back.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    pub(crate) unsafe fn dequeue_returned(&self) -> Option<Claimed> {
        let node = self.first()?;
        // SAFETY: it is queued, so its ticket lives (SU3).
        let sg = unsafe { node.as_ref() };
        if sg.kind != Kind::Returned {
            return None;
        }
        // SAFETY: the caller holds the lock, and `sg` is in this queue.
        unsafe { self.unlink(sg) };
        Some(Claimed(node))
    }

    /// Puts one back in front that was dequeued.
    ///
    /// # Safety
    ///
    /// - As for `push_back`; it was claimed by its dequeue only.
    pub(crate) unsafe fn put_back(&self, waiter: Claimed) {
        // SAFETY: its frame lives as long as nobody readies it (SU3), and the caller holds the lock.
        unsafe { self.push_front(waiter.0.as_ref()) };
    }
}
