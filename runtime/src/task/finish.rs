//! First and last words of a goroutine in user mode: run the closure, catch what comes out, leave the result.
//!
//! *Why here.* Floor 8: the generic shell around `proc::execute`'s monomorphic core.
//!
//! *Invariants.* J1, J2.
//!
//! *Locks.* None.
//!
//! *Go:* `goexit1`, and the end of `panic` for goroutines that nobody joins.

use core::any::Any;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::gmp::GPtr;
use crate::gmp::g::flag;
use crate::gmp::join_word::AtEnd;
use crate::proc::{Entered, enter, goready};
use crate::sync::sudog::{SERVED, try_claim};
use crate::task::{extra, goexit, join_task, panics, slot};

/// Entry of a goroutine without a handle.
///
/// # Safety
///
/// - The slot holds a packed `F`.
pub(crate) unsafe fn entry_go<F: FnOnce()>(gp: GPtr) {
    // SAFETY: the slot holds a packed `F`, says the caller, and this, the goroutine's first function, is called once.
    let f: F = unsafe { slot::take(gp.slot.get()) };
    drop(Entered::adopt());
    end_go(gp, catch_unwind(AssertUnwindSafe(f)));
}

/// The end of a goroutine without a handle, after its last words in user mode.
pub(crate) fn end_go(gp: GPtr, outcome: thread::Result<()>) {
    if let Err(payload) = outcome {
        if !goexit::is_goexit(&*payload) {
            panics::unobserved(payload);
        }
        gp.unset(flag::GOEXIT);
    }
    leave_user_mode(gp);
}

/// Entry of a goroutine with a handle.
///
/// # Safety
///
/// - The slot holds a packed `F`, and the handle reads a `thread::Result<T>`.
pub(crate) unsafe fn entry_spawn<F: FnOnce() -> T, T>(gp: GPtr) {
    // SAFETY: the slot holds a packed `F`, says the caller, and this, the goroutine's first function, is called once.
    let f: F = unsafe { slot::take(gp.slot.get()) };
    drop(Entered::adopt());
    prepare_goexit::<T>(gp);
    end_spawn::<T>(gp, catch_unwind(AssertUnwindSafe(f)));
}

/// Before the first words of a goroutine with a handle: what a goexit does where nothing unwinds.
#[inline(always)]
pub(crate) fn prepare_goexit<T>(gp: GPtr) {
    if cfg!(panic = "abort") && !gp.has(flag::BORROWS) {
        gp.entry.set(Some(stopped::<T>));
    }
}

/// The end of a goroutine with a handle, after its last words in user mode but destructors.
#[inline]
pub(crate) fn end_spawn<T>(gp: GPtr, outcome: thread::Result<T>) {
    let result = outcome.map_err(translate);
    gp.unset(flag::GOEXIT);
    let words = slot::pack(result);
    drop_locals(gp);
    let (before, joiner) = leave_result::<T>(gp, words);
    if before.has_no_handle() || before.is_task() {
        // A destructor or a waker may have made locals, which must not be found by the next life of the G.
        drop_locals(gp);
    }
    let inside = enter();
    if let Some(joiner) = joiner {
        goready(joiner);
    }
    core::mem::forget(inside);
}

/// Publishes the result, or drops it if the handle is gone; returns what was in the join word, and who is to be readied.
fn leave_result<T>(gp: GPtr, words: slot::Slot) -> (AtEnd, Option<GPtr>) {
    // SAFETY: the closure was taken out, and until DONE is set nobody else reads the slot.
    unsafe { slot::put(gp.slot.get(), words) };
    let before = gp.join.finish();
    let joiner = if before.is_task() {
        join_task::wake(before.address());
        None
    } else {
        claim_joiner(gp, before)
    };
    if before.has_no_handle() {
        // SAFETY: the handle is gone, so the result is ours (J1).
        drop_quietly::<T>(unsafe { slot::take(gp.slot.get()) });
    }
    (before, joiner)
}

/// What a goexit leaves to the joiner where nothing unwinds: the goroutine stops where it is, and its stack stays as it is.
///
/// # Safety
///
/// - The goroutine is one of `entry_spawn` with the same `T`, and goes nowhere any more.
unsafe fn stopped<T>(gp: GPtr) {
    let result: thread::Result<T> = Err(Box::new(goexit::Goexit::new()));
    let (_, joiner) = leave_result::<T>(gp, slot::pack(result));
    let inside = enter();
    if let Some(joiner) = joiner {
        goready(joiner);
    }
    drop(inside);
}

/// The payload of a goexit becomes the public type.
fn translate(payload: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    if goexit::is_goexit(&*payload) { Box::new(goexit::Goexit::new()) } else { payload }
}

/// Who waits for the end and is to be readied by this goroutine, if somebody does.
#[inline]
fn claim_joiner(gp: GPtr, before: AtEnd) -> Option<GPtr> {
    let joiner = GPtr::from_raw(core::ptr::with_exposed_provenance_mut(before.address()))?;
    if !before.must_claim() {
        return Some(joiner);
    }
    let claimed = try_claim(joiner, SERVED);
    gp.join.pass();
    claimed.then_some(joiner)
}

/// Last step in user mode: locals are dropped, then the goroutine is inside for good.
#[inline]
pub(crate) fn leave_user_mode(gp: GPtr) {
    drop_locals(gp);
    core::mem::forget(enter());
}

#[inline]
fn drop_locals(gp: GPtr) {
    if !gp.extra.load(Ordering::Relaxed).is_null() {
        drop_extra(gp);
    }
}

/// Until there is none: a local whose destructor ends by a goexit is gone, the others are not yet (XT2).
#[cold]
fn drop_extra(gp: GPtr) {
    while let Err(payload) = catch_unwind(AssertUnwindSafe(|| extra::drop_extra(gp))) {
        if !goexit::is_goexit(&*payload) {
            panics::unobserved(payload);
        }
        gp.unset(flag::GOEXIT);
    }
}

/// Drops a result that nobody takes; a panic of its destructor is nobody's either. A goexit is its goroutine's, which goes on with it at its next
/// operation that may park, unless it ends here anyhow.
pub(crate) fn drop_quietly<T>(result: thread::Result<T>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(result)))
        && !goexit::is_goexit(&*payload)
    {
        panics::unobserved(payload);
    }
}
