//! `Mutex`: std's interface, Go's fairness.
//!
//! *Why here.* Floor 7.
//!
//! An uncontended lock and unlock are one read-modify-write each and do not enter the runtime. The word:
//!
//! | bits       | meaning                                                                                        |
//! |------------|------------------------------------------------------------------------------------------------|
//! | `LOCKED`   | somebody has it                                                                                |
//! | `WOKEN`    | a waiter was readied, or a newcomer spins: an unlock need not wake another                       |
//! | `STARVING` | the lock goes from hand to hand along the queue; newcomers neither take it nor spin             |
//! | the rest   | how many wait, in units of `WAITER`                                                              |
//!
//! *Normal mode*: a waiter that is woken competes with newcomers, who are running already and mostly win; that is fast. A waiter that loses queues in
//! front. One that has waited for more than a millisecond turns the *starving mode* on, in which the unlocker gives the lock to the first in the
//! queue. It ends with a waiter that is the last one or has waited for less.
//!
//! A woken waiter comes through a semaphore: `permits` counts the wake-ups that came before their sleep.
//!
//! *Invariants.* MU1. The value is touched by the holder of `LOCKED` only, or, while STARVING is set and `LOCKED` is not, by nobody. MU2. A unit of
//! `WAITER` is added before the sleep and taken away by the unlocker that wakes (normal) or by the woken (starving). MU3. `permits` is above zero
//! only while nobody is queued. MU4. A goexit that unwinds through a guard does not poison: nothing has failed.
//!
//! *Locks.* `queue_lock`, rank 1, protects `waiters` and `permits`.
//!
//! *Go:* internal/sync/mutex.go; `permits` is its `sema`.

use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
use std::thread;

use crate::base::throw::throw;
use crate::gmp::g::flag;
use crate::gmp::{SCHED, WaitReason};
use crate::os;
use crate::proc::park::{check_goexit, note_place};
use crate::proc::{enter, enter_preemptible};
use crate::sync::spin::SpinLock;
use crate::sync::sudog::{self, Sudog, WaitQueue};

const LOCKED: u32 = 1;
const WOKEN: u32 = 2;
const STARVING: u32 = 4;
const WAITER: u32 = 8;

/// A waiter that has waited for longer, ns, is starving.
const STARVES_AFTER: i64 = 1_000_000;
/// Rounds that a newcomer spins, and pauses in a round.
const SPINS: u32 = 4;
const PAUSES: u32 = 30;

/// A lock around a value; see `std::sync::Mutex`, whose interface it has.
///
/// Parks the goroutine while another one has the lock. Not reentrant. A guard may be held across operations that park.
///
/// # Examples
///
/// ```
/// use goruntime::sync::{Arc, Mutex, WaitGroup};
///
/// goruntime::run(|| {
///     let (count, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
///     for _ in 0..100 {
///         let (count, group) = (count.clone(), group.clone());
///         group.add(1);
///         goruntime::go(move || {
///             *count.lock().unwrap() += 1;
///             group.done();
///         });
///     }
///     group.wait();
///     assert_eq!(*count.lock().unwrap(), 100);
/// });
/// ```
pub struct Mutex<T: ?Sized> {
    word: AtomicU32,
    poisoned: AtomicBool,
    queue_lock: SpinLock,
    permits: Cell<u32>,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: what moves is the value, which is Send; a mutex that moves is not borrowed, so nobody waits.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: shared access hands the value from holder to holder, which T: Send permits; `word` orders them. Queue and permits are under their lock.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// The right to use the value; dropping it unlocks.
#[must_use = "if unused the Mutex will immediately unlock"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    mutex: &'a Mutex<T>,
    was_panicking: bool,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out `&T` only, so T: Sync will do.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    /// Makes an unlocked mutex.
    #[inline]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            word: AtomicU32::new(0),
            poisoned: AtomicBool::new(false),
            queue_lock: SpinLock::new(),
            permits: Cell::new(0),
            waiters: WaitQueue::new(),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the value out.
    ///
    /// # Errors
    ///
    /// With the value, if the mutex is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        let poisoned = self.is_poisoned();
        let value = self.value.into_inner();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, waiting for it.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) while another one has the lock, after spinning for some hundred nanoseconds if the holder may be
    /// running. Locking it twice on one goroutine waits for good.
    ///
    /// # Errors
    ///
    /// With the guard, if a holder has panicked.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        // Acquire: pairs with the Release in `unlock`.
        if let Err(seen) = self.word.compare_exchange(0, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            && !self.barge(seen)
        {
            self.lock_slow(Location::caller());
        }
        self.guard()
    }

    /// Takes the lock if it is free and nobody is starving for it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or `Poisoned` with the guard.
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if !self.barge(self.word.load(Ordering::Relaxed)) {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.guard()?)
    }

    /// Whether a holder has panicked.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    /// Makes a poisoned mutex a usual one again.
    pub fn clear_poison(&self) {
        self.poisoned.store(false, Ordering::Relaxed);
    }

    /// The value, of which the exclusive borrow shows that nobody has the lock.
    ///
    /// # Errors
    ///
    /// With the reference, if the mutex is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let poisoned = self.is_poisoned();
        let value = self.value.get_mut();
        if poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    #[inline(always)]
    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = MutexGuard { mutex: self, was_panicking: thread::panicking(), not_send: PhantomData };
        if self.is_poisoned() { Err(PoisonError::new(guard)) } else { Ok(guard) }
    }

    /// Takes the lock if, as far as was `seen`, it is free and goes to whoever comes: others may be waiting for it.
    fn barge(&self, seen: u32) -> bool {
        // Acquire: as in `lock`.
        seen & (LOCKED | STARVING) == 0
            && self.word.compare_exchange(seen, seen | LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn unlock(&self) {
        // Release: pairs with the Acquire of whoever locks next.
        let old = self.word.fetch_sub(LOCKED, Ordering::Release);
        if old != LOCKED {
            self.unlock_slow(old.wrapping_sub(LOCKED));
        }
    }

    #[cold]
    fn lock_slow(&self, at: &'static Location<'static>) {
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
                return;
            }
            let is_back = waits_since.is_some();
            let since = *waits_since.get_or_insert_with(os::nanotime);
            self.sleep(is_back, at);
            is_starving = is_starving || os::nanotime() - since > STARVES_AFTER;
            // Acquire: a starving unlocker gives the lock away without another store to the word.
            old = self.word.load(Ordering::Acquire);
            if old & STARVING != 0 {
                return self.take_over(old, is_starving);
            }
            (is_woken, spins) = (true, 0);
        }
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
            throw("sync: unlock of unlocked mutex");
        }
        if old & STARVING != 0 {
            return self.wake_one();
        }
        loop {
            if old < WAITER || old & (LOCKED | WOKEN | STARVING) != 0 {
                return;
            }
            let new = (old - WAITER) | WOKEN;
            match self.word.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return self.wake_one(),
                Err(seen) => old = seen,
            }
        }
    }

    /// Waits for a permit; `is_back`: in front of the others.
    fn sleep(&self, is_back: bool, at: &'static Location<'static>) {
        let inside = enter_preemptible();
        self.queue_lock.lock();
        if self.permits.get() > 0 {
            self.permits.set(self.permits.get() - 1);
            // SAFETY: locked above.
            return unsafe { SpinLock::unlock(&raw const self.queue_lock) };
        }
        note_place(&inside, at);
        let sg = Sudog::new(inside.g(), core::ptr::null_mut(), false);
        // SAFETY: locked above; the frame lives until the goroutine is readied, which is the only end of this wait.
        unsafe { if is_back { self.waiters.push_front(&sg) } else { self.waiters.push_back(&sg) } };
        sudog::park(&inside, &self.queue_lock, WaitReason::MutexLock);
    }

    /// Gives a permit to the first waiter, or to the one that is about to sleep.
    fn wake_one(&self) {
        let _inside = enter();
        self.queue_lock.lock();
        // SAFETY: locked above.
        let waiter = unsafe { self.waiters.dequeue() };
        if waiter.is_none() {
            self.permits.set(self.permits.get() + 1);
        }
        // SAFETY: locked above.
        unsafe { SpinLock::unlock(&raw const self.queue_lock) };
        if let Some(waiter) = waiter {
            waiter.wake(true);
        }
    }
}

/// Whether spinning can pay: another processor may be running the holder.
fn may_spin() -> bool {
    SCHED.procs.load(Ordering::Relaxed) > SCHED.npidle.load(Ordering::Relaxed) + 1
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard stands for the lock (MU1).
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard stands for the lock and is borrowed exclusively (MU1).
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if !self.was_panicking && thread::panicking() {
            self.poison();
        }
        self.mutex.unlock();
    }
}

impl<T: ?Sized> MutexGuard<'_, T> {
    #[cold]
    fn poison(&self) {
        if !enter().g().has(flag::GOEXIT) {
            self.mutex.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => shown.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => shown.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => shown.field("data", &format_args!("<locked>")),
        };
        shown.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}
