//! A goroutine in a queue of waiters, and the parking that belongs to it.
//!
//! *Why here.* Floor 7, shared by channels and locks: they differ in what they wait for, not in how.
//!
//! A sudog stands on the frame of the parked goroutine, so that waiting allocates nothing. It is in at most one queue, under the lock of that
//! queue's owner. There are two kinds:
//!
//! | `case` | who may ready the goroutine                                                                          |
//! |--------|------------------------------------------------------------------------------------------------------|
//! | 0      | whoever takes the sudog off the queue                                                                |
//! | n > 0  | whoever changes `gp.selected` from 0: a dequeuer to its `case`, a timer to [`TIMED_OUT`], a canceller to [`CANCELLED`] |
//!
//! The second kind is for goroutines that several may want to ready: timed waits, and selects, which have a sudog in every channel's queue.
//! A dequeuer that loses leaves the sudog unlinked and goes on to the next. A waiter that was readied by somebody else takes its remaining
//! sudogs off their queues, under their locks, before its frame dies.
//!
//! A task of async code waits with a sudog that is not on a frame but in a ticket (`channel::ticket`), which stays as it is just as long; what stands for
//! its goroutine is a G with a hook (`proc::proxy`).
//!
//! What a dequeuer gets depends on the waiter's [`Kind`]: a value or its place; a promise, which a selecting sender fulfils when it has
//! evaluated its message; or nothing, when the waiter only watches: it is readied by the way, and the next in line is taken.
//!
//! *Invariants.* SU1. `next`, `prev` and `queued` are under the queue owner's lock while the sudog is queued; from then on they belong to the
//! one who dequeued it, until it readies the goroutine. SU2. `elem` and `success` belong to the waiter, except between a successful dequeue and
//! the ready, when they are the dequeuer's. SU3. The frame stays as it is from the queuing until the goroutine is readied. SU4. A queue lets
//! receivers of one channel wait only while it is empty, senders only while it is full (see `channel::hchan`). SU5. Whoever takes a promise either
//! reserves what was promised or hands over a sudog of its own, before it readies the promiser.
//!
//! *Locks.* The queue owner's, rank 1; a timed park arms its timer under it (rank 3). Watchers, which only `Select::ready` makes, are readied
//! under it, everybody else after it.
//!
//! *Go:* `sudog`, `waitq`, `acquireSudog`; `selectDone` is `gp.selected`.

pub(crate) mod tickets;

use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr::{NonNull, null_mut};

use crate::base::shim::{AtomicPtr, Ordering};
use crate::gmp::timers::Timer;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::{Entered, gopark, goready, timer};
use crate::sync::spin::SpinLock;

/// `gp.selected`: nobody has claimed the waiter yet.
const UNCLAIMED: u32 = 0;
/// `gp.selected`: its time is up.
pub(crate) const TIMED_OUT: u32 = u32::MAX;
/// `gp.selected`: the context of the wait has ended (see `cancel`).
pub(crate) const CANCELLED: u32 = u32::MAX - 1;
/// `gp.selected`: a wait for one thing has got it.
pub(crate) const SERVED: u32 = 1;

/// What a waiter offers to the one who dequeues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `elem` is the value to be sent, or the place for the value received.
    Value,
    /// A value that does not exist yet. `elem` is a [`Partner`], for a receiver that needs it at once.
    Promise,
    /// Nothing: it wants to know that it would be dequeued.
    Watch,
    /// As `Value`, in a queue of senders: a value that was sent before and has come back (see `channel::ticket`). A close does not end its wait.
    Returned,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By a close; also, while it has not ended.
    Closed,
    /// With what was waited for.
    Done,
    /// Whoever had claimed the waiter could not go through with it: it has to look again.
    Again,
}

/// Where the receiver of a promised value puts itself, to be readied with the value in its place.
pub(crate) type Partner = Cell<Option<Claimed>>;

/// A waiter in a queue.
pub(crate) struct Sudog {
    /// Who waits.
    gp: GPtr,
    /// Which of several waits this is, from 1 on; 0 when it is the only one and has no time limit.
    case: u32,
    queued: Cell<bool>,
    ended: Cell<Ended>,
    kind: Kind,
    next: Cell<Option<NonNull<Sudog>>>,
    prev: Cell<Option<NonNull<Sudog>>>,
    /// See [`Kind`].
    elem: *mut (),
}

impl Sudog {
    /// A waiter with one wait, which ends by a dequeuer or, if `timed`, by a timer.
    #[inline(always)]
    pub(crate) fn new(gp: GPtr, elem: *mut (), timed: bool) -> Sudog {
        if timed {
            expect_claim(gp);
        }
        Sudog::for_case(gp, Kind::Value, elem, if timed { SERVED } else { 0 })
    }

    /// One of several waits of `gp`, which has announced them with [`expect_claim`].
    #[inline(always)]
    pub(crate) fn for_case(gp: GPtr, kind: Kind, elem: *mut (), case: u32) -> Sudog {
        let (next, prev) = (Cell::new(None), Cell::new(None));
        Sudog { gp, case, queued: Cell::new(false), ended: Cell::new(Ended::Closed), kind, next, prev, elem }
    }

    /// Whether the wait ended with what was waited for. For the waiter, after its park.
    #[inline(always)]
    pub(crate) fn succeeded(&self) -> bool {
        self.ended.get() == Ended::Done
    }

    /// How the wait ended. For the waiter, after its park.
    #[inline(always)]
    pub(crate) fn ended(&self) -> Ended {
        self.ended.get()
    }

    fn claim(&self) -> bool {
        try_claim(self.gp, self.case)
    }
}

/// Claims a waiter for `case`; true gives the right and the duty to ready it.
pub(crate) fn try_claim(gp: GPtr, case: u32) -> bool {
    // Relaxed: who wins is all that counts. Data is ordered by the queue's lock and by the status edge of the ready.
    gp.selected.compare_exchange(UNCLAIMED, case, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// Before a goroutine queues sudogs whose `case` is not 0.
#[inline(always)]
pub(crate) fn expect_claim(gp: GPtr) {
    // Relaxed: published by the lock under which the first sudog is queued.
    gp.selected.store(UNCLAIMED, Ordering::Relaxed);
}

/// A waiter that was dequeued: the right and the duty to ready it.
#[must_use]
pub(crate) struct Claimed(NonNull<Sudog>);

impl Claimed {
    /// The value's place (SU2).
    #[inline(always)]
    pub(crate) fn elem(&self) -> *mut () {
        // SAFETY: the frame lives until the goroutine is readied (SU3), which only this token may do.
        unsafe { self.0.as_ref() }.elem
    }

    /// Whether the waiter has only promised a value (SU5).
    #[inline(always)]
    pub(crate) fn is_promise(&self) -> bool {
        // SAFETY: as in `elem`.
        unsafe { self.0.as_ref() }.kind == Kind::Promise
    }

    /// Readies the waiter.
    #[inline(always)]
    pub(crate) fn wake(self, success: bool) {
        self.end(if success { Ended::Done } else { Ended::Closed });
    }

    /// Readies the waiter, who has to look again.
    pub(crate) fn wake_in_vain(self) {
        self.end(Ended::Again);
    }

    #[inline(always)]
    fn end(self, ended: Ended) {
        let gp = {
            // SAFETY: as in `elem`; the reference ends before the ready.
            let sg = unsafe { self.0.as_ref() };
            sg.ended.set(ended);
            sg.gp
        };
        goready(gp);
    }

    /// Readies a promiser, who is to give its value to `receiver`.
    fn hand(self, receiver: Claimed) {
        let partner = self.elem().cast::<Partner>();
        // SAFETY: a promise has a partner on its frame (see `Kind`), which lives until the ready (SU3) and is the dequeuer's until then (SU2).
        unsafe { (*partner).set(Some(receiver)) };
        self.wake(true);
    }
}

/// Parks the caller, who has dequeued `promise` and holds no lock, until the promised value is in the place `elem`. False: nothing will come,
/// and the caller has to look again. Nothing else can end this wait: the promiser is committed to this receiver.
#[cold]
pub(crate) fn await_promise(inside: &Entered, promise: Claimed, elem: *mut (), reason: WaitReason) -> bool {
    struct Handing {
        promise: Claimed,
        receiver: Claimed,
    }
    fn hand(_: GPtr, handing: *mut ()) -> bool {
        // SAFETY: the goroutine waits, and nobody knows its sudog yet: its frame lives. It is read once, by this only call.
        let Handing { promise, receiver } = unsafe { handing.cast::<Handing>().read() };
        promise.hand(receiver);
        true
    }
    let sg = Sudog::new(inside.g(), elem, false);
    let mut handing = ManuallyDrop::new(Handing { promise, receiver: Claimed(NonNull::from(&sg)) });
    gopark(inside, reason, hand, (&raw mut handing).cast());
    sg.succeeded()
}

/// Dequeued waiters on their way to being readied, linked through their sudogs (SU1).
pub(crate) struct Claims {
    first: Option<NonNull<Sudog>>,
    last: Option<NonNull<Sudog>>,
}

impl Claims {
    /// None yet.
    pub(crate) const fn new() -> Claims {
        Claims { first: None, last: None }
    }

    /// Puts one more in front.
    pub(crate) fn push_front(&mut self, waiter: Claimed) {
        // SAFETY: the token stands for a living frame (SU3), whose links are ours (SU1).
        unsafe { waiter.0.as_ref() }.next.set(self.first);
        self.first = Some(waiter.0);
        self.last.get_or_insert(waiter.0);
    }

    /// Puts one more behind the others.
    pub(crate) fn push_back(&mut self, waiter: Claimed) {
        // SAFETY: as in `push_front`.
        unsafe { waiter.0.as_ref() }.next.set(None);
        match self.last.replace(waiter.0) {
            // SAFETY: its token went into this list, so it was not readied yet.
            Some(last) => unsafe { last.as_ref() }.next.set(Some(waiter.0)),
            None => self.first = Some(waiter.0),
        }
    }

    /// Takes the first.
    pub(crate) fn pop(&mut self) -> Option<Claimed> {
        let sg = self.first?;
        // SAFETY: as in `push_back`.
        self.first = unsafe { sg.as_ref() }.next.get();
        if self.first.is_none() {
            self.last = None;
        }
        Some(Claimed(sg))
    }
}

/// A queue of waiters, first in first out; removal from the middle takes constant time.
pub(crate) struct WaitQueue {
    /// Atomic so that `is_empty` may look without the lock.
    first: AtomicPtr<Sudog>,
    last: Cell<Option<NonNull<Sudog>>>,
}

impl WaitQueue {
    /// An empty queue.
    pub(crate) const fn new() -> WaitQueue {
        WaitQueue { first: AtomicPtr::new(null_mut()), last: Cell::new(None) }
    }

    /// Whether nobody waits; without the lock only a hint.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // Acquire: pairs with the Release in `set_first`. A look at something else that follows sees what was done before the queue became so.
        self.first.load(Ordering::Acquire).is_null()
    }

    #[inline(always)]
    fn first(&self) -> Option<NonNull<Sudog>> {
        NonNull::new(self.first.load(Ordering::Relaxed))
    }

    #[inline(always)]
    fn set_first(&self, sg: Option<NonNull<Sudog>>) {
        // Release: pairs with the Acquire in `is_empty`.
        self.first.store(sg.map_or(null_mut(), NonNull::as_ptr), Ordering::Release);
    }

    /// Appends a waiter.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    /// - `sg` is in no queue, and stays where it is until it has left this one (SU3).
    #[inline(always)]
    pub(crate) unsafe fn push_back(&self, sg: &Sudog) {
        let (node, last) = (NonNull::from(sg), self.last.replace(Some(NonNull::from(sg))));
        sg.queued.set(true);
        sg.next.set(None);
        sg.prev.set(last);
        match last {
            // SAFETY: it is queued, so its frame lives (SU3), and its links are under the lock that the caller holds (SU1).
            Some(last) => unsafe { last.as_ref() }.next.set(Some(node)),
            None => self.set_first(Some(node)),
        }
    }

    /// Puts a waiter in front of all others.
    ///
    /// # Safety
    ///
    /// - As for `push_back`.
    pub(crate) unsafe fn push_front(&self, sg: &Sudog) {
        let (node, first) = (NonNull::from(sg), self.first());
        sg.queued.set(true);
        sg.next.set(first);
        sg.prev.set(None);
        match first {
            // SAFETY: as in `push_back`.
            Some(first) => unsafe { first.as_ref() }.prev.set(Some(node)),
            None => self.last.set(Some(node)),
        }
        self.set_first(Some(node));
    }

    /// Takes the first waiter that nobody else has claimed.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    #[inline(always)]
    pub(crate) unsafe fn dequeue(&self) -> Option<Claimed> {
        loop {
            let node = self.first()?;
            // SAFETY: it is queued, so its frame lives (SU3).
            let sg = unsafe { node.as_ref() };
            // SAFETY: the caller holds the lock, and `sg` is in this queue.
            unsafe { self.unlink(sg) };
            if sg.case == 0 || sg.claim() {
                if sg.kind != Kind::Watch {
                    return Some(Claimed(node));
                }
                Claimed(node).wake(true);
            }
        }
    }

    /// Whether [`WaitQueue::dequeue`] would find somebody: neither a watcher, nor one that was claimed elsewhere.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    pub(crate) unsafe fn has_taker(&self) -> bool {
        let mut node = self.first();
        while let Some(sg) = node {
            // SAFETY: it is queued, so its frame lives (SU3), and its links are under the lock that the caller holds (SU1).
            let sg = unsafe { sg.as_ref() };
            let is_claimed = sg.case != 0 && sg.gp.selected.load(Ordering::Relaxed) != UNCLAIMED;
            if sg.kind != Kind::Watch && !is_claimed {
                return true;
            }
            node = sg.next.get();
        }
        false
    }

    /// Takes the first waiter that nobody else has claimed, if `suits` its `elem`, read as a number. Whoever is before it and was claimed elsewhere
    /// keeps its place in the line until it has taken itself off. For queues
    /// without watchers.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    pub(crate) unsafe fn dequeue_if(&self, mut suits: impl FnMut(usize) -> bool) -> Option<Claimed> {
        loop {
            let node = self.first()?;
            // SAFETY: it is queued, so its frame lives (SU3).
            let sg = unsafe { node.as_ref() };
            if !suits(sg.elem.addr()) {
                return None;
            }
            // SAFETY: the caller holds the lock, and `sg` is in this queue.
            unsafe { self.unlink(sg) };
            if sg.case == 0 || sg.claim() {
                return Some(Claimed(node));
            }
        }
    }

    /// Takes a waiter off the queue whose wait has ended otherwise; false, and nothing is done, if a dequeuer has already unlinked it.
    ///
    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner.
    /// - `sg` was queued in this queue and in no other.
    pub(crate) unsafe fn remove(&self, sg: &Sudog) -> bool {
        let is_queued = sg.queued.get();
        if is_queued {
            // SAFETY: the caller holds the lock, and what is queued is in this queue.
            unsafe { self.unlink(sg) };
        }
        is_queued
    }

    /// # Safety
    ///
    /// - The caller holds the lock of the queue's owner, and `sg` is in this queue.
    #[inline(always)]
    unsafe fn unlink(&self, sg: &Sudog) {
        let (next, prev) = (sg.next.get(), sg.prev.get());
        match next {
            // SAFETY: a neighbour is queued, so its frame lives (SU3), and its links are under the same lock (SU1).
            Some(next) => unsafe { next.as_ref() }.prev.set(prev),
            None => self.last.set(prev),
        }
        match prev {
            // SAFETY: as above.
            Some(prev) => unsafe { prev.as_ref() }.next.set(next),
            None => self.set_first(next),
        }
        sg.queued.set(false);
    }
}

/// Parks the caller, whose sudog is queued under `lock`, until it is readied. The lock, which the caller holds, is freed on the way.
#[inline(always)]
pub(crate) fn park(inside: &Entered, lock: &SpinLock, reason: WaitReason) {
    fn unlock(_: GPtr, lock: *mut ()) -> bool {
        // SAFETY: the goroutine has locked it before it parked, and nothing else unlocks it.
        unsafe { SpinLock::unlock(lock.cast()) };
        true
    }
    gopark(inside, reason, unlock, core::ptr::from_ref(lock).cast_mut().cast());
}

/// As [`park`], at most until `when`; the sudog's `case` is not 0. False: the time was up, and the sudog may still be queued.
#[cold]
pub(crate) fn park_until(inside: &Entered, lock: &SpinLock, reason: WaitReason, when: i64) -> bool {
    struct Timed {
        lock: *const SpinLock,
        when: i64,
    }
    fn arm_and_unlock(gp: GPtr, timed: *mut ()) -> bool {
        // SAFETY: the goroutine waits, and nobody can ready it before the timer is armed and the lock free: its frame lives.
        let Timed { lock, when } = unsafe { timed.cast::<Timed>().read() };
        arm_on_g0(gp, when);
        // SAFETY: as in `park`. A waiter that has timed out meanwhile waits for this lock before it goes on.
        unsafe { SpinLock::unlock(lock) };
        true
    }
    let mut timed = Timed { lock, when };
    gopark(inside, reason, arm_and_unlock, (&raw mut timed).cast());
    claimed_in_time(inside.g()).is_some()
}

/// For the commit of a timed park: arms the time limit, before a lock under which the goroutine is queued is freed.
pub(crate) fn arm_on_g0(gp: GPtr, when: i64) {
    timer::arm_on_g0(gp, when, time_out);
}

/// After a timed park: who has claimed the goroutine, by its `case`; None if its time was up. Disarms the time limit.
pub(crate) fn claimed_in_time(gp: GPtr) -> Option<u32> {
    let case = claimed(gp);
    if case == TIMED_OUT {
        return None;
    }
    gp.timer.cancel();
    Some(case)
}

/// After a park: who has claimed the goroutine, by its `case`.
pub(crate) fn claimed(gp: GPtr) -> u32 {
    // Relaxed: the claim came before the ready, whose status edge orders it.
    gp.selected.load(Ordering::Relaxed)
}

/// The timer of a timed wait.
pub(crate) fn time_out(timer: NonNull<Timer>, _now: i64) {
    let gp = timer::goroutine_of(timer);
    let claimed = try_claim(gp, TIMED_OUT);
    // SAFETY: the timer is part of a G, which is never freed.
    unsafe { timer.as_ref() }.fired();
    if claimed {
        goready(gp);
    }
}

/// The time on the monotonic clock that is `wait` from now, ns; None if that is too far away to matter.
pub(crate) fn deadline(wait: core::time::Duration) -> Option<i64> {
    i64::try_from(wait.as_nanos()).ok().and_then(|ns| crate::os::nanotime().checked_add(ns))
}
