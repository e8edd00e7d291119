//! The seam for loom: atomics and cells by the names that a model replaces.
//!
//! **What.** Re-exports of the core atomics, and what else a model replaces. A file that is meant to be
//! modelled imports its atomics from here only; the models compile the same file against a `crate::base::shim` of
//! their own that is made of loom's types.
//!
//! **Why here.** Floor 1, below everything that has a protocol to be modelled.
//!
//! **Invariants.**
//! - SH1. The cell is a plain `UnsafeCell` at run time: `with` and `with_mut` are inlined to the pointer.
//!
//! **Locks.** None.
//!
//! **Go:** none.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};

pub(crate) use core::hint::spin_loop as hint_spin;

/// Rounds of spinning before a wait gives its CPU away: who is waited for may have lost its own.
const SPINS: u32 = 64;

/// One round of a wait that lasts microseconds at most, unless the other thread has lost its CPU.
pub(crate) fn backoff(rounds: &mut u32) {
    *rounds += 1;
    if *rounds > SPINS { std::thread::yield_now() } else { hint_spin() }
}

/// Slots of a P's run queue; the models choose a ring that is small enough to be filled.
pub(crate) const RUNQ_SIZE: usize = 256;
