//! Threads that are not ours: they get an M without a P and a G that stands for them, so that every blocking operation works on them.
//!
//! *Why here.* Floor 5: the other side of `park`.
//!
//! *Invariants.* M3. FO1. A foreign thread never owns a P; what it readies goes to the global queue. FO2. Its G has the flag THREAD: parking
//! it sleeps on the M's note, readying it wakes the note.
//!
//! *Locks.* None.
//!
//! *Go:* `needm`/`dropm` (`cgocallback`).

use core::sync::atomic::Ordering;

use linkme::distributed_slice;

use crate::base::tls;
use crate::gmp::g::{ParkCommit, flag};
use crate::gmp::{GPtr, M, MPtr, SCHED, WaitReason};
use crate::netpoll;
use crate::os::{self, race};
use crate::proc::{Entered, deadlock, newproc, proxy};

/// Upward hook: starts the runtime in a program whose `main` does not (library mode); returns when it runs. `rt0` fills it.
#[distributed_slice]
pub(crate) static LIBRARY_START: [fn()];

/// Makes the calling thread known to the runtime, starting the runtime if need be.
#[cold]
#[inline(never)]
pub(crate) fn attach() -> MPtr {
    for start in LIBRARY_START {
        start();
    }
    let _hidden = race::hidden();
    let mp = M::reuse_foreign().unwrap_or_else(|| {
        let mp = M::create(u32::MAX, true, os::random_seed());
        let gp = newproc::gfget(None);
        gp.flags.store(flag::SYSTEM | flag::THREAD, Ordering::Relaxed);
        gp.home.store(mp.as_ptr(), Ordering::Relaxed);
        gp.status.dead_to_runnable();
        gp.status.runnable_to_running();
        mp.set_curg(Some(gp));
        mp
    });
    mp.claim.set_depth(1);
    mp.claim.leave();
    mp.tid.store(os::thread_id(), Ordering::Relaxed);
    tls::set(mp.as_ptr().cast());
    tls::on_thread_exit(detach);
    tls::arm_exit_hook();
    mp
}

/// In a forked child there is nobody to schedule with: the next operation of its only thread ends it.
pub(crate) fn mark_forked_child() {
    netpoll::mark_forked_child();
    if let Some(mp) = crate::gmp::m::current() {
        mp.claim.mark_forked();
    }
}

/// The thread ends: its M waits for the next foreign thread.
fn detach(word: *mut ()) {
    let Some(mp) = MPtr::from_raw(word.cast()) else { return };
    if mp.foreign {
        if let Some(gp) = mp.curg() {
            // The next thread is another one: it gets an id of its own when it asks, and no permit that was meant for this one.
            gp.id.store(0, Ordering::Relaxed);
            gp.permit.clear();
        }
        M::retire_foreign(mp);
        // As in `park`.
        deadlock::suspect();
    }
}

/// Parks the calling foreign thread.
#[cold]
pub(crate) fn park(inside: &Entered, reason: WaitReason, commit: ParkCommit, arg: *mut ()) {
    let (mp, gp) = (inside.m(), inside.g());
    gp.wait_reason.store(reason as u8, Ordering::Relaxed);
    mp.note.clear();
    gp.status.running_to_waiting();
    if commit(gp, arg) {
        if reason == WaitReason::Join {
            // Only now: a thread whose commit fails goes on. The readier may have subtracted already, which makes the count too low for a
            // moment: then nothing is reported.
            SCHED.run_waiters.fetch_add(1, Ordering::Relaxed);
            // It may have ended what kept a report back, and is no stranger any more.
            deadlock::suspect();
        }
        mp.note.sleep();
    } else {
        let still_waiting = gp.status.waiting_to_runnable();
        debug_assert!(still_waiting, "a park was taken back after the thread had been readied");
    }
    gp.status.runnable_to_running();
}

/// Wakes a parked foreign thread (FO2), or the tasks for which a proxy stands.
#[cold]
pub(crate) fn ready(gp: GPtr) {
    if gp.has(flag::PROXY) {
        return proxy::ready(gp);
    }
    let Some(mp) = MPtr::from_raw(gp.home.load(Ordering::Relaxed)) else { return };
    if gp.status.waiting_to_runnable() {
        if gp.wait_reason.load(Ordering::Relaxed) == WaitReason::Join as u8 {
            // By the readier: from here on the thread may do anything, however long the system takes to run it.
            // Release: pairs with the Acquire in `strangers`, so that it is not seen later than what the waker did after it.
            SCHED.run_waiters.fetch_sub(1, Ordering::Release);
        }
        mp.note.wake();
    }
}

/// Threads that are neither ours nor waiting for a goroutine inside `run` or a join: any of them could still wake somebody.
pub(crate) fn strangers() -> usize {
    let ours = M::all().filter(|mp| !mp.foreign && mp.tid.load(Ordering::Relaxed) != 0).count();
    // Acquire: pairs with the Release in `ready`.
    let waiting = SCHED.run_waiters.load(Ordering::Acquire).max(0) as usize;
    os::thread_count().saturating_sub(ours + waiting + race::THREADS)
}
