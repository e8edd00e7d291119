//! Who reads under a lock: debug builds report a goroutine that waits for itself.
//!
//! *Why here.* Floor 7, under `raw_rwlock`. A goroutine that reads and then wants to read or write the same lock again waits for good as soon as a writer
//! is in between, which may be rare: a deadlock report comes only when everybody else sleeps, too.
//!
//! *Invariants.* RE1. A slot is zero, or the number of a goroutine that reads; there may be more readers than slots, so that who is not found is not
//! known. RE2. In release builds there are no slots, and every function does nothing.
//!
//! *Locks.* None.
//!
//! *Go:* none.

use core::panic::Location;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::base::throw::print;
use crate::gmp::m;

/// Readers that are remembered.
const SLOTS: usize = if cfg!(debug_assertions) { 8 } else { 0 };

/// Readers of a lock.
#[derive(Debug)]
pub(super) struct Readers([AtomicU64; SLOTS]);

impl Readers {
    /// Nobody.
    pub(super) const fn new() -> Readers {
        Readers([const { AtomicU64::new(0) }; SLOTS])
    }

    /// The caller reads.
    #[inline(always)]
    pub(super) fn enter(&self) {
        self.change(0, caller());
    }

    /// The caller reads no longer, or once less.
    #[inline(always)]
    pub(super) fn leave(&self) {
        self.change(caller(), 0);
    }

    /// Replaces the first `from` by `to`.
    #[inline(always)]
    fn change(&self, from: u64, to: u64) {
        if from == to {
            return;
        }
        // Relaxed: a goroutine looks for its own number only.
        let mut slots = self.0.iter();
        slots.find(|slot| slot.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok());
    }

    /// The caller is about to wait at `at`; says so if it waits for itself.
    #[inline]
    pub(super) fn report_waiting(&self, what: &str, at: &Location<'_>) {
        let goid = caller();
        if goid != 0 && self.0.iter().any(|slot| slot.load(Ordering::Relaxed) == goid) {
            print(format_args!("goruntime: goroutine {goid} waits to {what} at {at} while it reads: a deadlock\n"));
        }
    }
}

/// The number of the calling goroutine; 0 on a plain thread, and in release builds.
#[inline(always)]
fn caller() -> u64 {
    if SLOTS == 0 {
        return 0;
    }
    m::current().and_then(|mp| mp.curg()).map_or(0, |gp| gp.goid())
}
