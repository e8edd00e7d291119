//! Waking threads, putting them to sleep, and handing Ps around.
//!
//! *Why here.* Floor 5; the policy is the essay in `proc`.
//!
//! *Invariants.* D1-D3. V1. A parked M is woken by exactly one waker: the one that, under the scheduler lock, cleared `parked`.
//! V2. An M sleeps only while its inbox is empty; whoever puts something into the inbox of a sleeping M wakes it with a P.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `wakep`, `startm`, `stopm`, `handoffp`, `acquirep`, `releasep`, `startlockedm`, `stoplockedm`, `gcstopm`.

use core::ptr::null_mut;

use crate::base::lock::LockGuard;
use crate::base::shim::{Ordering, fence};
use crate::gmp::p::PStatus;
use crate::gmp::sched::Shared;
use crate::gmp::{GList, GPtr, MPtr, PPtr, SCHED};
use crate::netpoll::{self, Readied};
use crate::os;
use crate::proc::{OnG0, deadlock, findrunnable, keep, mstart, netwait};

/// Wires a P that belongs to nobody to the M of the calling thread, or to one that sleeps.
pub(crate) fn acquirep(mp: MPtr, pp: PPtr) {
    debug_assert!(mp.p().is_none() && pp.m().is_none(), "a P changes hands while it is owned");
    pp.set_m(Some(mp));
    pp.set_status(PStatus::Running);
    pp.bump_tick();
    mp.set_p(Some(pp));
    // SeqCst: after the P was taken off the idle list; pairs with `sleep_while_all_idle`, which announces itself before it looks at the list.
    if SCHED.sysmon_waits.load(Ordering::SeqCst) {
        wake_sysmon();
    }
}

/// Takes the P away from the M of the calling thread.
pub(crate) fn releasep(mp: MPtr) -> PPtr {
    let pp = mp.p().expect("releasep without a P");
    mp.set_p(None);
    pp.set_m(None);
    pp.set_status(PStatus::Idle);
    pp
}

/// Wakes sysmon from its deep sleep.
#[cold]
pub(crate) fn wake_sysmon() {
    // SeqCst: see `acquirep` and `deadlock::note_idle`.
    if SCHED.sysmon_waits.swap(false, Ordering::SeqCst) {
        SCHED.sysmon_note.wake();
    }
}

/// Sysmon's deep sleep: does `sleep`, on sysmon's note, if every P is idle and `nothing_is_due`. Whoever takes a P or makes something due ends it.
pub(crate) fn sleep_while_all_idle(nothing_is_due: impl FnOnce() -> bool, sleep: impl FnOnce()) {
    // SeqCst: pairs with `acquirep`: this store, then the look at the count of idle Ps.
    SCHED.sysmon_waits.store(true, Ordering::SeqCst);
    if all_are_idle() && nothing_is_due() {
        sleep();
    }
    SCHED.sysmon_waits.store(false, Ordering::Relaxed);
}

/// Whether no P runs.
pub(crate) fn all_are_idle() -> bool {
    // SeqCst: pairs with `pidle_get` and `sysmon_waits`: either sysmon sees the P taken or the taker sees it sleep.
    SCHED.npidle.load(Ordering::SeqCst) == SCHED.procs.load(Ordering::Relaxed)
}

/// An idle P for the M of the calling thread, if there is one.
pub(crate) fn acquire_idle_p(mp: MPtr) -> bool {
    if SCHED.npidle.load(Ordering::Relaxed) == 0 {
        return false;
    }
    let pp = SCHED.lock.lock().pidle_get();
    if let Some(pp) = pp {
        acquirep(mp, pp);
    }
    pp.is_some()
}

/// Something was queued: makes sure that one M looks for work, if there is a P for it.
#[inline(always)]
pub(crate) fn wakep() {
    if SCHED.npidle.load(Ordering::Relaxed) != 0 {
        wakep_slow();
    }
}

#[cold]
#[inline(never)]
fn wakep_slow() {
    // SeqCst: the StoreLoad of "submit": our put, then the look at the spinners; pairs with `stop_spinning`.
    fence(Ordering::SeqCst);
    if SCHED.nmspinning.load(Ordering::Relaxed) != 0
        || SCHED.nmspinning.compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed).is_err()
    {
        return;
    }
    let mut shared = SCHED.lock.lock();
    match shared.pidle_get() {
        Some(pp) => startm(shared, pp, true),
        None => {
            SCHED.needspinning.store(true, Ordering::Relaxed);
            drop(shared);
            SCHED.nmspinning.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Something was queued globally by a thread without a P.
pub(crate) fn wake_for_global() {
    wakep();
    if SCHED.sysmon_waits.load(Ordering::Relaxed) {
        wake_sysmon();
    }
}

/// Gives the P to an M that sleeps, or to a new one. A spinning start was counted in `nmspinning` by the caller.
pub(crate) fn startm(mut shared: LockGuard<'_, Shared>, pp: PPtr, spinning: bool) {
    match shared.midle_get() {
        Some(mp) => {
            mp.parked.store(false, Ordering::Relaxed);
            mp.nextp.set(Some(pp));
            mp.spinning.store(spinning, Ordering::Relaxed);
            drop(shared);
            rouse(mp);
        }
        None => mstart::newm(shared, Some(pp), spinning, None),
    }
}

/// Passes a P on that its goroutine or its M cannot use now: to an M if there is work for it, else to the idle list.
pub(crate) fn handoffp(pp: PPtr) {
    let busy = !pp.runq.is_empty() || SCHED.runq_size.load(Ordering::Relaxed) != 0;
    if busy && !SCHED.stopping.load(Ordering::Relaxed) {
        return startm(SCHED.lock.lock(), pp, false);
    }
    let no_scout = SCHED.nmspinning.load(Ordering::Relaxed) == 0 && SCHED.npidle.load(Ordering::Relaxed) == 0;
    if no_scout
        && !SCHED.stopping.load(Ordering::Relaxed)
        && SCHED.nmspinning.compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    {
        SCHED.needspinning.store(false, Ordering::Relaxed);
        return startm(SCHED.lock.lock(), pp, true);
    }
    let mut shared = SCHED.lock.lock();
    if SCHED.stopping.load(Ordering::Relaxed) {
        return stop_p(&mut shared, pp);
    }
    if !shared.runq.is_empty() {
        return startm(shared, pp, false);
    }
    // Of all heaps: a P that went idle earlier may have left its timers to the M that has just handed this P over.
    // SeqCst: pairs with the stores of `poller` in `watch` and `findrunnable`.
    let when = findrunnable::earliest();
    if findrunnable::is_unwatched() {
        return startm(shared, pp, false);
    }
    shared.pidle_put(pp);
    drop(shared);
    wake_poller(when);
}

/// Freezes a P for a stop of the world.
fn stop_p(shared: &mut Shared, pp: PPtr) {
    pp.set_status(PStatus::Stopped);
    shared.stop_wait -= 1;
    if shared.stop_wait == 0 {
        SCHED.sysmon_note.wake();
    }
}

/// The world is being stopped: gives up the P of this M.
pub(crate) fn gcstopm(_: &OnG0, mp: MPtr) {
    stop_spinning(mp);
    let pp = releasep(mp);
    let mut shared = SCHED.lock.lock();
    if SCHED.stopping.load(Ordering::Relaxed) {
        stop_p(&mut shared, pp);
    } else {
        shared.pidle_put(pp);
    }
}

/// Ends this M's spinning, if it spins. The caller looks at the queues once more after it.
pub(crate) fn stop_spinning(mp: MPtr) -> bool {
    if !mp.spinning.load(Ordering::Relaxed) {
        return false;
    }
    mp.spinning.store(false, Ordering::Relaxed);
    // SeqCst: the StoreLoad of "stop spinning"; pairs with the fence in `wakep_slow`.
    SCHED.nmspinning.fetch_sub(1, Ordering::SeqCst);
    // SeqCst: a read-modify-write alone does not order the weaker loads that follow it on every machine.
    fence(Ordering::SeqCst);
    true
}

/// This M has found work: if it was the last that looked, another one looks from now on.
#[inline(always)]
pub(crate) fn stop_spinning_and_wake(mp: MPtr) {
    if stop_spinning(mp) {
        wakep();
    }
}

/// Sleeps without a P until somebody hands one over; with `until`, as the one M that watches, at most until then, until there is an earlier
/// timer, or until a socket is ready. Afterwards the M may have no P only if `until` was given.
pub(crate) fn stopm(_: &OnG0, mp: MPtr, until: Option<i64>) {
    debug_assert!(mp.p().is_none(), "an M sleeps with a P");
    let mut shared = SCHED.lock.lock();
    if !forward_inbox(&mut shared, mp)
        && let Some(pp) = shared.pidle_get()
    {
        drop(shared);
        if until.is_some() {
            // SeqCst: as in `watch`. Whoever goes idle from here on watches in its turn.
            SCHED.poller.store(null_mut(), Ordering::SeqCst);
        }
        return acquirep(mp, pp);
    }
    mp.parked.store(true, Ordering::Relaxed);
    if mp.is_dedicated() {
        shared.nmidle_locked += 1;
    } else if until.is_some() {
        // At the far end, so that the others are woken first and somebody goes on watching.
        shared.midle_put_last(mp);
    } else {
        shared.midle_put(mp);
    }
    deadlock::note_idle(&shared);
    drop(shared);
    match until {
        None => sleep_until_handed(mp),
        Some(when) => watch(mp, when),
    }
}

fn sleep_until_handed(mp: MPtr) {
    loop {
        mp.note.sleep();
        mp.note.clear();
        // A wake-up meant for an earlier watch finds the M still parked: it sleeps on.
        let pp = {
            let _shared = SCHED.lock.lock();
            if mp.parked.load(Ordering::Relaxed) { None } else { mp.nextp.take() }
        };
        if let Some(pp) = pp {
            return acquirep(mp, pp);
        }
    }
}

fn watch(mp: MPtr, when: i64) {
    // SeqCst: after this M became the poller; pairs with the fence in `netwait::poller_opened`.
    fence(Ordering::SeqCst);
    let readied = if netpoll::is_open() {
        netpoll::sleep(when, || !mp.note.is_woken())
    } else {
        mp.note.sleep_for((when - os::nanotime()).max(0));
        Readied::default()
    };
    // SeqCst: in one order with the announcement in `become_watcher` and the look in `wake_poller`.
    SCHED.poller.store(null_mut(), Ordering::SeqCst);
    mp.note.clear();
    let handed = {
        let mut shared = SCHED.lock.lock();
        if mp.parked.load(Ordering::Relaxed) {
            unlist(&mut shared, mp);
            None
        } else {
            mp.nextp.take()
        }
    };
    match handed {
        Some(pp) => acquirep(mp, pp),
        None => {
            acquire_idle_p(mp);
        }
    }
    netwait::inject(readied);
}

/// Goroutines that were wired to this M and cannot run here for want of a P go back to the global queue: whoever takes them hands its P
/// over (V2). True when the inbox was empty.
fn forward_inbox(shared: &mut Shared, mp: MPtr) -> bool {
    let mut inbox = mp.inbox.take();
    mp.has_mail.store(false, Ordering::Relaxed);
    let mut put_off = mp.put_off.take();
    let mut empty = true;
    while let Some(gp) = inbox.pop_front() {
        if mp.may_run(gp) {
            empty = false;
            keep::taken(gp);
            shared.globrunq_put(gp);
        } else {
            put_off.push_back(gp);
        }
    }
    mp.set_put_off(put_off);
    empty
}

fn unlist(shared: &mut Shared, mp: MPtr) {
    mp.parked.store(false, Ordering::Relaxed);
    if !shared.midle_remove(mp) {
        shared.nmidle_locked -= 1;
    }
}

/// A dequeued goroutine is wired to another M: gives it to that M, and with it this M's P if the other one sleeps. Afterwards the caller
/// may have no P.
pub(crate) fn deliver(_: &OnG0, mp: MPtr, gp: GPtr, home: MPtr) {
    stop_spinning(mp);
    let mut shared = SCHED.lock.lock();
    keep::given(gp);
    if home.parked.load(Ordering::Relaxed) && !home.may_run(gp) {
        let mut put_off = home.put_off.take();
        put_off.push_back(gp);
        home.set_put_off(put_off);
        return;
    }
    let mut inbox = home.inbox.take();
    inbox.push_back(gp);
    home.inbox.set(inbox);
    home.has_mail.store(true, Ordering::Relaxed);
    if !home.parked.load(Ordering::Relaxed) {
        return;
    }
    unlist(&mut shared, home);
    home.nextp.set(Some(releasep(mp)));
    drop(shared);
    rouse(home);
}

/// The next goroutine in this M's inbox that may run now (K2, K3 of `park`, KE2 of `keep`).
pub(crate) fn take_mail(mp: MPtr) -> Option<GPtr> {
    if !mp.has_mail.load(Ordering::Relaxed) {
        return None;
    }
    let _shared = SCHED.lock.lock();
    let (mut inbox, mut put_off) = (mp.inbox.take(), mp.put_off.take());
    let found = loop {
        match inbox.pop_front() {
            Some(gp) if !mp.may_run(gp) => put_off.push_back(gp),
            Some(gp) => {
                keep::taken(gp);
                break Some(gp);
            }
            None => break None,
        }
    };
    mp.has_mail.store(!inbox.is_empty(), Ordering::Relaxed);
    mp.inbox.set(inbox);
    mp.set_put_off(put_off);
    found
}

/// The thread is nobody's alone any more, or that of somebody else: what was put off meanwhile is mail again.
pub(crate) fn take_up_again(mp: MPtr) {
    if !mp.has_put_off.load(Ordering::Relaxed) {
        return;
    }
    let _shared = SCHED.lock.lock();
    let mut put_off = mp.put_off.take();
    put_off.append(&mut mp.inbox.take());
    mp.has_mail.store(!put_off.is_empty(), Ordering::Relaxed);
    mp.inbox.set(put_off);
    mp.set_put_off(GList::new());
}

/// A timer is due at `when`, earlier than anything before: the M that watches must know.
pub(crate) fn wake_poller(when: i64) {
    if when == 0 {
        return;
    }
    // SeqCst: pairs with the same in `findrunnable::become_watcher`: either the watcher sees the timer or we see the watcher.
    fence(Ordering::SeqCst);
    match MPtr::from_raw(SCHED.poller.load(Ordering::SeqCst)) {
        Some(mp) if SCHED.poll_until.load(Ordering::SeqCst) > when => rouse(mp),
        Some(_) => {}
        None => wakep(),
    }
}

/// Wakes a parked M, wherever it sleeps.
fn rouse(mp: MPtr) {
    mp.note.wake();
    // SeqCst: after the note; the watcher is the poller before it looks at its note (`netpoll::sleep`).
    fence(Ordering::SeqCst);
    if SCHED.poller.load(Ordering::SeqCst) == mp.as_ptr() {
        netpoll::interrupt();
    }
}

/// Lets the M that watches look around, if there is one.
///
/// SeqCst, behind the caller's fence; pairs with the stores of `poller` in `watch` and `findrunnable`.
pub(crate) fn rouse_watcher() {
    if let Some(mp) = MPtr::from_raw(SCHED.poller.load(Ordering::SeqCst)) {
        rouse(mp);
    }
}
