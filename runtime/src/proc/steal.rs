//! Stealing: half of another P's queue, its timers, or as a last resort the goroutine it would run next.
//!
//! *Why here.* Floor 5.
//!
//! A `runnext` that has just been readied belongs to a pair of goroutines that talk to each other; tearing them apart costs more than it
//! wins. So a thief that sees nothing but a runnext naps a few microseconds, up to three times, still counted as spinning, and takes
//! it only if the same goroutine is still there and has not run meanwhile.
//!
//! *Invariants.* D2. *Locks.* None.
//!
//! *Go:* `stealWork`, `runqsteal`, `runqgrab` (which naps 3 µs, once).

use crate::base::rand::Coprimes;
use crate::base::shim::{AtomicU32, Ordering};
use crate::gmp::p::PStatus;
use crate::gmp::{GPtr, MPtr, PPtr, SCHED};
use crate::os;
use crate::proc::findrunnable::Found;
use crate::proc::{OnG0, timer};

const PASSES: u32 = 4;
/// Naps before a runnext is taken, ns each.
const NAPS: [i64; 3] = [5_000, 10_000, 20_000];

/// Steals from the other Ps, unless enough others already try.
pub(crate) fn steal_work(g0: &OnG0, mp: MPtr, pp: PPtr) -> Option<Found> {
    let procs = SCHED.procs.load(Ordering::Relaxed);
    if procs < 2 {
        return None;
    }
    if !mp.spinning.load(Ordering::Relaxed) {
        let busy = procs.saturating_sub(SCHED.npidle.load(Ordering::Relaxed));
        if 2 * SCHED.nmspinning.load(Ordering::Relaxed).max(0) as u32 >= busy {
            return None;
        }
        start_spinning(mp);
    }
    for pass in 0..PASSES {
        if let Some(found) = one_pass(g0, mp, pp, procs, pass == PASSES - 1) {
            return Some(found);
        }
        if SCHED.stopping.load(Ordering::Relaxed) {
            return None;
        }
    }
    None
}

/// Counts this M among those that look for work.
pub(crate) fn start_spinning(mp: MPtr) {
    mp.spinning.store(true, Ordering::Relaxed);
    // SeqCst: in one order with the decrement in `stop_spinning` and the look in `wakep_slow`.
    SCHED.nmspinning.fetch_add(1, Ordering::SeqCst);
    SCHED.needspinning.store(false, Ordering::Relaxed);
}

/// Looks at every other P once, in a random order; in the `last` pass also at what nobody takes gladly.
pub(crate) fn one_pass(g0: &OnG0, mp: MPtr, pp: PPtr, procs: u32, last: bool) -> Option<Found> {
    let random = mp.random_below(u32::MAX);
    for id in Coprimes::new(procs).order(random) {
        let Some(victim) = SCHED.p(id) else { continue };
        if victim == pp {
            continue;
        }
        if last && timer::is_due(victim) && timer::run_due_now(g0, victim) {
            // SAFETY: this M owns `pp` (C4).
            if let Some((gp, inherit)) = unsafe { pp.runq.get() } {
                return Some((GPtr::new(gp), inherit));
            }
        }
        if victim.status() == PStatus::Idle && victim.runq.is_empty() {
            continue;
        }
        // SAFETY: this M owns `pp`; any thread may take from the victim.
        if let Some(gp) = unsafe { pp.runq.steal_into(&victim.runq) } {
            return Some((GPtr::new(gp), false));
        }
        if last && let Some(gp) = steal_next(pp, victim) {
            return Some((gp, false));
        }
    }
    None
}

/// The victim's runnext, if it stays there for three naps without having run.
fn steal_next(pp: PPtr, victim: PPtr) -> Option<GPtr> {
    let wanted = victim.runq.peek_next()?;
    let gp = GPtr::new(wanted);
    let resumes = gp.resumes.load(Ordering::Relaxed);
    for nap in NAPS {
        if victim.status() == PStatus::Running
            && victim.m().is_some_and(|m| !m.claim.is_outside() || m.curg().is_some())
        {
            nap_for(nap);
        }
        let unchanged = victim.runq.peek_next() == Some(wanted) && gp.resumes.load(Ordering::Relaxed) == resumes;
        if !unchanged || !pp.runq.is_empty() || SCHED.stopping.load(Ordering::Relaxed) {
            return None;
        }
    }
    victim.runq.steal_next(wanted).then_some(gp)
}

fn nap_for(ns: i64) {
    let word = AtomicU32::new(0);
    os::futex_wait(&word, 0, Some(ns));
}
