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

use loom::sync::{Mutex, MutexGuard};

use std::sync::OnceLock;

/// A value behind a mutex, with a `const` constructor, as the words of the shim have it.
pub(crate) struct Lock<T> {
    initial: std::sync::Mutex<Option<T>>,
    mutex: OnceLock<Mutex<T>>,
}

pub(crate) type LockGuard<'a, T> = MutexGuard<'a, T>;

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Lock<T> {
        Lock { initial: std::sync::Mutex::new(Some(value)), mutex: OnceLock::new() }
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        let mutex = self.mutex.get_or_init(|| {
            let value = self.initial.lock().unwrap().take();
            Mutex::new(value.expect("the first use"))
        });
        mutex.lock().unwrap()
    }
}
