//! What the body of a select stands on besides goroutines: channels without a buffer.
//!
//! *What.* The names of `channel` that `channel::select::search` uses. A channel is the rendezvous of `channel::transfer` in its shortest form, with the
//! runtime's lock and queues, so that a select over two of them can be explored; the runtime's own channels are in `tests/channels.rs`.
//!
//! *Why here.* It stands in for floor 7.
//!
//! *Invariants.* W1. What a lock protects is a plain cell: that the locks are held is what is modelled, not what they order.
//!
//! *Locks.* The runtime's spinning lock, one for each channel.
//!
//! *Go:* none.

use std::cell::Cell;

use crate::goroutines::LIMIT;
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{Claimed, Claims, Kind, WaitQueue};

/// How long a select may wait.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// Until [`crate::goroutines::pass`].
    Limited,
    Endless,
}

/// The same, after the wait has begun.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "some are only asked for")]
pub(crate) enum Limit {
    Passed,
    At(i64),
    Never,
}

impl Patience {
    pub(crate) fn limit(self) -> Limit {
        match self {
            Patience::Limited => Limit::At(LIMIT),
            Patience::Endless => Limit::Never,
        }
    }
}

impl Limit {
    pub(crate) fn until(self) -> Option<i64> {
        match self {
            Limit::At(when) => Some(when),
            Limit::Passed | Limit::Never => None,
        }
    }
}

/// Nothing is left over here.
pub(crate) trait Spent {}

/// The right to send.
pub(crate) enum Right {
    Room,
    Hand(Claimed),
    Closed,
}

/// See the runtime's.
#[allow(dead_code, reason = "some are only asked for")]
pub(crate) enum Attempt<'a> {
    Idle,
    Received(Option<Claimed>, Option<Box<dyn Spent + 'a>>),
    Promised(Claimed),
    Closed,
    MaySend(Right),
    Ready,
}

/// See the runtime's.
pub(crate) trait Operation {
    fn lock(&self) -> &SpinLock;
    fn queue(&self) -> &WaitQueue;
    fn kind(&self) -> Kind;
    fn due(&self) -> Option<i64> {
        None
    }
    fn looks_idle(&self) -> bool;
    fn is_surely_idle(&self) -> bool {
        self.looks_idle()
    }
    /// # Safety
    ///
    /// - The lock is held; `elem` is an empty place for a value.
    unsafe fn attempt(&self, elem: *mut (), since: &Cell<i64>) -> Attempt<'_>;
    /// # Safety
    ///
    /// - The lock is held.
    unsafe fn is_ready(&self) -> bool;
}

/// A channel without a buffer.
pub(crate) struct Chan {
    lock: SpinLock,
    recvq: WaitQueue,
    sendq: WaitQueue,
    closed: Cell<bool>,
}

// SAFETY: everything but the lock is under the lock (W1).
unsafe impl Sync for Chan {}
// SAFETY: as for Sync.
unsafe impl Send for Chan {}

impl Chan {
    pub(crate) fn new() -> Chan {
        let lock = SpinLock::new();
        // Loom takes the first look for a write (H1 of the shim).
        lock.lock();
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const lock) };
        Chan { lock, recvq: WaitQueue::new(), sendq: WaitQueue::new(), closed: Cell::new(false) }
    }

    fn locked<R>(&self, work: impl FnOnce() -> R) -> R {
        self.lock.lock();
        let result = work();
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        result
    }

    /// A plain send that does not wait; whether somebody got the value.
    pub(crate) fn try_send(&self, value: u32) -> bool {
        // SAFETY: locked meanwhile.
        let receiver = self.locked(|| unsafe { self.recvq.dequeue() });
        receiver.map(|receiver| hand(receiver, value)).is_some()
    }

    /// Ends it, as `Hchan::shut`.
    pub(crate) fn close(&self) {
        let mut waiters = Claims::new();
        self.locked(|| {
            self.closed.set(true);
            for queue in [&self.recvq, &self.sendq] {
                // SAFETY: locked meanwhile.
                while let Some(waiter) = unsafe { queue.dequeue() } {
                    waiters.push_front(waiter);
                }
            }
        });
        while let Some(waiter) = waiters.pop() {
            waiter.wake(false);
        }
    }

    /// Nobody is in a queue.
    pub(crate) fn is_left_by_all(&self) -> bool {
        self.locked(|| self.recvq.is_empty() && self.sendq.is_empty())
    }
}

/// Gives a receiver its value.
pub(crate) fn hand(receiver: Claimed, value: u32) {
    // SAFETY: a receiver's place is for a number, and ours until the ready (SU2).
    unsafe { receiver.elem().cast::<u32>().write(value) };
    receiver.wake(true);
}

/// A receive from a channel.
pub(crate) struct Recv<'a>(pub(crate) &'a Chan);

/// A send on a channel.
pub(crate) struct Give<'a>(pub(crate) &'a Chan);

impl Operation for Recv<'_> {
    fn lock(&self) -> &SpinLock {
        &self.0.lock
    }

    fn queue(&self) -> &WaitQueue {
        &self.0.recvq
    }

    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn looks_idle(&self) -> bool {
        false
    }

    unsafe fn attempt(&self, _: *mut (), _: &Cell<i64>) -> Attempt<'_> {
        // SAFETY: the caller holds the lock.
        match unsafe { self.0.sendq.dequeue() } {
            // Only selects send in these models while they wait.
            Some(sender) => Attempt::Promised(sender),
            None if self.0.closed.get() => Attempt::Closed,
            None => Attempt::Idle,
        }
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock.
        self.0.closed.get() || unsafe { self.0.sendq.has_taker() }
    }
}

impl Operation for Give<'_> {
    fn lock(&self) -> &SpinLock {
        &self.0.lock
    }

    fn queue(&self) -> &WaitQueue {
        &self.0.sendq
    }

    fn kind(&self) -> Kind {
        Kind::Promise
    }

    fn looks_idle(&self) -> bool {
        false
    }

    unsafe fn attempt(&self, _: *mut (), _: &Cell<i64>) -> Attempt<'_> {
        if self.0.closed.get() {
            return Attempt::MaySend(Right::Closed);
        }
        // SAFETY: the caller holds the lock.
        unsafe { self.0.recvq.dequeue() }.map_or(Attempt::Idle, |receiver| Attempt::MaySend(Right::Hand(receiver)))
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock.
        self.0.closed.get() || unsafe { self.0.recvq.has_taker() }
    }
}
