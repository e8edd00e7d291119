//! `gmp::barrier` as two `SeqCst` fences, which is what the real one falls back to.
//!
//! *What.* Loom has no `membarrier`. With it the cheap side is a compiler fence, and the kernel makes the thread pass a full fence
//! somewhere between two of its instructions. Wherever that is: before the store of `in_runtime`, the load of `attn` sees the
//! claim; after it, sysmon sees the store. The fence in the program's text, which loom runs, promises the same and no more.
//!
//! *Why here.* It stands in for floor 3.
//!
//! *Invariants.* B1 of the real one. Loom's `SeqCst` fences also order everything before the earlier fence ahead of everything
//! after the later one; what a thread does after its fence stays unordered, and that is where P is touched, so that the
//! models still see a missing Release or Acquire in `claim`.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use loom::sync::atomic::{Ordering, fence};

/// The cheap side.
pub(crate) fn light() {
    // SeqCst: pairs with the fence in `heavy`.
    fence(Ordering::SeqCst);
}

/// The expensive side.
pub(crate) fn heavy() {
    // SeqCst: pairs with the fence in `light`.
    fence(Ordering::SeqCst);
}
