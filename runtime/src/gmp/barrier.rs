//! The asymmetric barrier between a goroutine's `enter` and sysmon's claim.
//!
//! *Why here.* Floor 3: only the claim protocol (`gmp::claim`) uses it; the loom models replace this file by two `SeqCst`
//! fences, which is what it falls back to.
//!
//! *Invariants.* B1. Between `light()` on one thread and `heavy()` on another there is a total order: what either wrote
//! before its barrier is seen by the other after its own, for at least one of the two.
//!
//! *Locks.* None.
//!
//! *Go:* no counterpart; Linux `membarrier(2)`, `MEMBARRIER_CMD_PRIVATE_EXPEDITED`.

use core::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

use crate::os;

/// Whether the kernel runs the barrier for us, so that `light()` costs nothing.
static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// Decides once, before the second thread starts, which kind of barrier is in force.
pub(crate) fn init() {
    ASYMMETRIC.store(os::membarrier_register(), Ordering::Relaxed);
}

/// The cheap side: a compiler fence where the kernel does the rest, else a full fence (B1).
#[inline(always)]
pub(crate) fn light() {
    if ASYMMETRIC.load(Ordering::Relaxed) {
        compiler_fence(Ordering::SeqCst);
    } else {
        // SeqCst: pairs with the fence in `heavy`; a StoreLoad barrier is what the protocol needs.
        fence(Ordering::SeqCst);
    }
}

/// The expensive side, about two microseconds: makes every running thread of the process pass a full barrier (B1).
pub(crate) fn heavy() {
    // SeqCst: pairs with the fence in `light` where membarrier is refused, and orders our own store before the loads after it.
    fence(Ordering::SeqCst);
    if ASYMMETRIC.load(Ordering::Relaxed) {
        os::membarrier();
        fence(Ordering::SeqCst);
    }
}
