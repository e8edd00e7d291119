//! Looking for work: Go's order, a step a function.
//!
//! *Why here.* Floor 5.
//!
//! *Invariants.* F1. An M that gives up its P has looked at everything after it stopped spinning (the essay in `proc`). F2. At most one M
//! watches the timers of idle Ps and the network (`SCHED.poller`).
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `findRunnable`.

use core::ptr::null_mut;

use crate::base::shim::{Ordering, fence};
use crate::gmp::{GPtr, MPtr, PPtr, SCHED};
use crate::netpoll;
use crate::proc::{OnG0, netwait, queue, steal, timer, wake};

/// Every so many passes the global queue comes first, so that it is not starved by goroutines that ready each other.
const GLOBAL_PERIOD: u32 = 61;

/// What to run, and whether it inherits the running time slice.
pub(crate) type Found = (GPtr, bool);

/// Looks for a goroutine to run, and sleeps when there is none. None: the M's situation has changed (it slept, has mail, the world is
/// being stopped): look again from the top.
pub(crate) fn findrunnable(g0: &OnG0, mp: MPtr) -> Option<Found> {
    let pp = mp.p().expect("an M without a P looks for work");
    let tick = pp.ticks.get().wrapping_add(1);
    pp.ticks.set(tick);
    let fair = tick.is_multiple_of(GLOBAL_PERIOD);
    timer::run_due(g0, pp, fair);
    if fair {
        pp.come_by();
        netwait::look_when_busy(g0);
        if let Some(gp) = every_61st_global() {
            return Some((gp, false));
        }
    }
    local(pp)
        .or_else(|| timer::run_due_now(g0, pp).then(|| local(pp)).flatten())
        .or_else(|| global(pp))
        .or_else(|| netwait::look(g0, pp).then(|| local(pp)).flatten())
        .or_else(|| steal::steal_work(g0, mp, pp))
        .or_else(|| give_up(g0, mp, pp))
}

fn every_61st_global() -> Option<GPtr> {
    if SCHED.runq_size.load(Ordering::Relaxed) == 0 {
        return None;
    }
    SCHED.lock.lock().globrunq_get()
}

#[inline(always)]
fn local(pp: PPtr) -> Option<Found> {
    // SAFETY: the calling M owns the P (C4).
    let (gp, inherit) = unsafe { pp.runq.get() }?;
    Some((GPtr::new(gp), inherit))
}

fn global(pp: PPtr) -> Option<Found> {
    if SCHED.runq_size.load(Ordering::Relaxed) == 0 {
        return None;
    }
    queue::take_global(pp, queue::MOST_TAKEN).map(|gp| (gp, false))
}

/// Nothing anywhere: gives the P to the idle list, looks once more, and sleeps.
#[cold]
fn give_up(g0: &OnG0, mp: MPtr, pp: PPtr) -> Option<Found> {
    // SAFETY: this M still owns the P (P1), and the reference ends with the statement. After a sweep the cache may hold the last stacks of
    // slabs that are otherwise free.
    unsafe { &mut *pp.stacks.get() }.shed();
    let mut shared = SCHED.lock.lock();
    if SCHED.stopping.load(Ordering::Relaxed) || mp.has_mail.load(Ordering::Relaxed) {
        return None;
    }
    if let Some(gp) = shared.globrunq_get() {
        return Some((gp, false));
    }
    let spinning = mp.spinning.load(Ordering::Relaxed);
    if !spinning && SCHED.needspinning.load(Ordering::Relaxed) {
        drop(shared);
        steal::start_spinning(mp);
        return None;
    }
    wake::releasep(mp);
    shared.pidle_put(pp);
    drop(shared);
    if wake::stop_spinning(mp) && look_again(mp) {
        return None;
    }
    watch_or_stop(g0, mp);
    None
}

/// The second half of "stop spinning": whatever was submitted while we still counted as spinning, nobody was woken for. True when there was
/// something and this M has a P again, spinning.
fn look_again(mp: MPtr) -> bool {
    // SeqCst: the second half of "stop spinning"; pairs with `publish_size`.
    let work = SCHED.runq_size.load(Ordering::SeqCst) != 0 || SCHED.ps().any(|pp| !pp.runq.is_empty());
    let due = || SCHED.ps().any(timer::is_due);
    if (work || due()) && wake::acquire_idle_p(mp) {
        steal::start_spinning(mp);
        return true;
    }
    false
}

/// Sleeps: as the watcher of the timers and the network if there is anything to watch and nobody else does, else until woken.
fn watch_or_stop(g0: &OnG0, mp: MPtr) {
    if mp.is_dedicated() {
        return wake::stopm(g0, mp, None);
    }
    let Some(when) = become_watcher(mp) else { return wake::stopm(g0, mp, None) };
    // SeqCst, with the fence: pairs with the fence in `wake_poller`.
    SCHED.poll_until.store(when, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    let when = match earliest() {
        0 => when,
        again => again.min(when),
    };
    wake::stopm(g0, mp, Some(when));
    if mp.p().is_none() {
        // Every P is busy: their owners run the timers and look at the poller.
        wake::stopm(g0, mp, None);
    }
}

/// Announces this M as the one that watches, and returns the time of the earliest timer, or `i64::MAX`. None: there are neither timers nor waiters
/// for the network, or another M watches.
fn become_watcher(mp: MPtr) -> Option<i64> {
    loop {
        if next_watched().is_none()
            || SCHED.poller.compare_exchange(null_mut(), mp.as_ptr(), Ordering::SeqCst, Ordering::SeqCst).is_err()
        {
            return None;
        }
        // Look once more after announcing: whoever arms an earlier timer from now on sees the poller and its time.
        SCHED.poll_until.store(i64::MAX, Ordering::SeqCst);
        // SeqCst: pairs with the fences in `wake_poller` and `netwait`.
        fence(Ordering::SeqCst);
        if let Some(when) = next_watched() {
            return Some(when);
        }
        // They have fired meanwhile. Whoever has armed another one since has seen a watcher and relies on it: look again without being one.
        SCHED.poller.store(null_mut(), Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }
}

/// Until when a watcher sleeps: `i64::MAX` for the network alone. None: there is nothing to watch.
fn next_watched() -> Option<i64> {
    match earliest() {
        0 => netpoll::has_waiters_before_sleep().then_some(i64::MAX),
        when => Some(when),
    }
}

/// Whether an M has to watch, and none does. The P that the caller is about to give up may have been the last.
pub(crate) fn is_unwatched() -> bool {
    // SeqCst: pairs with the stores of `poller` in `wake::watch` and above.
    next_watched().is_some() && SCHED.poller.load(Ordering::SeqCst).is_null()
}

/// The earliest time in any heap, 0 without any.
pub(crate) fn earliest() -> i64 {
    SCHED.ps().map(|pp| pp.timers.min_when()).filter(|&when| when != 0).min().unwrap_or(0)
}
