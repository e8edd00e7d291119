//! `Mutex`: std's interface, Go's fairness.
//!
//! *Why here.* Floor 7: the value and its guard over `raw_mutex`, which does the locking.
//!
//! *Invariants.* MU1, MU4. MG1. A guard is not `Send`, as std's: the locks themselves would not mind, because an unlock may come from any thread, and a
//! goroutine that is moved to another thread takes its guards along.
//!
//! *Locks.* None of its own.
//!
//! *Go:* mutex.go.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::thread;

use crate::gmp::WaitReason;
use crate::sync::cancel::Cancel;
use crate::sync::poison::Poison;
use crate::sync::raw_mutex::RawMutex;

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
    raw: RawMutex,
    poison: Poison,
    value: UnsafeCell<T>,
}

// SAFETY: what moves is the value, which is Send; a mutex that moves is not borrowed, so nobody waits.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: shared access hands the value from holder to holder, which T: Send permits; `raw` orders them.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// The right to use the value; dropping it unlocks. It may be held across operations that park, but not sent to another goroutine.
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
        Mutex { raw: RawMutex::new(), poison: Poison::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the value out.
    ///
    /// # Errors
    ///
    /// With the value, if the mutex is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.wrap(self.value.into_inner())
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
        self.raw.lock(WaitReason::MutexLock, Location::caller());
        self.guard()
    }

    /// Takes the lock; None if `cancel` has ended before.
    pub(crate) fn lock_within(
        &self,
        cancel: &Cancel,
        at: &'static Location<'static>,
    ) -> Option<LockResult<MutexGuard<'_, T>>> {
        self.raw.lock_within(WaitReason::MutexLock, cancel, at).then(|| self.guard())
    }

    /// Takes the lock if it is free and nobody is starving for it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or `Poisoned` with the guard.
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if !self.raw.try_lock() {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.guard()?)
    }

    /// Whether a holder has panicked.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Makes a poisoned mutex a usual one again.
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, of which the exclusive borrow shows that nobody has the lock.
    ///
    /// # Errors
    ///
    /// With the reference, if the mutex is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.wrap(self.value.get_mut())
    }

    #[inline(always)]
    fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        self.poison.wrap(MutexGuard { mutex: self, was_panicking: thread::panicking(), not_send: PhantomData })
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// What a condition variable unlocks and locks.
    pub(super) fn raw(&self) -> &'a RawMutex {
        &self.mutex.raw
    }

    /// This guard, as `lock` would return it.
    pub(super) fn again(self) -> LockResult<Self> {
        let mutex = self.mutex;
        mutex.poison.wrap(self)
    }
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
        self.mutex.poison.done(self.was_panicking);
        self.mutex.raw.unlock();
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
