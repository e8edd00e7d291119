//! Who may use a P: the protocol between a goroutine that enters the runtime and sysmon that retakes its P.
//!
//! *Why here.* Floor 3: two words of an M and total operations on them. When to claim is decided in `sysmon`; what a
//! goroutine does that lost its P is decided in `proc::enter`.
//!
//! A goroutine in user code does not touch its P, so sysmon may take it away without stopping anything. The two words:
//!
//! | `in_runtime` | `attn`        | meaning                                                         |
//! |--------------|---------------|-----------------------------------------------------------------|
//! | 0            | -             | user code; sysmon may claim                                     |
//! | 0            | CLAIM         | a claim in flight that will be resolved to LOST or withdrawn     |
//! | 0            | LOST          | user code without a P                                           |
//! | > 0          | -             | inside the runtime (g0 always is)                               |
//! | > 0          | CLAIM         | in flight; becomes withdrawn, unless the store of `in_runtime` came too late: wait |
//! | > 0          | LOST          | entered without a P: `proc::enter` gets one before anything else |
//! | any          | FORKED        | a forked child: may only exec or exit                           |
//! | any          | PREEMPT       | the time slice is used up: the next operation that may park yields |
//!
//! *Invariants.* C1. Only sysmon sets and clears CLAIM. C2. Only the M's own thread clears LOST; sysmon sets it in place of CLAIM,
//! the M sets it when it gives its P away by itself. C3. The P of an M changes owner only (a) by the M's thread with
//! `in_runtime > 0`, or (b) by sysmon after it saw `in_runtime == 0` behind its barrier. C4. Therefore an M that is inside
//! with neither CLAIM nor LOST set owns its P until it leaves.
//!
//! *Locks.* None; the ordering is the store-load pair of `gmp::barrier` (B1).
//!
//! *Go:* no counterpart; the nearest is the status CAS of `entersyscall`/`retake`.

use crate::base::shim::{AtomicU32, Ordering, backoff};
use crate::gmp::barrier;

/// A claim by sysmon is in flight.
pub(crate) const CLAIM: u32 = 1;
/// The M has no P although its goroutine runs.
pub(crate) const LOST: u32 = 2;
/// The goroutine has used up its time slice.
pub(crate) const PREEMPT: u32 = 4;

/// The process is a forked child, in which only this thread exists: every entry ends it.
pub(crate) const FORKED: u32 = 8;

/// The two words of an M, alone in their cache line.
#[repr(align(64))]
pub(crate) struct Claim {
    in_runtime: AtomicU32,
    attn: AtomicU32,
}

/// How sysmon's claim ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// The P is sysmon's now.
    Taken,
    /// The goroutine had come back, or something had changed: nothing happened.
    Withdrawn,
}

impl Claim {
    /// The state of a thread that is inside the runtime, as every M is when it starts.
    pub(crate) fn new() -> Claim {
        Claim { in_runtime: AtomicU32::new(1), attn: AtomicU32::new(0) }
    }

    /// Announces that this thread is inside; returns the attention bits that the caller must act on (0 when nested).
    #[inline(always)]
    pub(crate) fn enter(&self) -> u32 {
        let depth = self.in_runtime.load(Ordering::Relaxed);
        self.in_runtime.store(depth + 1, Ordering::Relaxed);
        if depth != 0 {
            return 0;
        }
        barrier::light();
        // Acquire: pairs with the Release in `try_claim` and with `attn` of LOST, so that `m.p == null` is seen with it.
        self.attn.load(Ordering::Acquire)
    }

    /// Ends the innermost `enter`.
    #[inline(always)]
    pub(crate) fn leave(&self) {
        let depth = self.in_runtime.load(Ordering::Relaxed);
        debug_assert!(depth > 0, "leave without enter");
        // Release: pairs with the Acquire load in `try_claim`: whoever takes the P sees all that was done to it inside.
        self.in_runtime.store(depth - 1, Ordering::Release);
    }

    /// The nesting depth, to be carried over a suspension.
    #[inline(always)]
    pub(crate) fn depth(&self) -> u32 {
        self.in_runtime.load(Ordering::Relaxed)
    }

    /// Restores the depth of the goroutine that was just resumed here; both values are above zero.
    #[inline(always)]
    pub(crate) fn set_depth(&self, depth: u32) {
        debug_assert!(depth > 0, "a suspended goroutine is inside");
        self.in_runtime.store(depth, Ordering::Relaxed);
    }

    /// Waits until no claim is in flight and returns the remaining bits. Only while inside, where a claim lasts microseconds.
    #[cold]
    pub(crate) fn settle(&self) -> u32 {
        let mut rounds = 0u32;
        loop {
            // Acquire: pairs with the Release in `try_claim`.
            let bits = self.attn.load(Ordering::Acquire);
            if bits & CLAIM == 0 {
                return bits;
            }
            backoff(&mut rounds);
        }
    }

    /// Clears LOST or PREEMPT; only by the M's own thread.
    pub(crate) fn clear(&self, bits: u32) {
        debug_assert!(bits & CLAIM == 0, "only sysmon clears CLAIM (C1)");
        self.attn.fetch_and(!bits, Ordering::Relaxed);
    }

    /// The M gives its P away by itself (an announced blocking call); the M is inside.
    pub(crate) fn set_lost(&self) {
        self.attn.fetch_or(LOST, Ordering::Relaxed);
    }

    /// Asks the running goroutine to yield at its next operation that may park.
    pub(crate) fn request_preempt(&self) {
        self.attn.fetch_or(PREEMPT, Ordering::Relaxed);
    }

    /// This thread is all that is left of the runtime, in a forked child.
    pub(crate) fn mark_forked(&self) {
        self.attn.fetch_or(FORKED, Ordering::Relaxed);
    }

    /// The bits as they stand, for the owner's own look and for dumps.
    #[inline(always)]
    pub(crate) fn bits(&self) -> u32 {
        self.attn.load(Ordering::Relaxed)
    }

    /// Whether the thread is in user code; only a hint unless behind the barrier of `try_claim`.
    pub(crate) fn is_outside(&self) -> bool {
        self.in_runtime.load(Ordering::Relaxed) == 0
    }

    /// Sysmon's side. `unchanged` re-checks that the M still owns the P with the same schedtick; `take` moves the ownership.
    /// Both run while the M can neither enter (it waits for the outcome) nor be inside.
    pub(crate) fn try_claim(&self, unchanged: impl FnOnce() -> bool, take: impl FnOnce()) -> Claimed {
        if self.bits() & LOST != 0 {
            return Claimed::Withdrawn;
        }
        self.attn.fetch_or(CLAIM, Ordering::Relaxed);
        barrier::heavy();
        // Acquire: pairs with the Release in `leave`.
        if self.in_runtime.load(Ordering::Acquire) == 0 && unchanged() {
            take();
            // Release: pairs with the Acquire in `enter` and `settle`; CLAIM becomes LOST in one step (C1, C2).
            self.attn.fetch_xor(CLAIM | LOST, Ordering::Release);
            Claimed::Taken
        } else {
            // Release: pairs with the Acquire in `settle`.
            self.attn.fetch_and(!CLAIM, Ordering::Release);
            Claimed::Withdrawn
        }
    }
}
