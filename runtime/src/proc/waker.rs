//! The waker of a goroutine that waits for a future: a counted permit.
//!
//! *Why here.* Floor 5: it readies goroutines; `future::block_on` polls. `proc::proxy` knows these wakers from others and wakes them at once.
//!
//! A waker is cloned, kept, and called late, twice, and from threads of any kind. Each wait for a future therefore has a permit of its own, which
//! lives as long as the last clone: who calls late finds a permit that nobody waits for any more, and changes nothing else.
//!
//! *Invariants.* PE1, PE2 of `gmp::permit`. WK1. The data of a waker with [`VTABLE`] is a counted `Unparker`; the waker owns one count. WK2. While
//! the permit is parked the goroutine `gp` is in the wait that it belongs to: so `gp` means that goroutine whenever it is readied. WK3. Nobody waits for
//! a permit whose [`Waking`] has ended.
//!
//! *Locks.* None. *Go:* none.

use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{RawWaker, RawWakerVTable, Waker};
use std::sync::Arc;

use crate::gmp::g::Park;
use crate::gmp::permit::Permit;
use crate::gmp::{GPtr, WaitReason};
use crate::proc::park::goyield;
use crate::proc::{Entered, enter, gopark, goready};

/// What a waker gives: the right to go on.
pub(crate) struct Unparker {
    permit: Permit,
    gp: GPtr,
    is_over: AtomicBool,
}

/// All waits for a future, with what its polls are given.
pub(crate) struct Waking {
    pub(crate) unparker: Arc<Unparker>,
    pub(crate) waker: Waker,
}

impl Waking {
    /// For the calling goroutine, or plain thread.
    pub(crate) fn new() -> Waking {
        let unparker = Unparker::new(enter().g());
        let waker = Unparker::waker(&unparker);
        Waking { unparker, waker }
    }
}

impl Drop for Waking {
    fn drop(&mut self) {
        self.unparker.is_over.store(true, Ordering::Relaxed);
    }
}

/// How the wakers of this file are told from others.
static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, forget);

impl Unparker {
    /// For a wait of the goroutine, or of the plain thread.
    fn new(gp: GPtr) -> Arc<Unparker> {
        Arc::new(Unparker { permit: Permit::new(), gp, is_over: AtomicBool::new(false) })
    }

    /// A waker of it.
    fn waker(this: &Arc<Unparker>) -> Waker {
        let data = Arc::into_raw(Arc::clone(this)).cast();
        // SAFETY: the functions of the table keep the count (WK1), and what they touch is atomic or never changes.
        unsafe { Waker::new(data, &VTABLE) }
    }

    /// Whose waker it is, if it is one of these.
    pub(crate) fn of(waker: &Waker) -> Option<&Unparker> {
        let is_ours = core::ptr::eq(waker.vtable(), &VTABLE);
        // SAFETY: with this table the data is an `Unparker` (WK1), which lives as long as the waker that is borrowed.
        is_ours.then(|| unsafe { &*waker.data().cast::<Unparker>() })
    }

    /// Whether nobody will wait any more (WK3); if it is so only since a moment ago the answer may be no.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Waits until it was woken since the last wait. For the goroutine that it was made for.
    ///
    /// A future that has woken itself wants to let others go first.
    pub(crate) fn wait(&self, inside: &Entered) {
        if self.was_woken(inside) {
            return;
        }
        let Park { commit, arg, reason } = self.park();
        gopark(inside, reason, commit, arg);
        self.go_on();
    }

    /// The first half of `wait`: whether it was woken since the last one, and has let others go first.
    pub(crate) fn was_woken(&self, inside: &Entered) -> bool {
        let is_woken = self.permit.take();
        if is_woken {
            goyield(inside);
        }
        is_woken
    }

    /// The second half: how a goroutine parks that owns a count of it until it goes on. The last step is `go_on`.
    pub(crate) fn park(&self) -> Park {
        fn commit(_: GPtr, unparker: *mut ()) -> bool {
            // SAFETY: the goroutine that parks owns a count of it, and goes on only after the permit was given.
            unsafe { &*unparker.cast::<Unparker>() }.permit.commit()
        }
        Park { commit, arg: core::ptr::from_ref(self).cast_mut().cast(), reason: WaitReason::Future }
    }

    /// After the park: the permit is taken.
    pub(crate) fn go_on(&self) {
        self.permit.finish();
    }

    /// Wakes; the caller is inside, or on g0.
    pub(crate) fn give(&self) {
        if self.permit.give() {
            goready(self.gp);
        }
    }

    /// Wakes; the caller is anybody. A thread that the runtime does not know yet becomes known only if there is somebody to be readied.
    fn give_from_outside(&self) {
        if self.permit.give() {
            let inside = enter();
            goready(self.gp);
            drop(inside);
        }
    }
}

/// # Safety
///
/// - `data` is that of a waker with this table; it is not consumed.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: a counted `Unparker` (WK1), whose count the caller keeps.
    unsafe { Arc::increment_strong_count(data.cast::<Unparker>()) };
    RawWaker::new(data, &VTABLE)
}

/// # Safety
///
/// - As for `clone`, but it is consumed.
unsafe fn wake(data: *const ()) {
    // SAFETY: the waker's count becomes this one's (WK1).
    unsafe { Arc::from_raw(data.cast::<Unparker>()) }.give_from_outside();
}

/// # Safety
///
/// - As for `clone`.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the waker keeps its count (WK1): this one is not dropped.
    ManuallyDrop::new(unsafe { Arc::from_raw(data.cast::<Unparker>()) }).give_from_outside();
}

/// # Safety
///
/// - As for `wake`.
unsafe fn forget(data: *const ()) {
    // SAFETY: the waker's count ends here (WK1).
    drop(unsafe { Arc::from_raw(data.cast::<Unparker>()) });
}
