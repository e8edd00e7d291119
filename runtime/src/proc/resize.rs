//! Changing the number of Ps, with the world stopped.
//!
//! *Why here.* Floor 5. Sysmon carries it out, because only sysmon may take a P from a goroutine that computes (C1).
//!
//! *Invariants.* P2, D3. Z1. Ps are created before the count says so. Z2. What a stopping P held (queue, timers, caches) is moved before it
//! is left.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `procresize`, `stopTheWorldWithSema`, `startTheWorldWithSema`.

use core::sync::atomic::Ordering;

use crate::gmp::gslab;
use crate::gmp::p::{MAX_PROCS, PStatus};
use crate::gmp::{P, PPtr, SCHED};
use crate::proc::{queue, wake};

/// Makes Ps so that there are `count`, all stopped; returns the number in force. Only with the world stopped or not yet started.
pub(crate) fn procresize(count: u32) -> u32 {
    let count = count.clamp(1, MAX_PROCS);
    let old = SCHED.procs.load(Ordering::Relaxed);
    for id in 0..count {
        let slot = &SCHED.allp[id as usize];
        if slot.load(Ordering::Relaxed).is_null() {
            slot.store(P::create(id).as_ptr(), Ordering::Relaxed);
        }
    }
    for id in count..old {
        if let Some(pp) = SCHED.p(id) {
            retire(pp);
        }
    }
    // Release: pairs with the Acquire in `Sched::ps` (Z1).
    SCHED.procs.store(count, Ordering::Release);
    count
}

/// Moves what a P holds to the others (Z2).
fn retire(pp: PPtr) {
    // SAFETY: the world is stopped, so this thread is the only user of the P.
    while let Some((gp, _)) = unsafe { pp.runq.get() } {
        queue::put_global(crate::gmp::GPtr::new(gp));
    }
    if let Some(first) = SCHED.p(0) {
        pp.timers.move_all(&first.timers);
    }
    // SAFETY: as above; the references end with the statements.
    unsafe { &mut *pp.stacks.get() }.drain();
    // SAFETY: as above.
    let free = unsafe { &mut *pp.gfree.get() };
    let count = free.len();
    gslab::give_back(free, count);
}

/// Takes every P that nobody uses; returns how many are still to stop.
pub(crate) fn begin_stop() -> u32 {
    let mut shared = SCHED.lock.lock();
    // SeqCst: in one order with the changes of the idle list, so that no P becomes idle unseen; the reads are hints.
    SCHED.stopping.store(true, Ordering::SeqCst);
    shared.stop_wait = SCHED.procs.load(Ordering::Relaxed);
    while let Some(pp) = shared.pidle_get() {
        pp.set_status(PStatus::Stopped);
        shared.stop_wait -= 1;
    }
    shared.stop_wait
}

/// A P that sysmon has claimed counts as stopped.
pub(crate) fn stop_claimed(pp: PPtr) {
    pp.set_status(PStatus::Stopped);
    SCHED.lock.lock().stop_wait -= 1;
}

/// Ps that have still to stop.
pub(crate) fn still_running() -> u32 {
    SCHED.lock.lock().stop_wait
}

/// Ends the stop: Ps with work get an M, the rest is idle, lowest number first.
pub(crate) fn start_the_world() {
    let count = SCHED.procs.load(Ordering::Relaxed);
    let mut with_work = [const { None::<PPtr> }; 64];
    {
        let mut shared = SCHED.lock.lock();
        // SeqCst: as in `begin_stop`.
        SCHED.stopping.store(false, Ordering::SeqCst);
        let mut found = 0;
        for id in (0..count).rev() {
            let Some(pp) = SCHED.p(id) else { continue };
            if pp.status() != PStatus::Stopped {
                continue;
            }
            pp.set_status(PStatus::Idle);
            if !pp.runq.is_empty() && found < with_work.len() {
                with_work[found] = Some(pp);
                found += 1;
            } else {
                shared.pidle_put(pp);
            }
        }
    }
    for pp in with_work.into_iter().flatten() {
        wake::startm(SCHED.lock.lock(), pp, false);
    }
    if SCHED.main_started.load(Ordering::Relaxed) {
        wake::wakep();
    }
}
