//! Sending and receiving for tasks of async code: a step at a time, and a ticket in place of a parked goroutine.
//!
//! *Why here.* Floor 7: `transfer` for those who do not park. `future::channel` makes futures of it.
//!
//! *Invariants.* CH1-CH5, TI1-TI4, TR1. TA1. While `is_waiting`, the ticket is Waiting or Ended; else it is the operation's alone.
//!
//! *Locks.* The channel's, then that of a timer heap.
//!
//! *Go:* none.

use core::cell::Cell;
use core::mem::MaybeUninit;
use core::panic::Location;
use core::task::{Context, Poll};
use std::sync::Arc;

use crate::channel::error::{RecvError, SendError};
use crate::channel::patience::Patience;
use crate::channel::select::operation::{Attempt, Operation};
use crate::channel::ticket::Ticket;
use crate::channel::transfer::{Offer, Unsent};
use crate::channel::{Receiver, Sender};
use crate::proc::proxy::CallWaker;
use crate::proc::{enter, timer};
use crate::sync::sudog::tickets::await_promise_as;
use crate::sync::sudog::{CANCELLED, Ended, Kind, TIMED_OUT, claimed, time_out, try_claim};

/// A receive that may have to wait.
pub(crate) struct Receiving<T> {
    ticket: Option<Arc<Ticket<T>>>,
    is_waiting: bool,
    /// The wait ends at a time, too.
    is_timed: bool,
    /// It was first in line when it was taken for a promise that was broken (CH2).
    in_front: bool,
    /// When a clock was first looked at (see `Clock::take`).
    since: Cell<i64>,
}

impl<T> Receiving<T> {
    /// One that has not begun.
    pub(crate) const fn new() -> Receiving<T> {
        Receiving { ticket: None, is_waiting: false, is_timed: false, in_front: false, since: Cell::new(0) }
    }
}

impl<T: Send + 'static> Receiving<T> {
    /// Goes on as far as it can. For user mode; `call` has a waker called there.
    pub(crate) fn poll(
        &mut self,
        receiver: &Receiver<T>,
        cx: &mut Context<'_>,
        call: CallWaker,
    ) -> Poll<Result<T, RecvError>> {
        loop {
            if self.is_waiting {
                let ticket = self.ticket.as_deref().expect("a wait has a ticket");
                if ticket.watch(cx.waker()) {
                    return Poll::Pending;
                }
            }
            let result = if self.is_waiting { self.end(receiver) } else { self.begin(receiver, call) };
            if let Some(result) = result {
                self.since.set(0);
                return Poll::Ready(result);
            }
        }
    }

    /// Tries, and gets in line if it would wait. None: it waits, or has got a ticket and tries again.
    fn begin(&mut self, receiver: &Receiver<T>, call: CallWaker) -> Option<Result<T, RecvError>> {
        let mut place = MaybeUninit::<T>::uninit();
        let inside = enter();
        let locked = receiver.half.lock();
        // SAFETY: the channel is locked, and the place is empty and for one T.
        let attempt = unsafe { receiver.attempt(place.as_mut_ptr().cast(), &self.since) };
        match (attempt, self.ticket.as_deref()) {
            (Attempt::Received(sender, spent), _) => {
                drop(locked);
                if let Some(sender) = sender {
                    sender.wake(true);
                }
                drop(inside);
                drop(spent);
                // SAFETY: the attempt says that the value is there.
                return Some(Ok(unsafe { place.assume_init() }));
            }
            (Attempt::Closed, _) => return Some(Err(RecvError)),
            (Attempt::Promised(promise), _) => {
                drop(locked);
                drop(inside);
                self.is_timed = false;
                self.is_waiting = true;
                let ticket = self.ticket.get_or_insert_with(|| Ticket::new(call));
                let sg = ticket.announce(Kind::Value, false);
                let inside = enter();
                // SAFETY: the ticket stays where it is until it was readied (TI1, TI2).
                unsafe { await_promise_as(&inside, promise, sg) };
            }
            (_, None) => {
                drop(locked);
                drop(inside);
                self.ticket = Some(Ticket::new(call));
            }
            (_, Some(ticket)) => {
                let due = receiver.due();
                let sg = ticket.announce(Kind::Value, due.is_some());
                let (queue, in_front) = (&receiver.half.recvq, core::mem::take(&mut self.in_front));
                // SAFETY: the channel is locked, and the ticket stays where it is until it was readied or has left the queue.
                unsafe { if in_front { queue.push_front(sg) } else { queue.push_back(sg) } };
                if let Some(when) = due {
                    timer::arm(&inside, &ticket.gp().timer, when, time_out);
                }
                self.is_timed = due.is_some();
                self.is_waiting = true;
            }
        }
        None
    }

    /// The wait has ended. None: it was in vain.
    fn end(&mut self, receiver: &Receiver<T>) -> Option<Result<T, RecvError>> {
        self.is_waiting = false;
        let ticket = self.ticket.as_deref().expect("a wait has a ticket");
        if self.is_timed {
            if claimed(ticket.gp()) == TIMED_OUT {
                let _inside = enter();
                let _locked = receiver.half.lock();
                // SAFETY: the channel is locked, and the sudog was queued here only.
                unsafe { receiver.half.recvq.remove(ticket.sudog()) };
                return None;
            }
            ticket.gp().timer.cancel();
        }
        match ticket.ended() {
            // SAFETY: a sender has written the value, and the ticket is ours alone.
            Ended::Done => Some(Ok(unsafe { ticket.take() })),
            Ended::Closed => Some(Err(RecvError)),
            Ended::Again => {
                self.in_front = true;
                None
            }
        }
    }

    /// Gives up. What was handed over meanwhile goes back to the channel. For user mode.
    pub(crate) fn cancel(&mut self, receiver: &Receiver<T>) {
        if !core::mem::replace(&mut self.is_waiting, false) {
            return;
        }
        let Some(ticket) = self.ticket.take() else { return };
        let mut is_ours = {
            let _inside = enter();
            let _locked = receiver.half.lock();
            // SAFETY: the channel is locked, and the sudog was queued here, if anywhere.
            unsafe { receiver.half.recvq.remove(ticket.sudog()) }
        };
        if self.is_timed {
            is_ours = try_claim(ticket.gp(), CANCELLED);
            ticket.gp().timer.cancel();
        }
        if !is_ours {
            ticket.give_up(Some(&receiver.half));
        }
    }
}

/// A send that may have to wait.
pub(crate) struct Sending<T> {
    /// What is to be sent, until it is in the ticket or sent.
    value: Option<T>,
    ticket: Option<Arc<Ticket<T>>>,
    is_waiting: bool,
}

impl<T> Sending<T> {
    /// One that has not begun.
    pub(crate) const fn new(value: Option<T>) -> Sending<T> {
        Sending { value, ticket: None, is_waiting: false }
    }

    /// Whether there is a value that is not sent yet.
    #[allow(dead_code, reason = "for sinks, which are an optional feature")]
    pub(crate) fn is_busy(&self) -> bool {
        self.is_waiting || self.value.is_some()
    }

    /// Gives it a value; the one before was sent.
    #[allow(dead_code, reason = "for sinks, which are an optional feature")]
    pub(crate) fn start(&mut self, value: T) {
        self.value = Some(value);
    }
}

impl<T: Send + 'static> Sending<T> {
    /// Goes on as far as it can; without a value it is done. For user mode; `call` has a waker called there.
    pub(crate) fn poll(
        &mut self,
        sender: &Sender<T>,
        cx: &mut Context<'_>,
        call: CallWaker,
    ) -> Poll<Result<(), SendError<T>>> {
        loop {
            if self.is_waiting {
                let ticket = self.ticket.as_deref().expect("a wait has a ticket");
                if ticket.watch(cx.waker()) {
                    return Poll::Pending;
                }
                self.is_waiting = false;
                return Poll::Ready(match ticket.ended() {
                    // The receiver has moved the value out (TR1).
                    Ended::Done => Ok(()),
                    // SAFETY: nobody has taken the value, and the ticket is ours alone. Receivers do not let senders down, so it is never `Again`.
                    Ended::Closed | Ended::Again => Err(SendError(unsafe { ticket.take() })),
                });
            }
            let Some(value) = self.value.take() else { return Poll::Ready(Ok(())) };
            match sender.half.send(value, Patience::None, Location::caller()) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(Unsent::Closed(value)) => return Poll::Ready(Err(SendError(value))),
                Err(Unsent::NoRoom(value)) => {
                    if let Some(result) = self.wait(sender, value, call) {
                        return Poll::Ready(result);
                    }
                }
            }
        }
    }

    /// Tries once more, and gets in line. None: it waits, or has the value back and tries again.
    fn wait(&mut self, sender: &Sender<T>, value: T, call: CallWaker) -> Option<Result<(), SendError<T>>> {
        let ticket = self.ticket.get_or_insert_with(|| Ticket::new(call));
        // SAFETY: the ticket is ours alone, and its place is empty.
        unsafe { ticket.place().write(value) };
        let _inside = enter();
        let locked = sender.half.lock();
        // SAFETY: the value is in the place, which is not used again if it was stored.
        match unsafe { sender.half.offer(&locked, ticket.place()) } {
            Offer::Stored => return Some(Ok(())),
            Offer::Hand(receiver) => {
                drop(locked);
                // SAFETY: the value is in the place, and the ticket is ours alone.
                let value = unsafe { ticket.take() };
                // SAFETY: a receiver's place is for one T and empty; it is ours until the ready (SU2).
                unsafe { receiver.elem().cast::<T>().write(value) };
                receiver.wake(true);
                return Some(Ok(()));
            }
            // SAFETY: as above.
            Offer::Closed => return Some(Err(SendError(unsafe { ticket.take() }))),
            // SAFETY: as above.
            Offer::NeedsBlock => self.value = Some(unsafe { ticket.take() }),
            Offer::NoRoom => {
                let sg = ticket.announce(Kind::Value, false);
                // SAFETY: the channel is locked, and the ticket stays where it is until it was readied or has left the queue.
                unsafe { sender.half.sendq.push_back(sg) };
                self.is_waiting = true;
            }
        }
        None
    }

    /// Gives up: what nobody has taken is dropped. For user mode.
    pub(crate) fn cancel(&mut self, sender: &Sender<T>) {
        if !core::mem::replace(&mut self.is_waiting, false) {
            return;
        }
        let Some(ticket) = self.ticket.take() else { return };
        let is_ours = {
            let _inside = enter();
            let _locked = sender.half.lock();
            // SAFETY: the channel is locked, and the sudog was queued here only.
            unsafe { sender.half.sendq.remove(ticket.sudog()) }
        };
        if is_ours {
            // SAFETY: nobody has taken the value, and nobody will.
            drop(unsafe { ticket.take() });
        } else {
            ticket.give_up(None);
        }
    }
}
