//! Who owns a channel: all handles of both sides together.
//!
//! *Why here.* Floor 7: under `Sender` and `Receiver`, which are thin.
//!
//! *Invariants.* HA1. A side is open while its count is above zero. The handle that takes the count to zero closes the channel; the second of the two
//! sides to get there frees it. HA2. A goroutine that is inside an operation borrows a handle, so nobody waits on a channel that is freed.
//!
//! *Locks.* None.
//!
//! *Go:* none, the collector does it.

use core::mem;
use core::ops::Deref;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::shim::{AtomicBool, AtomicUsize, Ordering};
use crate::base::throw::throw;
use crate::channel::buffer::Values;
use crate::channel::hchan::Hchan;
use crate::channel::ticket::Returned;

/// More handles than this can only be leaked ones.
const MOST_HANDLES: usize = isize::MAX as usize;

/// A channel with its counts.
#[repr(C)]
struct Shared<T> {
    chan: Hchan<T>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    /// One side has gone.
    is_half: AtomicBool,
}

impl<T> Shared<T> {
    fn count(&self, of_senders: bool) -> &AtomicUsize {
        if of_senders { &self.senders } else { &self.receivers }
    }
}

/// A handle of one side.
pub(super) struct Half<T, const SENDER: bool>(NonNull<Shared<T>>);

// SAFETY: what moves is a share of the channel, through which values move to other threads, so T must be Send; the counts are atomic.
unsafe impl<T: Send, const SENDER: bool> Send for Half<T, SENDER> {}
// SAFETY: a shared handle gives access to the channel, which is Sync for such T.
unsafe impl<T: Send, const SENDER: bool> Sync for Half<T, SENDER> {}

fn allocate<T>(chan: Hchan<T>, senders: usize) -> NonNull<Shared<T>> {
    let (senders, is_half) = (AtomicUsize::new(senders), AtomicBool::new(senders == 0));
    NonNull::from(Box::leak(Box::new(Shared { chan, senders, receivers: AtomicUsize::new(1), is_half })))
}

/// The two handles of a new channel.
pub(super) fn pair<T>(chan: Hchan<T>) -> (Half<T, true>, Half<T, false>) {
    let shared = allocate(chan, 1);
    (Half(shared), Half(shared))
}

/// The handle of a channel that has no senders and is not closed by that.
pub(super) fn lone_receiver<T>(chan: Hchan<T>) -> Half<T, false> {
    Half(allocate(chan, 0))
}

impl<T, const SENDER: bool> Half<T, SENDER> {
    #[inline(always)]
    fn shared(&self) -> &Shared<T> {
        // SAFETY: it is freed only after the last handle of both sides is gone (HA1), and this is one.
        unsafe { self.0.as_ref() }
    }

    /// Whether both are handles of the same channel.
    pub(super) fn is_same<const OTHER: bool>(&self, other: &Half<T, OTHER>) -> bool {
        self.0 == other.0
    }
}

impl<T, const SENDER: bool> Deref for Half<T, SENDER> {
    type Target = Hchan<T>;

    #[inline(always)]
    fn deref(&self) -> &Hchan<T> {
        &self.shared().chan
    }
}

impl<T, const SENDER: bool> Clone for Half<T, SENDER> {
    fn clone(&self) -> Self {
        // Relaxed: the new handle gets to other threads by something that orders.
        if self.shared().count(SENDER).fetch_add(1, Ordering::Relaxed) > MOST_HANDLES {
            throw("too many handles of a channel");
        }
        Half(self.0)
    }
}

impl<T, const SENDER: bool> Drop for Half<T, SENDER> {
    #[inline]
    fn drop(&mut self) {
        // AcqRel: whoever takes the count to zero has seen all that was done with the side's other handles.
        if self.shared().count(SENDER).fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end_side();
        }
    }
}

impl<T, const SENDER: bool> Half<T, SENDER> {
    /// This was the last handle of its side. Values that nobody can receive any more are dropped last: their destructors may panic.
    fn end_side(&mut self) {
        let shared = self.shared();
        shared.chan.disconnect();
        let left: Option<(Values<T>, Returned<T>)> =
            (!SENDER).then(|| (shared.chan.take_values(), shared.chan.take_returned()));
        // AcqRel: the second side sees all that the first has done.
        if shared.is_half.swap(true, Ordering::AcqRel) {
            // SAFETY: both sides are gone, so this is the only pointer; it came from a box (HA1).
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
        if let Some((values, returned)) = left {
            drop_each(values.chain(returned));
        }
    }
}

/// Drops values of users. A destructor that panics, or ends its goroutine, keeps none of the others from being dropped.
fn drop_each<I: Iterator>(values: I) {
    /// Those that are left when one has panicked. Who unwinds must not panic, so their panics end here.
    struct Rest<I: Iterator>(I);

    impl<I: Iterator> Drop for Rest<I> {
        fn drop(&mut self) {
            while let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.0.by_ref().for_each(drop))) {
                // The hook has said what there is to say. The payload may panic in its own destructor; what that one throws has none.
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
                mem::forget(dropped.err());
            }
        }
    }

    Rest(values).0.by_ref().for_each(drop);
}
