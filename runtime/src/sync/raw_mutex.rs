//! The mutex without its value: a word and the waiters.
//!
//! *Why here.* Floor 7, under `Mutex`, and under `RwLock`, whose writers exclude each other with it.
//!
//! An uncontended lock and unlock are one read-modify-write each and do not enter the runtime. The word:
//!
//! | bits       | meaning                                                                                        |
//! |------------|------------------------------------------------------------------------------------------------|
//! | `LOCKED`   | somebody has it                                                                                |
//! | `WOKEN`    | a waiter was readied, or a newcomer spins: an unlock need not wake another                     |
//! | `STARVING` | the lock goes from hand to hand along the queue; newcomers neither take it nor spin            |
//! | the rest   | how many wait, in units of `WAITER`                                                            |
//!
//! *Normal mode*: a waiter that is woken competes with newcomers, who are running already and mostly win; that is fast. A waiter that loses queues in
//! front. One that has waited for more than a millisecond turns the *starving mode* on, in which the unlocker gives the lock to the first in the
//! queue. It ends with a waiter that is the last one or has waited for less.
//!
//! *Invariants.* MU1. The value is touched by the holder of `LOCKED` only, or, while STARVING is set and `LOCKED` is not, by nobody. MU2. A unit of
//! `WAITER` is added before the sleep and taken away by the unlocker that wakes (normal) or by the woken (starving). MU3. `sema` holds a wake-up
//! only for a waiter that is counted and on its way to sleep. MU5. A waiter that is cancelled counts itself out, unless a wake-up or a hand-over is on its way that no
//! other waiter is counted for: that one it takes.
//!
//! *Locks.* The semaphore's, rank 1.
//!
//! *Go:* internal/sync/mutex.go.

use core::fmt;
use core::panic::Location;

use crate::base::shim::{AtomicU32, Ordering};
use crate::base::throw::fatal;
use crate::gmp::{SCHED, WaitReason, m};
use crate::os;
use crate::proc::boot;
use crate::proc::park::check_goexit;
use crate::sync::cancel::Cancel;
use crate::sync::queue::{Wait, Waited};
use crate::sync::sema::Sema;

const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const STARVING: u32 = 4;
const WAITER: u32 = 8;

/// A waiter that has waited for longer, ns, is starving.
const STARVES_AFTER: i64 = 1_000_000;
/// Rounds that a newcomer spins, and pauses in a round.
const SPINS: u32 = 4;
const PAUSES: u32 = 30;

/// A lock over nothing.
pub(super) struct RawMutex {
    word: AtomicU32,
    sema: Sema,
}

impl RawMutex {
    /// Unlocked.
    pub(super) const fn new() -> RawMutex {
        RawMutex { word: AtomicU32::new(0), sema: Sema::new() }
    }

    /// Takes the lock; who waits for it shows `reason`.
    #[inline(always)]
    pub(super) fn lock(&self, reason: WaitReason, at: &'static Location<'static>) {
        // Acquire: pairs with the Release in `unlock`.
        if let Err(seen) = self.word.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            && !self.barge(seen)
        {
            // Without a canceller it ends with success.
            self.lock_slow(reason, None, at);
        }
    }

    /// Takes the lock; false if `cancel` has ended before.
    pub(super) fn lock_within(&self, reason: WaitReason, cancel: &Cancel, at: &'static Location<'static>) -> bool {
        // Acquire: as in `lock`.
        match self.word.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => true,
            Err(seen) => self.barge(seen) || self.lock_slow(reason, Some(cancel), at),
        }
    }

    /// Takes the lock if it is free and nobody is starving for it.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & (LOCKED | STARVING) == 0 {
            if self.barge(seen) {
                return true;
            }
            seen = self.word.load(Ordering::Relaxed);
        }
        false
    }

    /// Takes the lock if, as far as was `seen`, it is free and goes to whoever comes: others may be waiting for it.
    fn barge(&self, seen: u32) -> bool {
        // Acquire: as in `lock`.
        seen & (LOCKED | STARVING) == 0
            && self.word.compare_exchange(seen, seen | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Gives the lock back.
    #[inline(always)]
    pub(super) fn unlock(&self) {
        // Release: pairs with the Acquire of whoever locks next.
        let old = self.word.fetch_sub(LOCKED, Ordering::Release);
        if old != LOCKED {
            self.unlock_slow(old.wrapping_sub(LOCKED));
        }
    }

    /// False: `cancel` has ended.
    #[cold]
    fn lock_slow(&self, reason: WaitReason, cancel: Option<&Cancel>, at: &'static Location<'static>) -> bool {
        check_goexit();
        let (mut waits_since, mut is_starving, mut is_woken, mut spins) = (None, false, false, 0);
        let mut old = self.word.load(Ordering::Relaxed);
        loop {
            if old & (LOCKED | STARVING) == LOCKED && spins < SPINS && may_spin() {
                is_woken = is_woken || self.announce_spinning(old);
                os::cpu_relax(PAUSES);
                spins += 1;
                old = self.word.load(Ordering::Relaxed);
                continue;
            }
            let mut new = old;
            if old & STARVING == 0 {
                new |= LOCKED;
            }
            if old & (LOCKED | STARVING) != 0 {
                new += WAITER;
            }
            if is_starving && old & LOCKED != 0 {
                new |= STARVING;
            }
            if is_woken {
                new &= !WOKEN;
            }
            // Acquire: as in `lock`.
            if let Err(seen) = self.word.compare_exchange_weak(old, new, Ordering::Acquire, Ordering::Relaxed) {
                old = seen;
                continue;
            }
            if old & (LOCKED | STARVING) == 0 {
                return true;
            }
            let is_back = waits_since.is_some();
            let since = *waits_since.get_or_insert_with(os::nanotime);
            let how = Wait { in_front: is_back, cancel, ..Wait::new(reason, at) };
            if self.sema.acquire(&how) == Waited::TimedOut {
                if self.leave() {
                    return false;
                }
                // It ends by a wake-up only.
                let _ = self.sema.acquire(&Wait { in_front: true, cancel: None, ..how });
            }
            is_starving = is_starving || os::nanotime() - since > STARVES_AFTER;
            // Acquire: a starving unlocker gives the lock away without another store to the word.
            old = self.word.load(Ordering::Acquire);
            if old & STARVING != 0 {
                self.take_over(old, is_starving);
                return true;
            }
            (is_woken, spins) = (true, 0);
        }
    }

    /// A waiter that is not queued any more counts itself out; false if it is wanted (MU5).
    fn leave(&self) -> bool {
        let count_out = |word| {
            let (waiters, is_handed_over) = (word / WAITER, word & (LOCKED | STARVING) == STARVING);
            match waiters {
                0 => None,
                1 if is_handed_over => None,
                1 => Some((word - WAITER) & !STARVING),
                _ => Some(word - WAITER),
            }
        };
        self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_out).is_ok()
    }

    /// A newcomer that spins sets WOKEN, so that the unlock wakes nobody who would then lose.
    fn announce_spinning(&self, old: u32) -> bool {
        old & WOKEN == 0
            && old >= WAITER
            && self.word.compare_exchange(old, old | WOKEN, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The lock was handed to this goroutine, which is still counted as a waiter (MU2).
    fn take_over(&self, old: u32, is_starving: bool) {
        debug_assert!(old & (LOCKED | WOKEN) == 0 && old >= WAITER, "inconsistent mutex state: {old:#x}");
        let ends_starving = !is_starving || old / WAITER == 1;
        let change = LOCKED.wrapping_sub(WAITER).wrapping_sub(if ends_starving { STARVING } else { 0 });
        // Acquire: pairs with the Release in `unlock`.
        self.word.fetch_add(change, Ordering::Acquire);
    }

    /// `old`: the word without LOCKED, as `unlock` has left it.
    #[cold]
    fn unlock_slow(&self, mut old: u32) {
        if old & LOCKED != 0 {
            fatal("sync: unlock of unlocked mutex");
        }
        if old & STARVING != 0 {
            return self.sema.release(1);
        }
        loop {
            if old < WAITER || old & (LOCKED | WOKEN | STARVING) != 0 {
                return;
            }
            let new = (old - WAITER) | WOKEN;
            match self.word.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return self.sema.release(1),
                Err(seen) => old = seen,
            }
        }
    }
}

/// Whether spinning can pay: another processor may be running the holder, and this one has nothing better to do.
fn may_spin() -> bool {
    // The two loads are of two moments: the number of processors may change in between.
    let busy = SCHED.procs.load(Ordering::Relaxed).saturating_sub(SCHED.npidle.load(Ordering::Relaxed));
    let others = busy as i32 - SCHED.nmspinning.load(Ordering::Relaxed) - 1;
    others > 0 && boot::ncpu() > 1 && m::current().and_then(|mp| mp.p()).is_none_or(|pp| pp.runq.is_empty())
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawMutex").field("word", &self.word.load(Ordering::Relaxed)).finish_non_exhaustive()
    }
}
