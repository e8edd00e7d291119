//! Models of the mutex: one holder at a time, who sees what the one before did; nobody waits for ever, whoever gives up.
//!
//! *What.* The runtime's `raw_mutex`, `sema`, `queue`, `sudog`, `cancel` and `spin`, on goroutines that are threads of the model. The value is a cell: two
//! holders at a time, or a holder that does not see its predecessor, are a race.
//!
//! *Why here.* The word of the mutex counts waiters who may be anywhere between the count and the sleep.
//!
//! *Invariants.* MU1 to MU5 of `sync::raw_mutex`, SA1 of `sync::sema`, QU2 and QU3 of `sync::queue`, CA2 and CA3 of `sync::cancel`.
//!
//! *Locks.* The semaphore's and the canceller's.
//!
//! *Go:* none.

use std::panic::Location;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::gmp::WaitReason;
use crate::goroutines::{acquaint, ended_cancel, set_cpus};
use crate::sync::cancel::Cancel;
use crate::sync::raw_mutex::RawMutex;
use crate::{explore, explore_up_to, os};

struct Guarded {
    mutex: RawMutex,
    cancel: Cancel,
    value: UnsafeCell<u32>,
}

// SAFETY: the cell is what the model is about; loom checks its accesses.
unsafe impl Sync for Guarded {}

impl Guarded {
    /// Unlocked; loom knows its words (H1 of the shim).
    fn new() -> Arc<Guarded> {
        let guarded = Guarded { mutex: RawMutex::new(), cancel: Cancel::new(), value: UnsafeCell::new(0) };
        acquaint(&guarded.cancel);
        assert!(guarded.mutex.try_lock());
        assert!(!guarded.mutex.lock_within(WaitReason::MutexLock, &ended_cancel(), Location::caller()));
        guarded.mutex.unlock();
        Arc::new(guarded)
    }

    fn lock(&self) {
        self.mutex.lock(WaitReason::MutexLock, Location::caller());
    }

    /// What the lock is for.
    fn change(&self) {
        // SAFETY: as above.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn work(&self) -> u32 {
        self.lock();
        self.change();
        self.mutex.unlock();
        1
    }

    /// The same, unless the canceller ends the wait.
    fn try_work(&self) -> u32 {
        let has_it = self.mutex.lock_within(WaitReason::MutexLock, &self.cancel, Location::caller());
        if has_it {
            self.change();
            self.mutex.unlock();
        }
        has_it.into()
    }

    /// Afterwards nobody has it or waits for it, and all changes are there.
    fn check_end(&self, changes: u32) {
        assert_eq!(format!("{:?}", self.mutex), "RawMutex { word: 0, .. }");
        assert!(self.mutex.try_lock());
        // SAFETY: as above.
        assert_eq!(self.value.with(|value| unsafe { *value }), changes);
    }
}

fn beside(guarded: &Arc<Guarded>, body: fn(&Guarded) -> u32) -> thread::JoinHandle<u32> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || body(&guarded))
}

/// Fails with Relaxed in `lock` or `unlock`, in the second compare-and-swap of `lock_slow`, and if `unlock_slow` wakes nobody.
#[test]
fn three_who_lock_take_turns() {
    explore_up_to(1, || {
        let guarded = Guarded::new();
        let others = [beside(&guarded, Guarded::work), beside(&guarded, Guarded::work)];
        guarded.work();
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        guarded.check_end(3);
    });
}

/// Fails if `try_lock` takes a lock that is held.
#[test]
fn one_who_tries_gets_a_free_lock_only() {
    explore(|| {
        let guarded = Guarded::new();
        let other = beside(&guarded, |guarded| {
            let has_it = guarded.mutex.try_lock();
            if has_it {
                guarded.change();
                guarded.mutex.unlock();
            }
            has_it.into()
        });
        guarded.work();
        let changes = other.join().unwrap();
        guarded.check_end(1 + changes);
    });
}

/// Fails if a newcomer that spins leaves WOKEN behind.
#[test]
fn one_who_spins_wakes_nobody_in_vain() {
    explore_up_to(1, || {
        set_cpus(2);
        let guarded = Guarded::new();
        let others = [beside(&guarded, Guarded::work), beside(&guarded, Guarded::work)];
        guarded.work();
        others.into_iter().for_each(|other| _ = other.join().unwrap());
        guarded.check_end(3);
        set_cpus(1);
    });
}

/// A waiter gives up as the lock is given back. Fails if `leave` counts out a waiter that nobody has counted, and if it does not count it out.
#[test]
fn a_waiter_that_gives_up_is_counted_out() {
    explore(|| {
        let guarded = Guarded::new();
        guarded.lock();
        let waiter = beside(&guarded, Guarded::try_work);
        let canceller = beside(&guarded, |guarded| {
            guarded.cancel.end();
            0
        });
        guarded.change();
        guarded.mutex.unlock();
        canceller.join().unwrap();
        let changes = waiter.join().unwrap();
        guarded.check_end(1 + changes);
    });
}

/// The wake-up that the one who gives up does not take is the other's.
#[test]
fn a_waiter_that_gives_up_leaves_its_wake_up_to_the_other() {
    explore_up_to(1, || {
        let guarded = Guarded::new();
        guarded.lock();
        let first = beside(&guarded, Guarded::try_work);
        let second = beside(&guarded, Guarded::work);
        let canceller = beside(&guarded, |guarded| {
            guarded.cancel.end();
            0
        });
        guarded.mutex.unlock();
        canceller.join().unwrap();
        let changes = first.join().unwrap() + second.join().unwrap();
        guarded.check_end(changes);
    });
}

/// Whoever has waited for long gets the lock from hand to hand, although the holder comes again at once. Fails with Relaxed in `take_over` and in the
/// load before it, both at a time.
#[test]
fn a_starving_waiter_gets_the_lock_from_hand_to_hand() {
    explore_up_to(1, || {
        let guarded = Guarded::new();
        guarded.lock();
        let waiter = beside(&guarded, Guarded::work);
        os::advance_to(2_000_000);
        guarded.change();
        guarded.mutex.unlock();
        guarded.work();
        guarded.work();
        waiter.join().unwrap();
        guarded.check_end(4);
    });
}

/// The one that starves gives up: its mode ends with it, or the lock that was handed over is taken.
#[test]
fn a_starving_waiter_may_give_up() {
    explore_up_to(1, || {
        let guarded = Guarded::new();
        guarded.lock();
        let waiter = beside(&guarded, Guarded::try_work);
        let canceller = beside(&guarded, |guarded| {
            guarded.cancel.end();
            0
        });
        os::advance_to(2_000_000);
        guarded.mutex.unlock();
        guarded.work();
        canceller.join().unwrap();
        let changes = waiter.join().unwrap();
        guarded.check_end(1 + changes);
    });
}
