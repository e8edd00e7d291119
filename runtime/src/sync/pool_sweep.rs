//! Drops what lies idle in pools.
//!
//! *Why here.* Floor 7: it runs destructors of user values, which the caretakers of floor 6 must not do.
//!
//! One goroutine of the runtime sweeps all pools once a second while any of them holds something, and sleeps otherwise, without a timer: a timer would
//! keep a deadlock from being reported.
//!
//! *Invariants.* PS1. While a pool holds something, `AWAKE` is set, or whoever put it is about to set it: the sweeper clears it and then looks into
//! every shard under its lock; a `put` has filled its shard under that lock and then looks at it. PS2. A destructor that panics is reported as the panic
//! of a thread that nobody joins, and stops nothing. PS3. Strong references to shards live for the time of a sweep only.
//!
//! *Locks.* `POOLS`, a mutex that parks; not held while pools are swept.
//!
//! *Go:* `poolCleanup`, which the collector calls.

use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, Weak};

use crate::bgsweep;
use crate::gmp::g::flag;
use crate::proc::{enter, park};
use crate::sync::mutex::Mutex;
use crate::sync::once::Once;
use crate::sync::semaphore::Semaphore;

/// Between two sweeps, ns.
const PERIOD: i64 = 1_000_000_000;

/// A pool, for the sweeper.
pub(super) trait Sweepable: Send + Sync {
    /// Drops what is old and makes old what is fresh.
    fn sweep(&self);
    /// Whether it holds nothing.
    fn is_empty(&self) -> bool;
}

static POOLS: Mutex<Vec<Weak<dyn Sweepable>>> = Mutex::new(Vec::new());
static START: Once = Once::new();
/// See PS1.
static AWAKE: AtomicBool = AtomicBool::new(false);
/// What the sweeper sleeps on.
static BELL: Semaphore = Semaphore::new(0);

/// From now on the pool is swept.
pub(super) fn register(pool: Weak<dyn Sweepable>) {
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|pool| pool.strong_count() > 0);
    pools.push(pool);
    drop(pools);
    START.call_once_force(|_| bgsweep::start_system(sweeper, flag::JOINED));
}

/// A value was put into some pool.
#[inline]
pub(super) fn note_value() {
    if !AWAKE.load(Ordering::Relaxed) {
        ring();
    }
}

#[cold]
fn ring() {
    if !AWAKE.swap(true, Ordering::Relaxed) {
        BELL.release(1);
    }
}

/// Body of the sweeper's goroutine.
fn sweeper() {
    loop {
        BELL.acquire().forget();
        loop {
            bgsweep::pause(PERIOD);
            sweep_pools();
            AWAKE.store(false, Ordering::Relaxed);
            if all_are_empty() {
                break;
            }
            AWAKE.store(true, Ordering::Relaxed);
        }
    }
}

/// One sweep of every pool. Runs on a goroutine or a plain thread.
pub(crate) fn sweep_pools() {
    for pool in living() {
        pool.sweep();
        // The pool itself may be gone meanwhile: then this drops its values.
        drop_each([pool]);
    }
}

fn all_are_empty() -> bool {
    let mut are_empty = true;
    // To the end, because each of them may be the last reference to its pool.
    for pool in living() {
        are_empty &= pool.is_empty();
        drop_each([pool]);
    }
    are_empty
}

fn living() -> Vec<Arc<dyn Sweepable>> {
    let pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.iter().filter_map(Weak::upgrade).collect()
}

/// Drops values of users (PS2). A goexit of a destructor ends that destructor only.
pub(super) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    for value in values {
        let was_in_goexit = park::is_in_goexit();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
            // The hook has printed what there is to say. The payload may panic in its own destructor; what that one throws has none.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            mem::forget(dropped.err());
        }
        if park::is_in_goexit() && !was_in_goexit {
            enter().g().unset(flag::GOEXIT | flag::GOEXIT_UNWINDS);
        }
    }
}
