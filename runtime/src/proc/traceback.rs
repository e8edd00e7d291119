//! Borrowing a parked goroutine's stack to look at it.
//!
//! *Why here.* Floor 5: the other half of `park::suspend`.
//!
//! Nothing can walk a stack from outside, so the goroutine walks its own: it is resumed in traceback mode, calls the look function where it would
//! have gone on, and suspends again. Its home and its wait do not change.
//!
//! *Invariants.* S2, S3. TC1. A goroutine in traceback mode calls the look function and suspends; nothing else of it runs.
//!
//! *Locks.* None.
//!
//! *Go:* `gentraceback` from outside, behind `castogscanstatus`.

use crate::gmp::{GPtr, MPtr, m};

/// Calls `look` on the stack of a suspended goroutine that the caller, a thread of the runtime that runs nothing, has dequeued.
pub(crate) fn on_own_stack(gp: GPtr, look: fn()) {
    let Some(mp) = m::current() else { return };
    debug_assert!(mp.curg().is_none(), "the thread runs something");
    // SAFETY: a goroutine that was dequeued is its dequeuer's (S1), and the caller has one that has run before and has not ended.
    unsafe { visit(mp, gp, look) };
}

/// Calls `look` on the stack of a parked goroutine. False when it is not parked (any more), waits without a stack, or the caller is no thread of the runtime.
pub(crate) fn on_stack_of(gp: GPtr, look: fn()) -> bool {
    let Some(mp) = m::current() else { return false };
    if mp.look.get().is_some() || !gp.status.try_scan() {
        return false;
    }
    // Only now: it may wait without a stack.
    let has_stack = !gp.yielder().is_null();
    if has_stack {
        // SAFETY: the scan bit makes the stack ours (S2), and where a waiting goroutine suspends it has a coroutine that has not finished.
        unsafe { visit(mp, gp, look) };
    }
    gp.status.end_scan();
    has_stack
}

/// Resumes a goroutine in traceback mode (TC1).
///
/// # Safety
///
/// - `mp` is the calling thread's, the goroutine is suspended, and its stack is the caller's for now.
unsafe fn visit(mp: MPtr, gp: GPtr, look: fn()) {
    let (curg, depth) = (mp.curg(), mp.claim.depth());
    mp.look.set(Some(look));
    mp.set_curg(Some(gp));
    let ashore = gp.fiber.board();
    // SAFETY: the coroutine is the caller's, as it says, and has not finished.
    let stopped = unsafe { (*gp.coro.get()).assume_init_mut() }.resume();
    gp.fiber.leave(ashore);
    debug_assert!(stopped.is_some(), "a goroutine ended in traceback mode (TC1)");
    mp.set_curg(curg);
    mp.claim.set_depth(depth.max(1));
    mp.look.set(None);
}
