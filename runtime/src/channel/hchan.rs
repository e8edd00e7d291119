//! A channel: its lock, its buffer, its two queues of waiters, and its end.
//!
//! *Why here.* Floor 7. Sending and receiving are in `transfer`, the handles that own a channel in `half`.
//!
//! *Invariants.* CH1. Receivers wait only while there are no values, senders only while there is no room; so a sender that finds some
//! values and some room need not look at the queues, nor does a receiver. Without a buffer both hold at once, and each looks at the other's
//! queue. Room is what the buffer has beyond its values and beyond what is reserved for senders that have been promised a place (`promise`). CH2. A waiter gets what the operation at the head of the line gets: values and waiters are strictly first in, first out.
//! One exception: a receiver that was taken for a promise that is then broken has left the line. It goes back to its head, where of several the last one
//! comes first; what is sent before it is back goes to the next in line. CH3. Nobody
//! waits on a closed channel, and nothing is put into it; but a value that was handed to a task which then gave up comes back even then, and if there is
//! no room for it, it stands in the line of the senders, in front (`ticket`). CH4. While the lock is held no user code runs and nothing is allocated or freed.
//! CH5. An operation changes `len` once, when the buffer is as it will leave it, so that nobody sees a number that there never was.
//!
//! *Locks.* `lock`, rank 1, protects everything but the counters of `half`. `len`, `flags` and the heads of the queues are written under it and may
//! be read without it as hints. A waiter is readied after the unlock. Several channels are locked in address order (select).
//!
//! *Go:* `hchan`, `closechan` of chan.go.

use core::cell::UnsafeCell;
use core::mem::{self, ManuallyDrop};

use crate::base::shim::{AtomicU32, AtomicUsize, Ordering};
use crate::channel::buffer::{Buffer, Values};
use crate::channel::clock::Clock;
use crate::os;
use crate::proc::enter;
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{Claims, WaitQueue};

/// Nothing is put in any more: closed, or one side is gone.
pub(super) const CLOSED: u32 = 1;
/// `close` was called.
pub(super) const CLOSED_BY_CALL: u32 = 2;
/// The channel of `never`, which stands for Go's nil channel.
pub(super) const NEVER: u32 = 4;
/// The values come from a clock; nobody sends.
pub(super) const CLOCK: u32 = 8;
/// All receivers are gone.
pub(super) const NO_RECEIVERS: u32 = 32;
/// Room was reserved at some time.
pub(super) const PROMISES: u32 = 16;

/// Capacity of a channel without bounds.
const NO_BOUND: usize = usize::MAX;

/// A channel. The first 64 bytes are all that an operation needs which neither meets nor becomes a waiter.
#[repr(C)]
pub(crate) struct Hchan<T> {
    lock: SpinLock,
    flags: AtomicU32,
    /// Values in the buffer.
    len: AtomicUsize,
    /// How many there may be: the capacity, less what is reserved.
    room: AtomicUsize,
    buffer: UnsafeCell<Buffer<T>>,
    pub(super) recvq: WaitQueue,
    pub(super) sendq: WaitQueue,
    cap: usize,
    /// With the flag CLOCK, and only then.
    clock: Option<Box<Clock<T>>>,
}

// SAFETY: what moves with a channel are the values in it, which are Send.
unsafe impl<T: Send> Send for Hchan<T> {}
// SAFETY: shared access hands values from thread to thread, which T: Send permits; the buffer, the queues and the clock are reached only through `Locked`,
// and the lock orders one holder's accesses before the next one's.
unsafe impl<T: Send> Sync for Hchan<T> {}

impl<T> Hchan<T> {
    /// A channel with room for `cap` values.
    #[track_caller]
    pub(super) fn bounded(cap: usize) -> Hchan<T> {
        let bytes = cap.checked_mul(size_of::<T>().max(1));
        assert!(bytes.is_some_and(|bytes| bytes < isize::MAX as usize), "makechan: size out of range");
        Hchan::over(Buffer::ring(cap), cap, 0)
    }

    /// A channel that takes as many values as there is memory for.
    pub(super) fn unbounded() -> Hchan<T> {
        Hchan::over(Buffer::blocks(), NO_BOUND, 0)
    }

    /// A channel on which nothing ever happens.
    pub(super) fn never() -> Hchan<T> {
        Hchan::over(Buffer::ring(0), 0, NEVER)
    }

    /// A channel that a clock fills, with one value at a time.
    pub(super) fn clocked(clock: Clock<T>) -> Hchan<T> {
        let mut chan = Hchan::over(Buffer::ring(0), usize::from(clock.shows()), CLOCK);
        chan.clock = Some(Box::new(clock));
        chan
    }

    fn over(buffer: Buffer<T>, cap: usize, flags: u32) -> Hchan<T> {
        Hchan {
            lock: SpinLock::new(),
            flags: AtomicU32::new(flags),
            len: AtomicUsize::new(0),
            room: AtomicUsize::new(cap),
            buffer: UnsafeCell::new(buffer),
            recvq: WaitQueue::new(),
            sendq: WaitQueue::new(),
            cap,
            clock: None,
        }
    }

    /// Takes the lock. The caller is inside the runtime.
    #[inline(always)]
    pub(super) fn lock(&self) -> Locked<'_, T> {
        self.lock.lock();
        Locked { chan: self }
    }

    /// The lock itself, for those who lock several channels.
    pub(super) fn raw_lock(&self) -> &SpinLock {
        &self.lock
    }

    /// Stands for the lock that the caller holds, as a part of the locks of several channels.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock, and forgets the guard if it is to stay locked.
    pub(super) unsafe fn assume_locked(&self) -> ManuallyDrop<Locked<'_, T>> {
        ManuallyDrop::new(Locked { chan: self })
    }

    /// The clock that fills the channel, if one does.
    #[inline]
    pub(super) fn clock(&self) -> Option<&Clock<T>> {
        if self.has(CLOCK) { self.clock.as_deref() } else { None }
    }

    /// Values that can be received, as of some moment.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.clock().map_or_else(|| self.len(), |clock| usize::from(clock.shows() && clock.is_due(os::nanotime())))
    }

    /// Values in the buffer, as of some moment.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        // Acquire: pairs with the Release in `Locked::set_len`. What was done before the length became this is seen by the looks that follow.
        self.len.load(Ordering::Acquire)
    }

    /// The capacity; None without bounds.
    pub(super) fn capacity(&self) -> Option<usize> {
        (self.cap != NO_BOUND).then_some(self.cap)
    }

    /// Whether all of the buffer is used; always, if there is none.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.count() == self.cap
    }

    /// Whether some of `bits` are set.
    #[inline(always)]
    pub(super) fn has(&self, bits: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & bits != 0
    }

    /// Whether a send would wait, seen without the lock: there was a moment at which there was no room, nobody waited, and the channel was open.
    ///
    /// Without a buffer the look at the queue is that moment, with one the look at the length (CH1, CH5); the channel was open then, for it was so
    /// later. The Acquires make the looks follow each other.
    #[inline(always)]
    pub(super) fn looks_full(&self) -> bool {
        self.len() == self.cap && self.recvq.is_empty() && !self.has(CLOSED)
    }

    /// Whether a receive would wait; as `looks_full`. What a clock does is not seen without the lock. Nor is it certain where room is reserved: there a
    /// sender may wait although the buffer is empty, and may have filled it when the queue is looked at.
    #[inline(always)]
    pub(super) fn looks_empty(&self) -> bool {
        self.len() == 0 && self.sendq.is_empty() && !self.has(CLOSED | CLOCK)
    }

    /// As `looks_empty`, and certain.
    #[inline(always)]
    pub(super) fn is_surely_empty(&self) -> bool {
        // Room that was reserved by the first look has left its mark before it changed what was seen.
        self.len() == 0 && self.sendq.is_empty() && !self.has(CLOSED | CLOCK | PROMISES)
    }

    /// Go's `close`: wakes all receivers, which get what is left and then nothing, and all senders, which get their value back.
    #[track_caller]
    pub(super) fn close(&self) {
        assert!(!self.has(NEVER), "close of nil channel");
        assert!(self.shut(CLOSED_BY_CALL | CLOSED), "close of closed channel");
    }

    /// The last handle of one side is gone.
    pub(super) fn disconnect(&self) {
        if !self.has(CLOSED) {
            self.shut(CLOSED);
        }
    }

    /// Sets `bits`, of which at least CLOSED, and wakes everybody; false if that was done by a call before.
    #[cold]
    fn shut(&self, bits: u32) -> bool {
        let _inside = enter();
        let locked = self.lock();
        let before = self.flags.load(Ordering::Relaxed);
        if before & bits & CLOSED_BY_CALL != 0 {
            return false;
        }
        self.flags.store(before | bits, Ordering::Relaxed);
        // Receivers first, and the last one collected is woken first: each goes in front of the others on this P, so that the first one runs
        // first.
        let (mut waiters, mut returned) = (Claims::new(), Claims::new());
        for queue in [&self.recvq, &self.sendq] {
            // SAFETY: the channel is locked.
            while let Some(waiter) = unsafe { queue.dequeue() } {
                if waiter.is_returned() { returned.push_front(waiter) } else { waiters.push_front(waiter) }
            }
        }
        // The last one first, each in front of the others.
        while let Some(value) = returned.pop() {
            // SAFETY: the channel is locked, and it was dequeued here.
            unsafe { self.sendq.put_back(value) };
        }
        drop(locked);
        while let Some(waiter) = waiters.pop() {
            waiter.wake(false);
        }
        true
    }

    /// Takes out what nobody will receive, now that the receivers are gone, to be dropped by the caller when the channel may already be gone.
    pub(super) fn take_values(&self) -> Values<T> {
        let _inside = enter();
        let locked = self.lock();
        self.flags.store(self.flags.load(Ordering::Relaxed) | NO_RECEIVERS, Ordering::Relaxed);
        let len = self.len.swap(0, Ordering::Relaxed);
        let buffer = mem::replace(locked.buffer(), Buffer::blocks());
        Values { buffer, len }
    }
}

/// Proof that a channel is locked; dropping it unlocks.
pub(super) struct Locked<'a, T> {
    chan: &'a Hchan<T>,
}

impl<'a, T> Locked<'a, T> {
    /// The buffer.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "each use is one statement long, and only the holder of the lock has this value"
    )]
    pub(super) fn buffer(&self) -> &mut Buffer<T> {
        // SAFETY: the lock is held by the one owner of this guard, who makes no second reference while using one: no method of `Buffer` gets
        // at the channel.
        unsafe { &mut *self.chan.buffer.get() }
    }

    /// Values in the buffer.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.chan.len.load(Ordering::Relaxed)
    }

    /// Changes their number.
    #[inline(always)]
    pub(super) fn set_len(&self, len: usize) {
        // Release: pairs with the Acquire in `Hchan::len`.
        self.chan.len.store(len, Ordering::Release);
    }

    /// Whether the buffer holds some values and there is room for more, so that nobody waits (CH1).
    #[inline(always)]
    pub(super) fn is_between(&self) -> bool {
        let len = self.len();
        len != 0 && len < self.room()
    }

    /// Whether there is no room for a value.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.len() == self.room()
    }

    /// Whether there is room for a value, however many there are.
    pub(super) fn has_room(&self) -> bool {
        self.len() < self.room()
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.chan.room.load(Ordering::Relaxed)
    }

    /// Sets room aside for a sender that will come back, before the length shows that there is some (CH5). Without bounds there is always some.
    pub(super) fn reserve(&self) {
        if self.chan.cap != NO_BOUND {
            debug_assert!(self.room() != 0, "a reservation without room");
            if !self.chan.has(PROMISES) {
                self.chan.flags.store(self.chan.flags.load(Ordering::Relaxed) | PROMISES, Ordering::Relaxed);
            }
            self.chan.room.store(self.room() - 1, Ordering::Relaxed);
        }
    }

    /// Undoes a `reserve`.
    pub(super) fn unreserve(&self) {
        if self.chan.cap != NO_BOUND {
            debug_assert!(self.room() < self.chan.cap, "nothing was reserved");
            self.chan.room.store(self.room() + 1, Ordering::Relaxed);
        }
    }

    /// Whether nothing is put in any more.
    #[inline(always)]
    pub(super) fn is_closed(&self) -> bool {
        self.chan.has(CLOSED)
    }

    /// Leaves the channel locked for a park, whose commit unlocks it.
    #[inline(always)]
    pub(super) fn keep(self) -> &'a SpinLock {
        let chan = self.chan;
        mem::forget(self);
        &chan.lock
    }
}

impl<T> Drop for Locked<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this guard stands for the lock that was taken when it was made.
        unsafe { SpinLock::unlock(&raw const self.chan.lock) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::channel::promise::Right;

    #[test]
    fn an_empty_buffer_decides_nothing_once_room_was_reserved() {
        let chan = Hchan::<i32>::bounded(1);
        assert!(chan.looks_empty() && chan.is_surely_empty());
        let right = {
            let _inside = enter();
            chan.ask(&chan.lock())
        };
        assert!(matches!(right, Some(Right::Room)));
        assert!(chan.looks_empty() && !chan.is_surely_empty());
        chan.withdraw(Right::Room);
        assert!(!chan.is_surely_empty(), "a look may have begun before");
    }
}
