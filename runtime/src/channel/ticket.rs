//! What a task of async code holds while it waits at a channel, and what becomes of it when the task gives up.
//!
//! *Why here.* Floor 7: a goroutine waits with a sudog on its frame, which stays as it is until somebody readies it. A future may be dropped at any
//! moment. So its sudog is in a ticket, which is counted and can be left behind.
//!
//! The ticket's G has a hook: whoever readies it ends the wait, and wakes the task. If a task gives up while its sudog is queued, it takes it off. If
//! somebody has dequeued it already, it *abandons* the ticket: who readies it later finds nobody to wake, and has the ticket freed by a goroutine of the
//! runtime's own, since that may run user code.
//!
//! A value that was handed to a receiver which gives up is not lost: it is the first value of the channel again (`put_back`), before the send that handed
//! it over returns, or when the future is dropped. The next
//! receiver in line gets it, or else it goes to the front of the buffer. If there is no room, the last value of the buffer gives way and stands in
//! front of the line of the senders, as a sender that nobody waits for; without a buffer the value itself does. So the order is kept, except against what
//! was received meanwhile.
//!
//! | state       | meaning                                                     | may become                                     |
//! |-------------|-------------------------------------------------------------|------------------------------------------------|
//! | `Free`      | its owner's alone                                           | queued: `Waiting`; as a returned value: `Abandoned` |
//! | `Waiting`   | the sudog is queued or dequeued; its owner waits            | readied: `Ended`; given up: `Abandoned`, or freed if it was still queued |
//! | `Ended`     | somebody has readied it                                     | its owner has looked: `Free`                   |
//! | `Abandoned` | nobody waits; `waker` is the ticket itself                  | readied: freed                                 |
//!
//! *Invariants.* TI1. A ticket has one owner, who made it; in the state Abandoned its `waker` owns it. TI2. While it is Waiting or Abandoned, the sudog
//! and the place are as SU1-SU3 say; else they are the owner's. TI3. Who readies a ticket does not touch it after it has freed `lock`; the owner takes
//! that lock before it believes that the wait has ended. TI4. A ticket does not keep a channel
//! alive. Where it leads to one, the caller does: the receiver that gives up, or a sender that has taken the sudog, in the middle of its operation.
//!
//! *Locks.* `lock`, rank 1, after that of a channel; `state` and `waker` are under it.
//!
//! *Go:* none.

use core::cell::{Cell, UnsafeCell};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;
use core::task::Waker;
use std::sync::Arc;
use std::task::Wake;

use crate::channel::buffer::{Block, Buffer};
use crate::channel::hchan::{Hchan, Locked, NO_RECEIVERS};
use crate::gmp::GPtr;
use crate::proc::enter;
use crate::proc::proxy::{self, CallWaker, Hook};
use crate::proc::waker::Unparker;
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{Claims, Ended, Kind, SERVED, Sudog, expect_claim};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Waiting,
    Ended,
    Abandoned,
}

/// A place in the line of a channel, for a task.
#[repr(C)]
pub(crate) struct Ticket<T> {
    hook: Hook,
    lock: SpinLock,
    state: Cell<State>,
    waker: UnsafeCell<Option<Waker>>,
    call: CallWaker,
    gp: GPtr,
    sg: UnsafeCell<Option<Sudog>>,
    place: UnsafeCell<MaybeUninit<T>>,
    /// Of a receive that was given up: where a value goes back to, and a block that it may need there.
    channel: Cell<Option<NonNull<Hchan<T>>>>,
    block: UnsafeCell<Option<Box<Block<T>>>>,
    /// The place holds a value that is to be dropped with the ticket.
    is_left: Cell<bool>,
}

// SAFETY: what moves with a ticket is a value, which is Send, a block and a waker; the pointer is to a channel of such values.
unsafe impl<T: Send> Send for Ticket<T> {}
// SAFETY: who may touch what and when is said by TI1-TI3; `lock`, and the lock of the channel, order it.
unsafe impl<T: Send> Sync for Ticket<T> {}

/// The hook: the wait has ended.
///
/// # Safety
///
/// - `hook` is that of a `Ticket<T>` that is Waiting or Abandoned.
unsafe fn readied<T>(hook: *const Hook) {
    // SAFETY: the hook is the first field of a ticket, which lives until the lock is free (TI1, TI3).
    let ticket = unsafe { &*hook.cast::<Ticket<T>>() };
    let call = ticket.call;
    let (waker, is_abandoned) = ticket.locked(|state, waker| {
        if state.get() == State::Abandoned {
            return (waker.take(), true);
        }
        debug_assert_eq!(state.get(), State::Waiting, "a ticket was readied twice");
        state.set(State::Ended);
        match waker.as_ref().and_then(Unparker::of) {
            Some(unparker) => {
                // Under the lock, where it stays: here nothing can be dropped.
                unparker.give();
                (None, false)
            }
            None => (waker.take(), false),
        }
    });
    // If it was abandoned, this is the ticket's own waker, which keeps it alive.
    let waker = if is_abandoned { waker.and_then(|itself| ticket.settle(itself)) } else { waker };
    waker.into_iter().for_each(call);
}

impl<T> Ticket<T> {
    /// A new one; for user mode. `call` has a waker called in user mode.
    pub(super) fn new(call: CallWaker) -> Arc<Ticket<T>> {
        let gp = proxy::hooked();
        let ticket = Arc::new(Ticket {
            hook: Hook { ready: readied::<T> },
            lock: SpinLock::new(),
            state: Cell::new(State::Free),
            waker: UnsafeCell::new(None),
            call,
            gp,
            sg: UnsafeCell::new(None),
            place: UnsafeCell::new(MaybeUninit::uninit()),
            channel: Cell::new(None),
            block: UnsafeCell::new(None),
            is_left: Cell::new(false),
        });
        // Relaxed: published by the lock under which the sudog is queued.
        gp.extra.store(Arc::as_ptr(&ticket).cast_mut().cast(), Ordering::Relaxed);
        ticket
    }

    /// Runs `work` on the state and the waker. For those who are inside.
    fn locked<R>(&self, work: impl FnOnce(&Cell<State>, &mut Option<Waker>) -> R) -> R {
        self.lock.lock();
        // SAFETY: the waker is under the lock, and `work` does not get at the ticket.
        let result = work(&self.state, unsafe { &mut *self.waker.get() });
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        result
    }

    /// The G that stands for the task.
    pub(super) fn gp(&self) -> GPtr {
        self.gp
    }

    /// Where the value is or goes.
    pub(super) fn place(&self) -> *mut T {
        self.place.get().cast()
    }

    /// The sudog of a wait that begins; the caller, who owns the ticket, queues or hands it. `timed`: it has to be claimed.
    pub(super) fn announce(&self, kind: Kind, timed: bool) -> &Sudog {
        if timed {
            expect_claim(self.gp);
        }
        self.state.set(State::Waiting);
        let sg = Sudog::for_case(self.gp, kind, self.place().cast(), if timed { SERVED } else { 0 });
        // SAFETY: the ticket is the caller's alone (TI2).
        unsafe { (*self.sg.get()).insert(sg) }
    }

    /// The sudog of the wait.
    pub(super) fn sudog(&self) -> &Sudog {
        // SAFETY: it was written when the wait began, and is only shared since.
        unsafe { (*self.sg.get()).as_ref() }.expect("the wait has begun")
    }

    /// Has a waker called when the wait ends. False: it has ended, and the ticket is the owner's alone. For the owner, in user mode.
    pub(super) fn watch(&self, waker: &Waker) -> bool {
        let mut clone = None;
        loop {
            let inside = enter();
            let mut before = None;
            let answer = self.locked(|state, known| {
                if state.get() == State::Ended {
                    state.set(State::Free);
                    return Some(false);
                }
                if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
                    before = known.replace(clone.take()?);
                }
                Some(true)
            });
            drop(inside);
            drop(before);
            if let Some(answer) = answer {
                return answer;
            }
            // User code.
            clone = Some(waker.clone());
        }
    }

    /// How the wait ended. For the owner, after it has.
    pub(super) fn ended(&self) -> Ended {
        self.sudog().ended()
    }

    /// The value that it holds.
    ///
    /// # Safety
    ///
    /// - It holds one, and the ticket is the caller's alone.
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: the place holds a value and nobody else uses it, says the caller, who does not take it again (TR1).
        unsafe { self.place().read() }
    }
}

impl<T> Ticket<T> {
    /// The wait of a task that gave up has ended. Gives back the ticket's own waker, unless the ticket stays with the channel: who calls that in user mode
    /// frees it. For those who are inside.
    fn settle(&self, itself: Waker) -> Option<Waker> {
        let mut itself = Some(itself);
        match (self.channel.take(), self.ended()) {
            (Some(channel), Ended::Done) => {
                // SAFETY: the channel is that of a receiver who is borrowed, or of a sender who is in the middle of its operation (TI4).
                let channel = unsafe { channel.as_ref() };
                // If it is true, the ticket may be the channel's, or gone.
                if !channel.put_back(self, &mut itself) {
                    self.is_left.set(true);
                }
            }
            (Some(_), _) | (None, Ended::Done) => {}
            // It was a sender, whose value nobody has taken.
            (None, Ended::Closed | Ended::Again) => self.is_left.set(true),
        }
        itself
    }
}

impl<T: Send + 'static> Ticket<T> {
    /// Gives the wait up, whose sudog somebody has dequeued or claimed. A value that is handed over goes back to `channel`. For the owner, in user mode.
    pub(super) fn give_up(self: Arc<Self>, channel: Option<&Hchan<T>>) {
        self.channel.set(channel.map(NonNull::from));
        let block = channel.is_some_and(|channel| channel.capacity().is_none()).then(Block::new);
        // SAFETY: only the owner touches it before the ticket is abandoned.
        unsafe { *self.block.get() = block };
        let itself = Waker::from(Arc::clone(&self));
        let inside = enter();
        let (before, itself) = self.locked(|state, waker| {
            if state.get() == State::Ended {
                return (waker.take(), Some(itself));
            }
            state.set(State::Abandoned);
            (waker.replace(itself), None)
        });
        let unused = itself.and_then(|itself| self.settle(itself));
        drop(inside);
        drop(before);
        unused.into_iter().for_each(Waker::wake);
    }
}

/// The waker of an abandoned ticket: it is called in user mode, and frees the ticket.
impl<T: Send + 'static> Wake for Ticket<T> {
    fn wake(self: Arc<Self>) {
        if self.is_left.replace(false) {
            // SAFETY: the wait has ended, and nobody waits: the ticket is the caller's alone (TI2), with the value.
            drop(unsafe { self.take() });
        }
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        proxy::unhook(self.gp);
    }
}

impl<T> Hchan<T> {
    /// The value of a ticket, which is the caller's alone, was received by nobody: it becomes the first of the channel again. False: there are no receivers
    /// any more. `itself` is a waker of the ticket, which is used up if the ticket stays with the channel. The caller is inside.
    fn put_back(&self, ticket: &Ticket<T>, itself: &mut Option<Waker>) -> bool {
        let locked = self.lock();
        if self.has(NO_RECEIVERS) {
            return false;
        }
        let len = locked.len();
        if len == 0 {
            // SAFETY: the channel is locked.
            if let Some(receiver) = unsafe { self.recvq.dequeue() } {
                drop(locked);
                // SAFETY: the value is there, and nobody else uses the ticket any more.
                let value = unsafe { ticket.take() };
                // SAFETY: a receiver's place is for one T and empty; it is ours until the ready (SU2).
                unsafe { receiver.elem().cast::<T>().write(value) };
                receiver.wake(true);
                return true;
            }
        }
        if locked.has_room() {
            // SAFETY: as for the first `take`.
            let value = unsafe { ticket.take() };
            // SAFETY: the ticket is the caller's alone; what is not needed of it stays there.
            put_in_front(&locked, value, unsafe { &mut *ticket.block.get() });
        } else {
            self.give_way(&locked, ticket, itself);
        }
        true
    }

    /// There is no room: the value takes the place of the first, and what gives way stands in line for the room that comes.
    fn give_way(&self, locked: &Locked<'_, T>, ticket: &Ticket<T>, itself: &mut Option<Waker>) {
        if locked.len() != 0 {
            let buffer = locked.buffer();
            // SAFETY: only a ring can be full, and it has a value; `unread` follows.
            let last = unsafe { buffer.unwrite() };
            // SAFETY: the value is there, and nobody else uses the ticket.
            let value = unsafe { ticket.take() };
            // SAFETY: `unwrite` has made a slot free.
            unsafe { buffer.unread(value) };
            // SAFETY: the place is empty again.
            unsafe { ticket.place().write(last) };
        }
        let sg = ticket.announce(Kind::Returned, false);
        ticket.locked(|state, waker| {
            state.set(State::Abandoned);
            debug_assert!(waker.is_none(), "a waker would be dropped here");
            *waker = itself.take();
        });
        // SAFETY: the channel is locked, and the ticket, which owns itself now, does not end before it was readied (TI1).
        unsafe { self.sendq.push_front(sg) };
    }
}

/// Puts a value in front of the others, where there is room. Blocks may need another one: `block`.
fn put_in_front<T>(locked: &Locked<'_, T>, value: T, block: &mut Option<Box<Block<T>>>) {
    let (buffer, len) = (locked.buffer(), locked.len());
    let is_prepared = |buffer: &mut Buffer<T>| {
        if len == 0 { buffer.can_write() || buffer.turn_write() } else { buffer.can_unread() }
    };
    if !is_prepared(buffer) {
        *block = block.take().and_then(|block| buffer.offer(block));
        let is_prepared = is_prepared(buffer);
        assert!(is_prepared, "a block was missing and was offered");
    }
    if len == 0 {
        // SAFETY: there is room, and the cursor was turned.
        unsafe { buffer.write(value) };
    } else {
        // SAFETY: there are others, and room, and the buffer has said that it can.
        unsafe { buffer.unread(value) };
    }
    locked.set_len(len + 1);
}

/// Values that had come back, when the last receiver is gone: to be dropped with it.
pub(super) struct Returned<T> {
    tickets: Claims,
    values: PhantomData<T>,
}

impl<T> Hchan<T> {
    /// Takes out what has come back, to be dropped by the caller. There are no receivers any more, so the channel is closed and nobody else waits.
    pub(super) fn take_returned(&self) -> Returned<T> {
        let mut tickets = Claims::new();
        if !self.sendq.is_empty() {
            let _inside = enter();
            let _locked = self.lock();
            // SAFETY: the channel is locked.
            while let Some(ticket) = unsafe { self.sendq.dequeue() } {
                tickets.push_back(ticket);
            }
        }
        Returned { tickets, values: PhantomData }
    }
}

impl<T> Iterator for Returned<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let ticket = self.tickets.pop()?;
        // SAFETY: a returned value is in its place, which is ours until the ready (SU2).
        let value = unsafe { ticket.elem().cast::<T>().read() };
        let _inside = enter();
        ticket.wake(true);
        Some(value)
    }
}
