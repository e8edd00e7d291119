//! A send or a receive as a select sees it: whatever the type of the values.
//!
//! *Why here.* Floor 7: the select has one body for all channels; what depends on the type is behind this trait.
//!
//! *Invariants.* OP1. Between lock and unlock of the channel an operation runs no user code, and neither allocates nor frees (CH4): what is left
//! over goes out with the [`Attempt`].
//!
//! *Locks.* The channel's.
//!
//! *Go:* `scase`.

use core::alloc::Layout;
use core::cell::Cell;

use crate::channel::buffer::Spent;
use crate::channel::promise::Right;
use crate::channel::{Receiver, Sender};
use crate::os;
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{Claimed, Kind, WaitQueue};

/// What came of an attempt.
pub(crate) enum Attempt<'a> {
    /// The operation would wait.
    Idle,
    /// A value is in its place. A sender is to be readied after the unlock, and a block to be dropped outside.
    Received(Option<Claimed>, Option<Box<dyn Spent + 'a>>),
    /// A sender will bring the value if it is waited for.
    Promised(Claimed),
    /// Nothing will ever be received.
    Closed,
    /// A value may be sent.
    MaySend(Right),
    /// The operation would not wait; asked only by `ready`.
    Ready,
}

/// A send or a receive on a channel.
pub(crate) trait Operation {
    /// The channel's lock; its address stands for the channel.
    fn lock(&self) -> &SpinLock;

    /// Where the operation waits.
    fn queue(&self) -> &WaitQueue;

    /// What it offers while it waits.
    fn kind(&self) -> Kind;

    /// The place that a received value needs.
    fn place(&self) -> Layout;

    /// When a clock will have a value, ns of the monotonic clock.
    fn due(&self) -> Option<i64> {
        None
    }

    /// Whether it would wait; a hint, without the lock.
    fn looks_idle(&self) -> bool;

    /// Whether there was a moment just now at which it would have waited; looks without the lock, so may not know.
    fn is_surely_idle(&self) -> bool {
        self.looks_idle()
    }

    /// Does the operation, or its first step. `since` is when a clock was first looked at, 0 before.
    ///
    /// # Safety
    ///
    /// - The caller holds the channel's lock.
    /// - `elem` is an empty place of the layout [`Operation::place`].
    unsafe fn attempt(&self, elem: *mut (), since: &Cell<i64>) -> Attempt<'_>;

    /// Whether an attempt would do something.
    ///
    /// # Safety
    ///
    /// - The caller holds the channel's lock.
    unsafe fn is_ready(&self) -> bool;

    /// Gives back a right to send that was not used.
    fn withdraw(&self, right: Right);
}

impl<T> Operation for Receiver<T> {
    fn lock(&self) -> &SpinLock {
        self.half.raw_lock()
    }

    fn queue(&self) -> &WaitQueue {
        &self.half.recvq
    }

    fn kind(&self) -> Kind {
        Kind::Value
    }

    fn place(&self) -> Layout {
        Layout::new::<T>()
    }

    fn due(&self) -> Option<i64> {
        self.half.clock()?.due()
    }

    fn looks_idle(&self) -> bool {
        self.half.looks_empty()
    }

    fn is_surely_idle(&self) -> bool {
        self.half.is_surely_empty()
    }

    unsafe fn attempt(&self, elem: *mut (), since: &Cell<i64>) -> Attempt<'_> {
        let (chan, place) = (&*self.half, elem.cast::<T>());
        // SAFETY: the caller holds the lock, and this guard does not unlock.
        let locked = unsafe { chan.assume_locked() };
        if locked.len() != 0 {
            let spent = if locked.buffer().can_read() { None } else { locked.buffer().turn_read() };
            let (value, sender) = chan.take(&locked);
            // SAFETY: the place is empty and for one T, says the caller.
            unsafe { place.write(value) };
            return Attempt::Received(sender, spent.map(|block| block as Box<dyn Spent>));
        }
        // SAFETY: the channel is locked.
        if let Some(sender) = unsafe { chan.sendq.dequeue() } {
            if sender.is_promise() {
                return Attempt::Promised(sender);
            }
            // SAFETY: a sender's place holds a T, which is ours until the ready (SU2), and which the sender then forgets (TR1).
            let value = unsafe { sender.elem().cast::<T>().read() };
            // SAFETY: as for the first write.
            unsafe { place.write(value) };
            return Attempt::Received(Some(sender), None);
        }
        if locked.is_closed() {
            return Attempt::Closed;
        }
        let Some(clock) = chan.clock() else { return Attempt::Idle };
        let now = os::nanotime();
        if since.get() == 0 {
            since.set(now);
        }
        let Some(value) = clock.take(now, since.get()) else { return Attempt::Idle };
        // SAFETY: as for the first write.
        unsafe { place.write(value) };
        Attempt::Received(None, None)
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock, and this guard does not unlock.
        let locked = unsafe { self.half.assume_locked() };
        locked.len() != 0
            || locked.is_closed()
            // SAFETY: the channel is locked.
            || unsafe { self.half.sendq.has_taker() }
            || self.half.clock().is_some_and(|clock| clock.is_due(os::nanotime()))
    }

    fn withdraw(&self, _: Right) {
        unreachable!("a receiver has no right to send");
    }
}

impl<T> Operation for Sender<T> {
    fn lock(&self) -> &SpinLock {
        self.half.raw_lock()
    }

    fn queue(&self) -> &WaitQueue {
        &self.half.sendq
    }

    fn kind(&self) -> Kind {
        Kind::Promise
    }

    fn place(&self) -> Layout {
        Layout::new::<()>()
    }

    fn looks_idle(&self) -> bool {
        self.half.looks_full()
    }

    unsafe fn attempt(&self, _: *mut (), _: &Cell<i64>) -> Attempt<'_> {
        // SAFETY: the caller holds the lock, and this guard does not unlock.
        let locked = unsafe { self.half.assume_locked() };
        self.half.ask(&locked).map_or(Attempt::Idle, Attempt::MaySend)
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock, and this guard does not unlock.
        let locked = unsafe { self.half.assume_locked() };
        self.half.may_ask(&locked)
    }

    fn withdraw(&self, right: Right) {
        self.half.withdraw(right);
    }
}
