//! Putting goroutines on queues: a P's, the global one, an M's inbox.
//!
//! *Why here.* Floor 5: joins the run queue with the global queue on overflow.
//!
//! *Invariants.* Q1. A runnable goroutine is on exactly one queue, or in the hands of one thread.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `runqput`, `runqputslow`, `globrunqput`, `injectglist`.

use crate::base::shim::Ordering;
use crate::gmp::{GList, GPtr, PPtr, SCHED};
use crate::proc::wake;

/// Queues `gp` on the P that the caller owns: as the next to run, or at the tail.
#[inline]
pub(crate) fn runqput(pp: PPtr, gp: GPtr, next: bool) {
    // SAFETY: the caller owns the P (C4), so it is the queue's only producer.
    if let Some(rest) = unsafe { pp.runq.put(gp.non_null(), next) } {
        spill(pp, GPtr::new(rest));
    }
}

/// The ring is full: half of it and `gp` go to the global queue, unless a thief has made room meanwhile.
#[cold]
fn spill(pp: PPtr, gp: GPtr) {
    // SAFETY: the caller of `runqput` owns the P.
    if let Some(overflow) = unsafe { pp.runq.overflow(gp.non_null()) } {
        let mut batch = GList::new();
        for item in overflow {
            batch.push_back(GPtr::new(item));
        }
        SCHED.lock.lock().globrunq_append(&mut batch);
    }
}

/// Queues a goroutine that yielded: behind the others of this P. If there are none, the global queue's turn comes first, so that a goroutine
/// that yields until others have done something lets them do it.
///
/// One yield in [`SPREAD_PERIOD`] goes to the global queue instead: processors that are all busy steal nothing, and without it a goroutine
/// that only yields would share a crowded processor for ever while another has one for itself.
#[inline]
pub(crate) fn put_yielded(pp: PPtr, gp: GPtr) {
    if pp.schedtick.load(Ordering::Relaxed).is_multiple_of(SPREAD_PERIOD) {
        return put_global(gp);
    }
    if SCHED.runq_size.load(Ordering::Relaxed) != 0
        && pp.runq.is_empty()
        && let Some(first) = take_global(pp, MOST_TAKEN)
    {
        runqput(pp, first, true);
    }
    runqput(pp, gp, false);
}

/// Passes of the scheduler between two yields that go to the global queue: a prime, so that it is not always the same goroutine of a few,
/// and so large that the yields of a busy processor do not pay for the queue's lock.
const SPREAD_PERIOD: u32 = 1021;

/// Most goroutines that are taken from the global queue at a time.
pub(crate) const MOST_TAKEN: usize = 128;

/// Queues `gp` at the tail of the global queue.
pub(crate) fn put_global(gp: GPtr) {
    SCHED.lock.lock().globrunq_put(gp);
}

/// Queues `gp` globally from a place without a P and makes sure that somebody looks.
pub(crate) fn inject(gp: GPtr) {
    put_global(gp);
    wake::wake_for_global();
}

/// Takes a fair share of the global queue: the first is returned, the rest goes to the caller's P.
pub(crate) fn take_global(pp: PPtr, most: usize) -> Option<GPtr> {
    let mut batch: GList = GList::new();
    let first = {
        let mut shared = SCHED.lock.lock();
        let size = shared.runq.len();
        if size == 0 {
            return None;
        }
        let procs = SCHED.procs.load(Ordering::Relaxed).max(1) as usize;
        let count = size.min(size / procs + 1).min(most);
        let first = shared.globrunq_get();
        for _ in 1..count {
            let Some(gp) = shared.globrunq_get() else { break };
            batch.push_back(gp);
        }
        first
    };
    // SAFETY: the caller owns the P.
    unsafe { pp.runq.put_batch(&mut core::iter::from_fn(|| batch.pop_front().map(GPtr::non_null))) };
    // What found no room, which happens only to a queue that was not empty.
    while let Some(gp) = batch.pop_front() {
        runqput(pp, gp, false);
    }
    first
}
