//! Is everybody asleep for good?
//!
//! *Why here.* Floor 5: noticed where the last M goes to sleep, confirmed by sysmon, which may look around at leisure.
//!
//! *Invariants.* DL1. Nothing is reported while a thread that is not ours exists, a timer is pending, somebody waits for a socket, or a receiver of
//! outside events is registered: each could still wake somebody; nor while a goroutine is kept for a thread that is another's, which sysmon lets go.
//! DL2. A report is made only if no M can run anything, seen under the scheduler lock.
//! DL3. Whatever keeps a report back has sysmon look again when it ends: an M by going to sleep (`note_idle`); whoever is no M, by `suspect`: a
//! stranger when it ends or waits for a goroutine, sysmon when it has readied somebody. Sysmon takes a suspicion away before it looks, so that one
//! that comes while it looks stays; and it has then seen all that the suspect did before.
//!
//! *Locks.* `SCHED.lock`.
//!
//! *Go:* `checkdead`.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::base::lock::Lock;
use crate::base::mapvec::MapVec;

use crate::gmp::sched::Shared;
use crate::gmp::{GPtr, SCHED};
use crate::netpoll;
use crate::proc::{foreign, goready, wake};

/// What to do when everybody is asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Policy {
    /// A library: somebody outside may come back.
    Silent = 0,
    /// A program with `#[goruntime::main]`: report and exit.
    Report = 1,
    /// A test binary: the waiting tests fail. Its harness' own thread does not count as a stranger.
    FailTests = 2,
}

static POLICY: AtomicU8 = AtomicU8::new(Policy::Silent as u8);
static SUSPECTED: AtomicBool = AtomicBool::new(false);

/// Sets what happens on a deadlock.
pub(crate) fn set_policy(policy: Policy) {
    POLICY.store(policy as u8, Ordering::Relaxed);
}

/// The policy in force.
pub(crate) fn policy() -> Policy {
    match POLICY.load(Ordering::Relaxed) {
        1 => Policy::Report,
        2 => Policy::FailTests,
        _ => Policy::Silent,
    }
}

/// An M goes to sleep: if it was the last, sysmon is to look. Not while a goroutine waits for a socket: what ends that wait makes an M run, which
/// goes to sleep again.
pub(crate) fn note_idle(shared: &Shared) {
    if all_asleep(shared) && !netpoll::has_waiting_goroutines() {
        suspect();
    }
}

/// What kept a report back may be gone: sysmon is to look (DL3).
pub(crate) fn suspect() {
    if policy() != Policy::Silent {
        // SeqCst: this store, then the look at `sysmon_waits`; sysmon announces its sleep before it looks here.
        SUSPECTED.store(true, Ordering::SeqCst);
        wake::wake_sysmon();
    }
}

/// Whether a deadlock is suspected, so that sysmon does not sleep for long.
pub(crate) fn is_suspected() -> bool {
    // SeqCst: the other half of the pair in `suspect`.
    SUSPECTED.load(Ordering::SeqCst)
}

/// Something that could have woken somebody is gone, and whoever took it away may be the last that runs.
pub(crate) fn suspect_again() {
    if policy() != Policy::Silent {
        // SeqCst: as in `note_idle`.
        SUSPECTED.store(true, Ordering::SeqCst);
        wake::wake_sysmon();
    }
}

fn all_asleep(shared: &Shared) -> bool {
    shared.nm == shared.midle.len() as u32 + shared.nmidle_locked
}

/// Sysmon's look. True: nothing can ever run again, and the policy says that this matters.
pub(crate) fn confirm() -> bool {
    // The load spares the read-modify-write. SeqCst: pairs with the store in `suspect`: what the suspect did before is seen here and, by the
    // scheduler lock below, by every M that goes to sleep later (DL3).
    if !SUSPECTED.load(Ordering::Relaxed) || !SUSPECTED.swap(false, Ordering::SeqCst) {
        return false;
    }
    let before = activity();
    {
        let shared = SCHED.lock.lock();
        if !all_asleep(&shared) || !shared.runq.is_empty() || SCHED.ps().any(|pp| !pp.runq.is_empty()) {
            return false;
        }
    }
    // Not `earliest`: what is left of a cancelled timer wakes nobody, and may be due in years.
    if SCHED.ps().any(|pp| pp.timers.has_armed())
        || netpoll::has_waiting_goroutines()
        || SCHED.external_wakers.load(Ordering::Relaxed) != 0
        || SCHED.kept.load(Ordering::Relaxed) != 0
    {
        // Whoever ends this suspects again (DL3).
        return false;
    }
    // Nobody says when a stranger has ended: the suspicion stays.
    SUSPECTED.store(true, Ordering::Relaxed);
    let spared = usize::from(policy() == Policy::FailTests);
    if foreign::strangers() > spared {
        return false;
    }
    // The strangers may have left something behind while they were counted.
    let shared = SCHED.lock.lock();
    activity() == before
        && all_asleep(&shared)
        && shared.runq.is_empty()
        && !SCHED.ps().any(|pp| pp.timers.has_armed())
        && !netpoll::has_waiting_goroutines()
        && SCHED.external_wakers.load(Ordering::Relaxed) == 0
}

/// Changes whenever an M takes a P: equal before and after means that nobody ran in between.
fn activity() -> u32 {
    SCHED.ps().map(|pp| pp.schedtick.load(Ordering::Relaxed)).fold(0, u32::wrapping_add)
}

/// Tests that wait for the end of their goroutine: target and waiter.
static TESTS: Lock<MapVec<(GPtr, GPtr)>> = Lock::new(MapVec::new());

/// `waiter` is a test that waits for `target`.
pub(crate) fn watch_test(target: GPtr, waiter: GPtr) {
    TESTS.lock().push((target, waiter));
}

/// It waits no longer.
pub(crate) fn unwatch_test(target: GPtr) {
    let mut tests = TESTS.lock();
    if let Some(index) = tests.iter().position(|entry| entry.0 == target) {
        tests.swap_remove(index);
    }
}

/// Everybody is asleep: wakes the waiting tests, whose wait has failed.
pub(crate) fn fail_tests() {
    let tests = TESTS.lock();
    let mut all_failed = !tests.is_empty();
    for &(target, waiter) in tests.iter() {
        let word = waiter.as_ptr().expose_provenance();
        let taken = target.join.give_up(word);
        all_failed &= taken;
        if taken {
            goready(waiter);
        }
    }
    // A test that is about to wait wakes no M when it does, so nobody else would suspect again.
    if all_failed {
        SUSPECTED.store(false, Ordering::Relaxed);
    }
}
