//! Goroutine ids: unique for the process, never reused, handed out in batches per P.
//!
//! *Why here.* Floor 5. *Invariants.* GI1. Id 1 is the first one given out: the main goroutine's. *Locks.* None.
//!
//! *Go:* `_GoidCacheBatch`, `sched.goidgen`.

use core::sync::atomic::Ordering;

use crate::gmp::{GPtr, PPtr, SCHED};

const BATCH: u64 = 16;

/// The next id, from the batch of the P that the caller owns, or straight from the source.
#[inline(always)]
pub(crate) fn next(pp: Option<PPtr>) -> u64 {
    let Some(pp) = pp else { return SCHED.goid_source.fetch_add(1, Ordering::Relaxed) };
    let (mut next, mut end) = pp.goids.get();
    if next == end {
        next = SCHED.goid_source.fetch_add(BATCH, Ordering::Relaxed);
        end = next + BATCH;
    }
    pp.goids.set((next + 1, end));
    next
}

/// The id of the caller, whose `gp` is: a plain thread gets one the first time.
#[inline]
pub(crate) fn of_caller(gp: GPtr) -> u64 {
    if gp.goid() == 0 {
        gp.id.store(next(None), Ordering::Relaxed);
    }
    gp.goid()
}
