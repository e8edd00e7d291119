//! A queue of waiters with its lock, and whatever that lock protects besides: what the primitives of this module wait in.
//!
//! *Why here.* Floor 7: it makes queuing and parking safe to call, so that the primitives can be written without unsafe code.
//!
//! *Invariants.* QU1. State and queue are reached only through [`Locked`], whose holder has the lock. QU2. A waiter's sudog stands on the frame of
//! `Locked::wait`, which ends after the sudog has left the queue: taken off by a dequeuer, or, after a time-out, by the waiter. QU3. Nothing of the
//! queue is touched after an unlock that lets somebody go on who may free it; what is left to do then is in the waiter's frame. QU4. In a queue
//! whose waiters come by `wait_after`, the element of a sudog is its waiter's `Stage`, on the same frame and under the lock while the sudog is queued;
//! they are taken off by `notify_first` only.
//!
//! *Locks.* `lock`, rank 1, protects `state` and `waiters`; never two queues at once.
//!
//! *Go:* `semaRoot` and `notifyList` of sema.go, one for each primitive instead of a table by address.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::mem;
use core::ops::{Deref, DerefMut};
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use core::ptr;

use crate::gmp::WaitReason;
use crate::proc::Entered;
use crate::proc::park::note_place;
use crate::sync::cancel::{self, Bounds, Cancel, Ending};
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{self, Claimed, Claims, Sudog, WaitQueue};

/// A lock over a state and the waiters for its changes.
pub(crate) struct Queue<S> {
    lock: SpinLock,
    state: UnsafeCell<S>,
    waiters: WaitQueue,
}

// SAFETY: what moves is the state, which is Send; a queue that moves is not borrowed, so nobody waits in it.
unsafe impl<S: Send> Send for Queue<S> {}
// SAFETY: shared access reaches the state, which is Send, from one holder of the lock after the other; waiters are handles that any thread may ready.
unsafe impl<S: Send> Sync for Queue<S> {}

// A panic leaves no trace in a queue: no user code runs while it is locked.
impl<S> UnwindSafe for Queue<S> {}
impl<S> RefUnwindSafe for Queue<S> {}

/// How somebody waits.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    /// Shown by dumps.
    pub(crate) reason: WaitReason,
    /// The call that waits.
    pub(crate) at: &'static Location<'static>,
    /// When the wait ends at the latest, on the monotonic clock, ns.
    pub(crate) until: Option<i64>,
    /// What ends the wait by its own end.
    pub(crate) cancel: Option<&'a Cancel>,
    /// For the dequeuer.
    pub(crate) tag: usize,
    /// Before those who came earlier.
    pub(crate) in_front: bool,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Waited {
    /// A dequeuer woke the waiter.
    Woken,
    /// The time was up, or the wait was cancelled, and no dequeuer had the waiter.
    TimedOut,
}

/// How far a waiter of `wait_after` is (QU4).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Queued, with something still to do.
    Coming,
    /// Parked: whoever dequeues it readies it.
    Parked,
    /// Dequeued while it was coming: it will not park.
    Notified,
}

/// What has become of the first waiter.
#[must_use]
pub(crate) enum Notified {
    /// The caller readies it after the unlock.
    Parked(Claimed),
    /// It will not park: nothing is left to do.
    Coming,
}

impl<'a> Wait<'a> {
    /// A wait for good, behind the others.
    pub(crate) fn new(reason: WaitReason, at: &'static Location<'static>) -> Wait<'a> {
        Wait { reason, at, until: None, cancel: None, tag: 0, in_front: false }
    }

    /// A wait that these may end.
    pub(crate) fn within(reason: WaitReason, at: &'static Location<'static>, bounds: Bounds<'a>) -> Wait<'a> {
        Wait { until: bounds.when, cancel: bounds.cancel, ..Wait::new(reason, at) }
    }

    fn bounds(&self) -> Bounds<'a> {
        Bounds { when: self.until, cancel: self.cancel }
    }
}

impl<S> Queue<S> {
    /// An empty queue over `state`.
    pub(crate) const fn new(state: S) -> Queue<S> {
        Queue { lock: SpinLock::new(), state: UnsafeCell::new(state), waiters: WaitQueue::new() }
    }

    /// Whether nobody waits. Without the lock a hint; but whoever queued before something that the caller has synchronised with is seen.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Takes the lock. The caller is inside the runtime until it has given the lock back.
    #[inline]
    pub(crate) fn lock<'a>(&'a self, _inside: &'a Entered) -> Locked<'a, S> {
        self.lock.lock();
        Locked { queue: self }
    }
}

impl<S> fmt::Debug for Queue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

/// The lock of a queue; dropping it unlocks.
pub(crate) struct Locked<'a, S> {
    queue: &'a Queue<S>,
}

impl<'a, S> Locked<'a, S> {
    /// Takes the first waiter; the caller readies it after the unlock.
    #[inline]
    pub(crate) fn dequeue(&self) -> Option<Claimed> {
        // SAFETY: the lock is held (QU1).
        unsafe { self.queue.waiters.dequeue() }
    }

    /// Takes the first waiter if `suits` its tag.
    pub(crate) fn dequeue_if(&self, suits: impl FnMut(usize) -> bool) -> Option<Claimed> {
        // SAFETY: the lock is held (QU1).
        unsafe { self.queue.waiters.dequeue_if(suits) }
    }

    /// Takes all waiters, to be readied in the order they came.
    pub(crate) fn dequeue_all(&self) -> Claims {
        let mut all = Claims::new();
        while let Some(waiter) = self.dequeue() {
            all.push_back(waiter);
        }
        all
    }

    /// Whether nobody waits.
    pub(crate) fn nobody_waits(&self) -> bool {
        self.queue.waiters.is_empty()
    }

    /// Takes the first waiter of a queue whose waiters come by `wait_after` (QU4).
    pub(crate) fn notify_first(&self) -> Option<Notified> {
        let waiter = self.dequeue()?;
        // SAFETY: it is the waiter's stage, on its frame, which lives: parked, the waiter is not readied yet; coming, it needs the lock to go on (QU4).
        let stage = unsafe { &*waiter.elem().cast::<Cell<Stage>>() };
        if stage.get() == Stage::Parked {
            return Some(Notified::Parked(waiter));
        }
        stage.set(Stage::Notified);
        Some(Notified::Coming)
    }

    /// Queues the caller and parks it; the lock is given back on the way, when a dequeuer can find it. After a time-out the lock is held again.
    pub(crate) fn wait(self, inside: &'a Entered, how: &Wait<'_>) -> (Waited, Option<Locked<'a, S>>) {
        note_place(inside, how.at);
        let sg = Sudog::new(inside.g(), ptr::without_provenance_mut(how.tag), !how.bounds().are_none());
        let queue = self.queue;
        // SAFETY: locked, and the sudog stays on this frame until it has left the queue (QU2).
        unsafe { if how.in_front { queue.waiters.push_front(&sg) } else { queue.waiters.push_back(&sg) } };
        self.park(inside, how, &sg)
    }

    /// Queues the caller, gives the lock back, does `first`, and parks unless it was notified meanwhile. `first` does not park.
    pub(crate) fn wait_after(self, inside: &'a Entered, how: &Wait<'_>, first: impl FnOnce()) -> Waited {
        let stage = Cell::new(Stage::Coming);
        let sg = Sudog::new(inside.g(), (&raw const stage).cast_mut().cast(), !how.bounds().are_none());
        let queue = self.queue;
        // SAFETY: locked, and the sudog stays on this frame until it has left the queue (QU2).
        unsafe { queue.waiters.push_back(&sg) };
        drop(self);
        first();
        let locked = queue.lock(inside);
        if stage.get() == Stage::Notified {
            return Waited::Woken;
        }
        stage.set(Stage::Parked);
        note_place(inside, how.at);
        locked.park(inside, how, &sg).0
    }

    /// Parks the caller, whose sudog is queued.
    fn park(self, inside: &'a Entered, how: &Wait<'_>, sg: &Sudog) -> (Waited, Option<Locked<'a, S>>) {
        let queue = self.queue;
        mem::forget(self);
        let was_woken = match how.bounds() {
            Bounds { when: None, cancel: None } => {
                sudog::park(inside, &queue.lock, how.reason);
                true
            }
            Bounds { when: Some(when), cancel: None } => sudog::park_until(inside, &queue.lock, how.reason, when),
            bounds => cancel::park_queued(inside, bounds, &queue.lock, how.reason) == Ending::Served,
        };
        if was_woken {
            return (Waited::Woken, None);
        }
        let locked = queue.lock(inside);
        // SAFETY: locked, and the sudog was in this queue only.
        unsafe { queue.waiters.remove(sg) };
        (Waited::TimedOut, Some(locked))
    }
}

impl<S> Deref for Locked<'_, S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        // SAFETY: the lock is held (QU1).
        unsafe { &*self.queue.state.get() }
    }
}

impl<S> DerefMut for Locked<'_, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        // SAFETY: the lock is held, and this guard, of which there is one, is borrowed exclusively (QU1).
        unsafe { &mut *self.queue.state.get() }
    }
}

impl<S> Drop for Locked<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this guard stands for the lock that was taken when it was made.
        unsafe { SpinLock::unlock(&raw const self.queue.lock) };
    }
}

/// Readies waiters that were taken off a queue, after its unlock.
pub(crate) fn wake_all(mut waiters: Claims) {
    while let Some(waiter) = waiters.pop() {
        waiter.wake(true);
    }
}
