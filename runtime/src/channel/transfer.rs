//! Sending and receiving: a value goes into the buffer, or from hand to hand.
//!
//! *Why here.* Floor 7: the operations on `hchan`.
//!
//! Each operation has three layers. The first is inlined into the caller and does the common case: the buffer is neither empty nor full. The second
//! knows everything else that ends at once: a waiter on the other side, a closed channel, a buffer at its edge. The third waits.
//!
//! A value for a waiting receiver is copied into its frame, a value of a waiting sender out of its frame: between the dequeue and the ready
//! the frame is the dequeuer's (SU2), so the copy is made after the unlock.
//!
//! *Invariants.* CH1-CH4. TR1. A value is moved exactly once: into the buffer, into a receiver's frame, or back to the caller.
//!
//! *Locks.* The channel's.
//!
//! *Go:* `chansend`, `chanrecv`, `send`, `recv` of chan.go.

use core::mem::{ManuallyDrop, MaybeUninit};
use core::panic::Location;
use core::ptr::NonNull;

use crate::channel::buffer::Block;
use crate::channel::clock::Clock;
use crate::channel::hchan::{Hchan, Locked, NEVER};
use crate::channel::patience::{Limit, Patience};
use crate::gmp::WaitReason;
use crate::os;
use crate::proc::park::note_place;
use crate::proc::{Entered, enter};
use crate::sync::cancel::{self, Bounds, Ending};
use crate::sync::sudog::{self, Claimed, Ended, Sudog, WaitQueue};

/// A value that was not sent.
pub(super) enum Unsent<T> {
    /// There was no room in time, or before the end of what the operation waited within.
    NoRoom(T),
    /// The channel is closed.
    Closed(T),
}

/// Why nothing was received.
pub(super) enum Missed {
    /// Nothing came in time, or before the end of what the operation waited within.
    Nothing,
    /// The channel is closed and empty.
    Closed,
}

/// Why a step of a receive has yielded nothing.
enum Stop<'a> {
    Missed(Missed),
    /// A promise was broken: the receive begins again, with what is left of its patience.
    Again(Limit<'a>),
}

/// What a sender is to do.
pub(super) enum Offer {
    /// The value is in the buffer.
    Stored,
    /// Give the value to this receiver.
    Hand(Claimed),
    /// Come back with a block.
    NeedsBlock,
    NoRoom,
    Closed,
}

impl<T> Hchan<T> {
    /// Sends a value.
    #[inline(always)]
    pub(super) fn send(
        &self,
        value: T,
        patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<(), Unsent<T>> {
        let inside = patience.enter();
        let locked = self.lock();
        if locked.is_between() && !locked.is_closed() && locked.buffer().can_write() {
            // SAFETY: there is room, and the cursor need not be turned.
            unsafe { locked.buffer().write(value) };
            locked.set_len(locked.len() + 1);
            return Ok(());
        }
        self.send_at_edge(inside, locked, value, patience, at)
    }

    #[inline(never)]
    pub(super) fn send_at_edge(
        &self,
        inside: Entered,
        locked: Locked<'_, T>,
        value: T,
        patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<(), Unsent<T>> {
        let value = ManuallyDrop::new(value);
        // SAFETY: the value is not used again if the answer is that it was stored.
        match unsafe { self.offer(&locked, &raw const *value) } {
            Offer::Stored => Ok(()),
            Offer::Hand(receiver) => {
                drop(locked);
                // SAFETY: a receiver's place is for one T and empty; it is ours until the ready (SU2). The value is not used again (TR1).
                unsafe { receiver.elem().cast::<T>().write((&raw const *value).read()) };
                receiver.wake(true);
                Ok(())
            }
            Offer::Closed => Err(Unsent::Closed(ManuallyDrop::into_inner(value))),
            Offer::NoRoom => self.send_waiting(inside, locked, value, patience, at),
            Offer::NeedsBlock => {
                drop(locked);
                drop(inside);
                self.send_with_block(ManuallyDrop::into_inner(value), patience, at)
            }
        }
    }

    /// Finds out what becomes of a value.
    ///
    /// # Safety
    ///
    /// - `value` can be read; if the answer is `Stored`, it was moved out.
    pub(super) unsafe fn offer(&self, locked: &Locked<'_, T>, value: *const T) -> Offer {
        if locked.is_closed() {
            return Offer::Closed;
        }
        let len = locked.len();
        if len == 0 {
            // SAFETY: the channel is locked.
            if let Some(receiver) = unsafe { self.recvq.dequeue() } {
                return Offer::Hand(receiver);
            }
        }
        if locked.is_full() {
            return Offer::NoRoom;
        }
        let buffer = locked.buffer();
        if !buffer.can_write() && !buffer.turn_write() {
            return Offer::NeedsBlock;
        }
        // SAFETY: there is room, the cursor was turned, and the caller lets the value be moved.
        unsafe { buffer.write(value.read()) };
        locked.set_len(len + 1);
        Offer::Stored
    }

    /// The writer needs a block: allocates one outside of the runtime and starts again.
    #[cold]
    #[inline(never)]
    fn send_with_block(
        &self,
        value: T,
        patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<(), Unsent<T>> {
        let block = Block::new();
        let inside = enter();
        let locked = self.lock();
        let not_needed = locked.buffer().offer(block);
        // There is a spare block now, and the lock is held: this does not come back here.
        let result = self.send_at_edge(inside, locked, value, patience, at);
        drop(not_needed);
        result
    }

    #[cold]
    #[inline(never)]
    fn send_waiting(
        &self,
        inside: Entered,
        locked: Locked<'_, T>,
        value: ManuallyDrop<T>,
        patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<(), Unsent<T>> {
        let elem = (&raw const *value).cast_mut().cast::<()>();
        let Some(bounds) = patience.limit().bounds() else {
            return Err(Unsent::NoRoom(ManuallyDrop::into_inner(value)));
        };
        match self.wait(&inside, locked, Line::back(&self.sendq), elem, WaitReason::ChanSend, bounds, at) {
            // The receiver has moved the value out (TR1).
            Waited::Success => Ok(()),
            // Receivers do not let senders down, so this is never `Again`.
            Waited::Closed | Waited::Again => Err(Unsent::Closed(ManuallyDrop::into_inner(value))),
            Waited::InVain => Err(Unsent::NoRoom(ManuallyDrop::into_inner(value))),
        }
    }

    /// Receives a value.
    #[inline(always)]
    pub(super) fn recv(&self, patience: Patience<'_>, at: &'static Location<'static>) -> Result<T, Missed> {
        let inside = patience.enter();
        let locked = self.lock();
        if locked.is_between() && locked.buffer().can_read() {
            return Ok(take_between(&locked));
        }
        self.recv_at_edge(inside, locked, patience, at)
    }

    #[inline(never)]
    fn recv_at_edge<'a>(
        &'a self,
        inside: Entered,
        mut locked: Locked<'a, T>,
        mut patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<T, Missed> {
        let mut line = Line::back(&self.recvq);
        loop {
            if locked.len() != 0 {
                let read_to_end = if locked.buffer().can_read() { None } else { locked.buffer().turn_read() };
                let value = self.take_and_refill(locked);
                // A block that is left over is freed outside.
                drop(inside);
                drop(read_to_end);
                return Ok(value);
            }
            // SAFETY: the channel is locked.
            let step = if let Some(sender) = unsafe { self.sendq.dequeue() } {
                // Without a buffer the value goes from hand to hand.
                drop(locked);
                if !sender.is_promise() {
                    // SAFETY: a sender's place holds a T, which is ours until the ready (SU2), and which the sender then forgets (TR1).
                    let value = unsafe { sender.elem().cast::<T>().read() };
                    sender.wake(true);
                    return Ok(value);
                }
                recv_promised(&inside, sender, patience, at)
            } else if locked.is_closed() {
                return Err(Missed::Closed);
            } else if let Some(clock) = self.clock() {
                return self.recv_from_clock(clock, inside, locked, patience, at);
            } else {
                self.recv_waiting(&inside, locked, line, patience, at)
            };
            match step {
                Ok(value) => return Ok(value),
                Err(Stop::Missed(missed)) => return Err(missed),
                Err(Stop::Again(limit)) => patience = limit.patience(),
            }
            // It was first in line when it was taken for the promise (CH2).
            line.in_front = true;
            locked = self.lock();
        }
    }

    /// Takes the first value, of which there is one, and the cursor need not be turned. If a sender waits for room, it gets what this makes, and is to
    /// be readied.
    #[inline(always)]
    pub(super) fn take(&self, locked: &Locked<'_, T>) -> (T, Option<Claimed>) {
        let was_full = locked.is_full();
        let len = locked.len() - 1;
        // SAFETY: there is a value, and the callers have looked at the cursor.
        let value = unsafe { locked.buffer().read() };
        if was_full && let Some(sender) = self.refill(locked, len) {
            return (value, Some(sender));
        }
        locked.set_len(len);
        if len == 0 {
            locked.buffer().rewind();
        }
        (value, None)
    }

    /// As `take`; unlocks and readies the sender.
    #[inline(always)]
    fn take_and_refill(&self, locked: Locked<'_, T>) -> T {
        let (value, sender) = self.take(&locked);
        drop(locked);
        if let Some(sender) = sender {
            sender.wake(true);
        }
        value
    }

    #[cold]
    #[inline(never)]
    fn recv_waiting<'p>(
        &self,
        inside: &Entered,
        locked: Locked<'_, T>,
        line: Line<'_>,
        patience: Patience<'p>,
        at: &'static Location<'static>,
    ) -> Result<T, Stop<'p>> {
        let mut place = MaybeUninit::<T>::uninit();
        let limit = patience.limit();
        let reason = if self.has(NEVER) { WaitReason::ChanReceiveNil } else { WaitReason::ChanReceive };
        let Some(bounds) = limit.bounds() else { return Err(Stop::Missed(Missed::Nothing)) };
        match self.wait(inside, locked, line, place.as_mut_ptr().cast(), reason, bounds, at) {
            // SAFETY: success means that a sender has written the value.
            Waited::Success => Ok(unsafe { place.assume_init() }),
            Waited::Closed => Err(Stop::Missed(Missed::Closed)),
            Waited::InVain => Err(Stop::Missed(Missed::Nothing)),
            Waited::Again => Err(Stop::Again(limit)),
        }
    }

    /// Receives what a clock yields: waits until it is due, and takes it unless another receiver was faster.
    #[cold]
    #[inline(never)]
    fn recv_from_clock<'a>(
        &'a self,
        clock: &Clock<T>,
        inside: Entered,
        mut locked: Locked<'a, T>,
        patience: Patience<'_>,
        at: &'static Location<'static>,
    ) -> Result<T, Missed> {
        let (since, limit) = (os::nanotime(), patience.limit());
        loop {
            // Also after a wait that has ended in another way: nothing comes out of a clock that is closed.
            if locked.is_closed() {
                return Err(Missed::Closed);
            }
            let now = os::nanotime();
            if let Some(value) = clock.take(now, since) {
                return Ok(value);
            }
            let bounds = match limit {
                Limit::At(when) if when <= now => None,
                Limit::Within(cancel) if cancel.is_ended() => None,
                limit => limit.bounds(),
            };
            let bounds = bounds.ok_or(Missed::Nothing)?;
            let when = bounds.when.into_iter().chain(clock.due()).min();
            let (bounds, nowhere) = (Bounds { when, ..bounds }, NonNull::<T>::dangling().as_ptr().cast());
            // Nobody sends: this ends by the bounds, by a close, or because the clock was set.
            if let Waited::Closed =
                self.wait(&inside, locked, Line::back(&self.recvq), nowhere, WaitReason::ChanReceive, bounds, at)
            {
                return Err(Missed::Closed);
            }
            locked = self.lock();
        }
    }

    /// Queues the caller and parks it.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the callers differ in all of them")]
    pub(super) fn wait(
        &self,
        inside: &Entered,
        locked: Locked<'_, T>,
        Line { queue, in_front }: Line<'_>,
        elem: *mut (),
        reason: WaitReason,
        bounds: Bounds<'_>,
        at: &'static Location<'static>,
    ) -> Waited {
        note_place(inside, at);
        let sg = Sudog::new(inside.g(), elem, !bounds.are_none());
        // SAFETY: the channel is locked, and `sg` stays on this frame, which does not end before it has left the queue: readied by a dequeuer, or
        // removed below.
        unsafe { if in_front { queue.push_front(&sg) } else { queue.push_back(&sg) } };
        let served = match bounds {
            Bounds { when: None, cancel: None } => {
                sudog::park(inside, locked.keep(), reason);
                true
            }
            Bounds { when: Some(when), cancel: None } => sudog::park_until(inside, locked.keep(), reason, when),
            _ => cancel::park_queued(inside, bounds, locked.keep(), reason) == Ending::Served,
        };
        if !served {
            let _locked = self.lock();
            // SAFETY: the channel is locked, and `sg` was in this queue only.
            unsafe { queue.remove(&sg) };
            return Waited::InVain;
        }
        match sg.ended() {
            Ended::Done => Waited::Success,
            Ended::Closed => Waited::Closed,
            Ended::Again => Waited::Again,
        }
    }
}

/// A selecting sender has promised a value: waits for it.
#[cold]
#[inline(never)]
fn recv_promised<'p, T>(
    inside: &Entered,
    promise: Claimed,
    patience: Patience<'p>,
    at: &'static Location<'static>,
) -> Result<T, Stop<'p>> {
    let limit = patience.limit();
    let mut place = MaybeUninit::<T>::uninit();
    note_place(inside, at);
    if !sudog::await_promise(inside, promise, place.as_mut_ptr().cast(), WaitReason::ChanReceive) {
        return Err(Stop::Again(limit));
    }
    // SAFETY: the promiser has written the value.
    Ok(unsafe { place.assume_init() })
}

/// Where a waiter queues.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    queue: &'a WaitQueue,
    in_front: bool,
}

impl<'a> Line<'a> {
    /// Behind all others.
    fn back(queue: &'a WaitQueue) -> Line<'a> {
        Line { queue, in_front: false }
    }
}

/// How a wait ended.
pub(super) enum Waited {
    Success,
    Closed,
    /// Its bounds have ended it.
    InVain,
    /// It was readied without anything, and has to look again.
    Again,
}

/// Takes the first value where there is some room, too, so that no sender waits (CH1); the cursor need not be turned.
#[inline(always)]
fn take_between<T>(locked: &Locked<'_, T>) -> T {
    let len = locked.len() - 1;
    // SAFETY: there is a value, and the caller has looked at the cursor.
    let value = unsafe { locked.buffer().read() };
    locked.set_len(len);
    if len == 0 {
        locked.buffer().rewind();
    }
    value
}
