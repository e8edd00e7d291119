//! Sending in two steps: first the right to send without waiting, then the value.
//!
//! *Why here.* Floor 7: `select!` evaluates a message only when its case is chosen, and `SelectedOperation::send` is given one only then, so the choice
//! comes before the value. `transfer` sends in one step.
//!
//! With a buffer, the right is room that is set aside: nobody waits for it but senders who would have found the buffer full anyway. Without
//! one, it is a receiver that was taken off its queue and is kept for this sender. A sender that waits in a select promises a value instead
//! of bringing one; what becomes of the promise is up to the receiver that finds it:
//!
//! | the receiver                   | the promiser gets                                        | the receiver                    |
//! |--------------------------------|----------------------------------------------------------|---------------------------------|
//! | takes a value from the buffer  | the room that this has made                              | is done                         |
//! | finds no value                 | the receiver, which has parked ([`sudog::await_promise`]) | is readied with the value       |
//!
//! A promised value is sent when it is there. Until then a receiver that finds an empty buffer takes the value of a sender behind the promiser, if one
//! waits, rather than wait for a message that may take long.
//!
//! *Invariants.* PR1. Each right ends by exactly one `fulfil`, or, when the message or its evaluation fails, by a `withdraw`, which passes it on.
//!
//! *Locks.* The channel's.
//!
//! *Go:* none: there the value is evaluated before the choice.

use core::panic::Location;

use crate::channel::hchan::{Hchan, Locked};
use crate::channel::patience::Patience;
use crate::channel::transfer::Unsent;
use crate::proc::enter;
use crate::sync::sudog::{Claimed, Claims};

/// The right to send.
pub(super) enum Right {
    /// Room in the buffer is reserved.
    Room,
    /// This receiver waits.
    Hand(Claimed),
    /// There is none: the channel is closed.
    Closed,
}

impl<T> Hchan<T> {
    /// Gets the right to send, if it can be had now.
    pub(super) fn ask(&self, locked: &Locked<'_, T>) -> Option<Right> {
        if locked.is_closed() {
            return Some(Right::Closed);
        }
        if !locked.is_full() {
            locked.reserve();
            return Some(Right::Room);
        }
        if locked.len() != 0 {
            return None;
        }
        // Without a buffer, or with one that is reserved to the last place.
        // SAFETY: the channel is locked.
        unsafe { self.recvq.dequeue() }.map(Right::Hand)
    }

    /// Whether `ask` would succeed.
    pub(super) fn may_ask(&self, locked: &Locked<'_, T>) -> bool {
        // SAFETY: the channel is locked.
        locked.is_closed() || !locked.is_full() || locked.len() == 0 && unsafe { self.recvq.has_taker() }
    }

    /// Sends a value by right; gives it back if the channel is closed, before or since.
    pub(super) fn fulfil(&self, right: Right, value: T, at: &'static Location<'static>) -> Result<(), T> {
        match right {
            Right::Closed => Err(value),
            Right::Hand(receiver) => {
                let _inside = enter();
                // SAFETY: a receiver's place is for one T and empty; it is ours until the ready (SU2).
                unsafe { receiver.elem().cast::<T>().write(value) };
                receiver.wake(true);
                Ok(())
            }
            Right::Room => {
                let inside = enter();
                let locked = self.lock();
                locked.unreserve();
                let value = if locked.is_closed() { value } else { self.behind_returned(&locked, value) };
                match self.send_at_edge(inside, locked, value, Patience::None, at) {
                    Ok(()) => Ok(()),
                    Err(Unsent::Closed(value) | Unsent::NoRoom(value)) => Err(value),
                }
            }
        }
    }

    /// What has come back while room was reserved (see `ticket`) stands in line for it, and comes before a value that is sent since: the first of them
    /// is to be sent now, and `value` takes the place of the last.
    fn behind_returned(&self, _locked: &Locked<'_, T>, mut value: T) -> T {
        let mut returned = Claims::new();
        // SAFETY: the channel is locked.
        while let Some(ticket) = unsafe { self.sendq.dequeue_returned() } {
            returned.push_front(ticket);
        }
        while let Some(ticket) = returned.pop() {
            // SAFETY: its place holds a T, which is the dequeuer's (SU2), and nothing else refers to it.
            core::mem::swap(unsafe { &mut *ticket.elem().cast::<T>() }, &mut value);
            // SAFETY: the channel is locked, and it was dequeued here.
            unsafe { self.sendq.put_back(ticket) };
        }
        value
    }

    /// Gives a right back, and lets the next one have it (PR1).
    pub(super) fn withdraw(&self, right: Right) {
        let _inside = enter();
        match right {
            Right::Closed => {}
            // The queue may have moved on, so it is up to the receiver to find its place.
            Right::Hand(receiver) => receiver.wake_in_vain(),
            Right::Room => {
                let locked = self.lock();
                locked.unreserve();
                if let Some(sender) = self.refill(&locked, locked.len()) {
                    drop(locked);
                    sender.wake(true);
                }
            }
        }
    }

    /// There is room that some sender may wait for: gives it to the first one, who is then to be readied. The buffer holds `len` values, which the
    /// channel need not know yet: it is told at once what there is in the end (CH5). Without such a sender nothing is done.
    pub(super) fn refill(&self, locked: &Locked<'_, T>, len: usize) -> Option<Claimed> {
        // SAFETY: the channel is locked.
        let sender = unsafe { self.sendq.dequeue() }?;
        if sender.is_promise() {
            locked.reserve();
            locked.set_len(len);
            return Some(sender);
        }
        let buffer = locked.buffer();
        if !buffer.can_write() {
            // Only a ring can be full, and a ring turns without a block.
            buffer.turn_write();
        }
        // SAFETY: a sender's place holds a T, which is ours until the ready (SU2), and which the sender then forgets (TR1).
        let value = unsafe { sender.elem().cast::<T>().read() };
        // SAFETY: there is room, and the cursor was turned.
        unsafe { buffer.write(value) };
        locked.set_len(len + 1);
        Some(sender)
    }
}
