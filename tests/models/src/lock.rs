//! `base::lock` as loom's mutex.
//!
//! *What.* The names that the modelled files use of the futex lock. The real one has a model of its own (`lock_model`).
//!
//! *Why here.* It stands in for floor 1: its rounds of spinning would multiply the interleavings of every protocol above it.
//!
//! *Invariants.* None.
//!
//! *Locks.* This is one.
//!
//! *Go:* none.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

use crate::base::shim::Shared;

/// A value behind a mutex, with a `const` constructor, as the words of the shim have it.
pub(crate) struct Lock<T> {
    mutex: Shared<loom::sync::Mutex<()>>,
    value: UnsafeCell<T>,
}

// SAFETY: moving the lock moves the value.
unsafe impl<T: Send> Send for Lock<T> {}
// SAFETY: the value is reached through a guard only, one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

/// The right to the value.
pub(crate) struct LockGuard<'a, T> {
    lock: &'a Lock<T>,
    /// Dropped in this order.
    _held: loom::sync::MutexGuard<'static, ()>,
    _mutex: std::sync::Arc<loom::sync::Mutex<()>>,
}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock { mutex: Shared::new(), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        let mutex = self.mutex.get(|| loom::sync::Mutex::new(()));
        // SAFETY: the guard that goes along with it holds a count of the mutex, and lets go of the lock before.
        let held = unsafe { &*std::sync::Arc::as_ptr(&mutex) }.lock().unwrap();
        LockGuard { lock: self, _held: held, _mutex: mutex }
    }
}

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and this guard is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}
