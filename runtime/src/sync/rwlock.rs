//! `RwLock`: std's interface, Go's preference for writers.
//!
//! *Why here.* Floor 7: the value and its guards over `raw_rwlock`.
//!
//! *Invariants.* RL1. The value is touched by the writer only while there is one, and is only read while there are readers. RL2. Only writers poison: a
//! reader that panics has changed nothing. MU4, MG1.
//!
//! *Locks.* None of its own.
//!
//! *Go:* rwmutex.go.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::ptr::NonNull;
use std::sync::{LockResult, TryLockError, TryLockResult};
use std::thread;

use crate::sync::poison::Poison;
use crate::sync::raw_rwlock::RawRwLock;

/// A lock that lets many read or one write; see `std::sync::RwLock`, whose interface it has.
///
/// Writers are preferred, as in Go: once a writer waits, new readers wait behind it, and when it has finished, all of them go before the next writer. So
/// neither side starves. It also means that **a goroutine that reads must not read again** before it has dropped its first guard: a writer that comes in
/// between waits for the first guard, and the second read waits for the writer. Debug builds say so on standard error when it happens.
///
/// Works on goroutines and on plain threads. Guards may be held across operations that park, but not sent to another goroutine.
///
/// # Examples
///
/// ```
/// use goruntime::sync::{Arc, RwLock};
///
/// goruntime::run(|| {
///     let names = Arc::new(RwLock::new(vec!["ken"]));
///     let writer = goruntime::spawn({
///         let names = names.clone();
///         move || names.write().unwrap().push("rob")
///     });
///     writer.join().unwrap();
///     let (one, other) = (names.read().unwrap(), names.try_read().unwrap());
///     assert_eq!((one.len(), other[1]), (2, "rob"));
///     assert!(names.try_write().is_err());
/// });
/// ```
#[doc(alias = "RWMutex")]
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    poison: Poison,
    value: UnsafeCell<T>,
}

// SAFETY: what moves is the value, which is Send; a lock that moves is not borrowed, so nobody waits.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: shared access gives `&T` to many threads at once (T: Sync) and `&mut T` to one after the other (T: Send); `raw` orders them.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

/// The right to read the value; dropping it unlocks.
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized + 'a> {
    // A pointer, not a reference to the lock: so the guard is covariant in T, as std's, and not Send.
    value: NonNull<T>,
    raw: &'a RawRwLock,
}

/// The right to change the value; dropping it unlocks.
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized + 'a> {
    lock: &'a RwLock<T>,
    was_panicking: bool,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives out `&T` only, so T: Sync will do.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}
// SAFETY: as above: `&mut T` needs the guard itself.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<T> RwLock<T> {
    /// Makes a lock that nobody has.
    #[inline]
    pub const fn new(value: T) -> RwLock<T> {
        RwLock { raw: RawRwLock::new(), poison: Poison::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the value out.
    ///
    /// # Errors
    ///
    /// With the value, if the lock is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        self.poison.wrap(self.value.into_inner())
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock for reading, waiting while a writer has it or waits for it.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until the writer has finished. Reading twice on one goroutine waits for good if a writer comes
    /// in between.
    ///
    /// # Errors
    ///
    /// With the guard, if a writer has panicked.
    ///
    /// # Panics
    ///
    /// `too many active read locks on RwLock` beyond 2³⁰.
    #[doc(alias = "RLock")]
    #[inline]
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.raw.read();
        self.read_guard()
    }

    /// Takes the lock for reading if no writer has it or waits for it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or `Poisoned` with the guard.
    #[inline]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if !self.raw.try_read() {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.read_guard()?)
    }

    /// Takes the lock for writing, waiting for it.
    ///
    /// # Blocking
    ///
    /// Parks the goroutine (or the plain thread) until the readers that came before and the writer before it have finished. Waiting for a lock that
    /// the same goroutine has lasts for good.
    ///
    /// # Errors
    ///
    /// With the guard, if a writer has panicked.
    #[inline]
    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.raw.write();
        self.write_guard()
    }

    /// Takes the lock for writing if nobody has it or waits to write. As in Go it may also fail in the moment in which another writer lets go, or in
    /// which another call of this function finds the lock taken.
    ///
    /// # Errors
    ///
    /// `WouldBlock`, or `Poisoned` with the guard.
    #[inline]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if !self.raw.try_write() {
            return Err(TryLockError::WouldBlock);
        }
        Ok(self.write_guard()?)
    }

    /// Whether a writer has panicked.
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Makes a poisoned lock a usual one again.
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The value, of which the exclusive borrow shows that nobody has the lock.
    ///
    /// # Errors
    ///
    /// With the reference, if the lock is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.wrap(self.value.get_mut())
    }

    #[inline(always)]
    fn read_guard(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        // SAFETY: the address of a field is not null.
        let value = unsafe { NonNull::new_unchecked(self.value.get()) };
        self.poison.wrap(RwLockReadGuard { value, raw: &self.raw })
    }

    #[inline(always)]
    fn write_guard(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.poison.wrap(RwLockWriteGuard { lock: self, was_panicking: thread::panicking(), not_send: PhantomData })
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Makes a reader of the writer, without letting another writer in between; readers that wait go on.
    ///
    /// An associated function, so that it does not hide a method of the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use goruntime::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.write().unwrap();
    /// *writer += 1;
    /// let reader = RwLockWriteGuard::downgrade(writer);
    /// assert_eq!((*reader, *lock.try_read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(s: RwLockWriteGuard<'a, T>) -> RwLockReadGuard<'a, T> {
        // Not dropped: the lock is kept.
        let guard = ManuallyDrop::new(s);
        let lock = guard.lock;
        lock.poison.done(guard.was_panicking);
        lock.raw.downgrade();
        // SAFETY: the address of a field is not null.
        let value = unsafe { NonNull::new_unchecked(lock.value.get()) };
        RwLockReadGuard { value, raw: &lock.raw }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard stands for a reader (RL1), and the lock that has the value is borrowed for as long.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard stands for the writer (RL1).
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard stands for the writer and is borrowed exclusively (RL1).
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.raw.unlock_read();
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.poison.done(self.was_panicking);
        self.lock.raw.unlock_write();
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => shown.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => shown.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => shown.field("data", &format_args!("<locked>")),
        };
        shown.field("poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}
