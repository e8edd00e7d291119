//! Poison: the mark that a holder of a lock has panicked.
//!
//! *Why here.* Floor 7, shared by `Mutex` and `RwLock`; the error types are std's own.
//!
//! *Invariants.* MU4. A goexit that unwinds through a guard does not poison: nothing has failed. PN1. A guard that was made while its thread was
//! already panicking does not poison, because the panic is not its own.
//!
//! *Locks.* None: the flag is read and written by holders of the lock it belongs to, which orders them.
//!
//! *Go:* none, there a panic leaves a lock locked or as its defers leave it.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError};
use std::thread;

use crate::proc::park::is_goexit_unwinding;

/// Whether a holder has panicked.
#[derive(Debug)]
pub(super) struct Poison(AtomicBool);

impl Poison {
    /// Not yet.
    pub(super) const fn new() -> Poison {
        Poison(AtomicBool::new(false))
    }

    /// Whether one has.
    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Forgets it.
    #[inline]
    pub(super) fn clear(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// `value` as std's locks return it.
    #[inline(always)]
    pub(super) fn wrap<T>(&self, value: T) -> LockResult<T> {
        if self.get() { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    /// A holder whose guard was made with `was_panicking` lets go.
    #[inline(always)]
    pub(super) fn done(&self, was_panicking: bool) {
        if !was_panicking && thread::panicking() {
            self.note();
        }
    }

    #[cold]
    fn note(&self) {
        if !is_goexit_unwinding() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
