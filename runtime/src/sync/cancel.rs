//! A wait that may also end by time or by a cancellation: who waits parks once, in two queues.
//!
//! *Why here.* Floor 7, under every operation with a `_ctx` or `_timeout` form; a context has one [`Cancel`].
//!
//! The waiter is queued where it waits with a sudog whose `case` is not 0, and with a second sudog, its *hook*, at the [`Cancel`]. Three may want to ready
//! it: a dequeuer, its timer, the canceller. Each has to change `gp.selected` first (see `sudog`), so one does. The waiter then takes its
//! sudogs off the queues of the other two, each under its lock and in constant time.
//!
//! *Invariants.* CA1. `ended` goes from false to true once, under the lock; nobody is queued after that. CA2. From the queuing of the hook until the
//! goroutine is parked the canceller's lock is held, so a claimed waiter is a parked one. CA3. A hook stands on the frame of `park_within`, which
//! ends after the hook has left the queue. CA4. A [`Cancel`] lives as long as anybody waits: the waiter borrows it.
//!
//! *Locks.* `lock`: after the lock of what is waited for, and nothing but a timer heap after it.
//!
//! *Go:* a `select` with `<-ctx.Done()`.

use core::fmt;
use core::ptr::null_mut;

use crate::base::shim::{AtomicBool, Ordering};
use crate::gmp::g::ParkCommit;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::{Entered, enter, gopark, timer};
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{
    CANCELLED, Claims, Kind, SERVED, Sudog, TIMED_OUT, WaitQueue, expect_claim, time_out, try_claim,
};

/// Something that ends once, and who waits for other things until then.
pub(crate) struct Cancel {
    ended: AtomicBool,
    lock: SpinLock,
    waiters: WaitQueue,
}

// SAFETY: what moves is a list of goroutines that wait, which are handles (`GPtr`) to be readied from any thread; while somebody waits nothing moves (CA4).
unsafe impl Send for Cancel {}
// SAFETY: the flag is an atomic, and the queue is touched under the lock only.
unsafe impl Sync for Cancel {}

impl Cancel {
    /// Not ended.
    pub(crate) const fn new() -> Cancel {
        Cancel { ended: AtomicBool::new(false), lock: SpinLock::new(), waiters: WaitQueue::new() }
    }

    /// Whether it has ended.
    #[inline]
    pub(crate) fn is_ended(&self) -> bool {
        // Acquire: pairs with the Release in `end`: what was stored before the end is seen.
        self.ended.load(Ordering::Acquire)
    }

    /// Ends it, and the waits of all who wait here.
    pub(crate) fn end(&self) {
        let _inside = enter();
        let mut waiters = Claims::new();
        self.lock.lock();
        // Release: pairs with the Acquire in `is_ended`.
        self.ended.store(true, Ordering::Release);
        // SAFETY: locked above.
        while let Some(waiter) = unsafe { self.waiters.dequeue() } {
            waiters.push_back(waiter);
        }
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
        while let Some(waiter) = waiters.pop() {
            waiter.wake(false);
        }
    }

    /// Queues a hook and keeps the lock; false, without the lock, if it has ended.
    fn enlist(&self, hook: &Sudog) -> bool {
        self.lock.lock();
        if self.ended.load(Ordering::Relaxed) {
            // SAFETY: locked above.
            unsafe { SpinLock::unlock(&raw const self.lock) };
            return false;
        }
        // SAFETY: locked above, and the hook's frame does not end before it has left the queue (CA3).
        unsafe { self.waiters.push_back(hook) };
        true
    }

    /// Takes a hook off that the canceller has not dequeued.
    fn delist(&self, hook: &Sudog) {
        self.lock.lock();
        // SAFETY: locked above, and the hook was queued here only.
        unsafe { self.waiters.remove(hook) };
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.lock) };
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("ended", &self.is_ended()).finish_non_exhaustive()
    }
}

/// What may end a wait, besides its success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds<'a> {
    /// Time of the monotonic clock, ns.
    pub(crate) when: Option<i64>,
    /// Ends the wait by its own end.
    pub(crate) cancel: Option<&'a Cancel>,
}

impl Bounds<'_> {
    /// Whether only success ends the wait.
    #[inline(always)]
    pub(crate) fn are_none(&self) -> bool {
        self.when.is_none() && self.cancel.is_none()
    }
}

/// How a bounded wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Ending {
    /// Who was waited for readied the waiter.
    Served,
    /// The time was up.
    TimedOut,
    /// The [`Cancel`] has ended.
    Cancelled,
}

impl Ending {
    /// For the waiter, after its park.
    fn of(gp: GPtr) -> Ending {
        match gp.selected.load(Ordering::Relaxed) {
            TIMED_OUT => Ending::TimedOut,
            CANCELLED => Ending::Cancelled,
            _ => Ending::Served,
        }
    }
}

/// What the commit of a bounded park needs; on the frame of the parked goroutine.
#[derive(Clone, Copy)]
struct Step {
    when: Option<i64>,
    cancel: Option<*const Cancel>,
    commit: ParkCommit,
    arg: *mut (),
}

/// Parks the caller, who has announced the claim ([`expect_claim`]) before it let itself be found, until it is served or `bounds` end the wait.
///
/// `commit` is the last step, after which the waiter can be served: it lets a queue's lock go, or publishes the waiter. It may return false if the wait
/// is over before it began, which counts as served; and it runs on the goroutine itself if the [`Cancel`] has ended already.
///
/// The waiter that was not served takes itself off where it waited. What `commit` does may come after the end of a wait with a time limit only: it is
/// ordered before the waiter goes on by a lock that `commit` frees and the waiter takes, or by the lock of a [`Cancel`].
#[cold]
pub(crate) fn park_within(
    inside: &Entered,
    bounds: Bounds<'_>,
    reason: WaitReason,
    commit: ParkCommit,
    arg: *mut (),
) -> Ending {
    let gp = inside.g();
    let hook = Sudog::for_case(gp, Kind::Value, null_mut(), CANCELLED);
    if let Some(cancel) = bounds.cancel
        && !cancel.enlist(&hook)
    {
        return cancelled_already(gp, commit, arg);
    }
    let cancel = bounds.cancel.map(core::ptr::from_ref);
    let mut step = Step { when: bounds.when, cancel, commit, arg };
    gopark(inside, reason, settle, (&raw mut step).cast());
    let ending = Ending::of(gp);
    if ending != Ending::TimedOut && bounds.when.is_some() {
        gp.timer.cancel();
    }
    if let Some(cancel) = bounds.cancel {
        // Also when the canceller has dequeued it: its lock, which it held while it did, is not to be held by `settle` any more (CA4).
        cancel.delist(&hook);
    }
    ending
}

/// The wait is over before it began: `commit` only lets go of what the caller holds, unless it serves the waiter after all.
fn cancelled_already(gp: GPtr, commit: ParkCommit, arg: *mut ()) -> Ending {
    // Before the commit, by which others may find the waiter, who is not parked.
    gp.selected.store(CANCELLED, Ordering::Relaxed);
    if commit(gp, arg) { Ending::Cancelled } else { Ending::Served }
}

/// Commit of the park: the timer first, which must be armed before anybody can ready the goroutine.
fn settle(gp: GPtr, step: *mut ()) -> bool {
    // SAFETY: the goroutine waits, and nobody can ready it before the timer is armed or `commit` has run: its frame lives.
    let Step { when, cancel, commit, arg } = unsafe { step.cast::<Step>().read() };
    if let Some(when) = when {
        timer::arm_on_g0(gp, when, time_out);
    }
    // A commit that does not publish the waiter claims it, unless the timer has been faster and will ready it.
    let is_parked = commit(gp, arg) || !try_claim(gp, SERVED);
    if let Some(cancel) = cancel {
        // SAFETY: `enlist` has locked it, and it lives until the waiter has had the lock after us (CA4).
        unsafe { SpinLock::unlock(&raw const (*cancel).lock) };
    }
    is_parked
}

/// Announces the claim for a wait that is not in any queue, and parks until `bounds` end it; see [`park_within`].
pub(crate) fn park_for(inside: &Entered, bounds: Bounds<'_>, reason: WaitReason) -> Ending {
    expect_claim(inside.g());
    park_within(inside, bounds, reason, |_, _| true, null_mut())
}

/// As `sudog::park` for a waiter with bounds: it is queued under `lock`, which the caller holds and which is freed on the way.
pub(crate) fn park_queued(inside: &Entered, bounds: Bounds<'_>, lock: &SpinLock, reason: WaitReason) -> Ending {
    fn unlock(_: GPtr, lock: *mut ()) -> bool {
        // SAFETY: the goroutine has locked it before it parked, and nothing else unlocks it.
        unsafe { SpinLock::unlock(lock.cast()) };
        true
    }
    park_within(inside, bounds, reason, unlock, core::ptr::from_ref(lock).cast_mut().cast())
}
